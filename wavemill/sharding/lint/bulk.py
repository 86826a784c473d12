"""Check the members of a sound tar all at once; samples.py names what is odd about others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.audio.headers import read_head
from wavemill.errors import RejectedError
from wavemill.sharding.counting import IdCounter
from wavemill.sharding.lines import array_lines, recording_line, times_lines
from wavemill.sharding.lint.arrays import npy_head, times_rise
from wavemill.sharding.lint.mapped import Ints, Members
from wavemill.tokenizers.base import TokenizerFacts

Row = dict[str, Any]
HEAD = 128
"""Bytes before the data of a `.npy` file of two dimensions."""


def audio_holds(members: Members, rows: Sequence[Row], extension: str) -> bool:
    """Say whether audio and its JSON are those of the rows, as far as headers tell."""
    if not members.hold([recording_line(row) for row in rows]):
        return False
    try:
        for row, data in zip(rows, members.data(), strict=True):
            about = row["num_samples"], row["sample_rate"], row["num_channels"]
            head = read_head(data, extension)
            if (head.num_samples, head.sample_rate, head.num_channels) != about:
                return False
    except RejectedError:
        return False
    return True


def stream_counts(
    members: Members, rows: Sequence[Row], facts: TokenizerFacts
) -> tuple[Ints, npt.NDArray[np.int64]] | None:
    """Return lengths of arrays [N] and counts of their ids [Q, K]; None if one is not sound."""
    width, descr = facts.num_codebooks, facts.dtype.str
    step = width * facts.dtype.itemsize
    lengths = (members.size - HEAD) // step
    if (members.size != HEAD + lengths * step).any() or (lengths < 0).any():
        return None
    if facts.frame_rate is not None and not lengths.all():
        return None
    every = lengths.tolist()
    if not members.hold(array_lines(rows, facts, every)):
        return None
    counter = IdCounter(facts)
    bodies = list(members.data())
    for length, data in zip(every, bodies, strict=True):
        if data[:HEAD] != npy_head((length, width), descr):
            return None
    try:
        counter.add(bodies, every)
        return lengths, counter.counts()
    except ValueError:  # an id is out of range
        return None


def times_hold(members: Members, rows: Sequence[Row], facts: TokenizerFacts, lengths: Ints) -> bool:
    """Say whether times are those of the rows' tokens, of which there are `lengths` [N]."""
    every = lengths.tolist()
    if (members.size != HEAD + lengths * 8).any():
        return False
    if not members.hold(times_lines(rows, facts, every)):
        return False
    bodies = []
    for length, data in zip(every, members.data(), strict=True):
        if data[:HEAD] != npy_head((length, 2)):
            return False
        bodies.append(data[HEAD:])
    seconds = np.array([row["num_samples"] / row["sample_rate"] for row in rows])
    times = np.frombuffer(b"".join(bodies), "<f4").reshape(-1, 2)
    return times_rise(times, lengths, seconds)
