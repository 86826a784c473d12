"""A batch's token arrays, read at once where all is as wavemill writes it.

A call for each step of reading a sample costs more than its bytes. What this cannot read it only
says so of: whoever reads the same samples one by one finds which is damaged, and how.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.loader.arrays import HEAD, Form, parse_head
from wavemill.loader.sample import Sample
from wavemill.loader.tars import HeldTar
from wavemill.sharding.tar import BLOCK, MAX_NAME, SIZE, header

MAX_FORMS = 1 << 16

Arrays = list[npt.NDArray[Any]]


@dataclass(kw_only=True)
class Columns:
    """Samples by what they have, each a list of B: faster than samples one by one."""

    keys: list[str] = field(default_factory=list)
    datasets: list[int]
    tokens: dict[str, Arrays] = field(default_factory=dict)
    times: dict[str, Arrays] = field(default_factory=dict)

    def check_keys(self, keys: list[str]) -> None:
        """Take the keys that a tar gives; raise ValueError where another gave others."""
        if self.keys and keys != self.keys:
            raise ValueError("keys that differ")
        self.keys = keys

    def samples(self) -> list[Sample]:
        """Return the samples one by one."""
        samples = [
            Sample(key=key, dataset=dataset)
            for key, dataset in zip(self.keys, self.datasets, strict=True)
        ]
        for name, arrays in self.tokens.items():
            for sample, array in zip(samples, arrays, strict=True):
                sample.tokens[name] = array
        for name, arrays in self.times.items():
            for sample, array in zip(samples, arrays, strict=True):
                sample.times[name] = array
        return samples


@dataclass(frozen=True, slots=True)
class Member:
    """What the header of a member and the head of its array have in common in many samples."""

    form: Form
    size: bytes
    """As the header has it, in octal digits."""
    start: int
    """Where the values begin, from the header on."""
    end: int
    """Where the member ends."""


_MEMBERS: dict[bytes, Member] = {}
"""By the first bytes of an array's file: arrays of one shape have equal heads."""


def read_column(
    tars: Sequence[HeldTar], positions: Sequence[int], kind: str, width: int
) -> tuple[list[str], Arrays]:
    """Read the arrays of samples.

    Args:
        tars: the tar of each.
        positions: the place of each in its tar.
        kind: of their numbers, by numpy's letter.
        width: what they have beside time: codebooks, or 2 of times.

    Returns:
        Keys, and arrays that are views of the tars.

    Raises:
        ValueError: at least one is not as wavemill writes it.
        IndexError: a tar has no such place.

    """
    keys, arrays = [], []
    for tar, position in zip(tars, positions, strict=True):
        start = tar.offsets[position]
        head = bytes(tar.data[start : start + BLOCK + HEAD])
        member = _MEMBERS.get(head[BLOCK:]) or _member(head[BLOCK:])
        if head[SIZE] != member.size or start + member.end > tar.offsets[position + 1]:
            raise ValueError(f"a header that does not fit its array, at {start} of {tar.name}")
        form = member.form
        if form.dtype.kind != kind or form.shape[1:] != (width,):
            raise ValueError(f"an array {form.shape} of {form.dtype}, at {start} of {tar.name}")
        arrays.append(np.ndarray(form.shape, form.dtype, tar.data, start + member.start))
        keys.append(head[: head.index(b".", 0, MAX_NAME)].decode("ascii"))
    return keys, arrays


def largest(arrays: Arrays) -> int:
    """Return the largest id of all arrays; -1 where there is none."""
    flat = np.concatenate(arrays, axis=None)
    return int(flat.max()) if len(flat) else -1


def _member(head: bytes) -> Member:
    form = parse_head(head)
    size = header("", form.size)[SIZE]
    member = Member(form, size, BLOCK + form.start, BLOCK + form.size)
    if len(_MEMBERS) < MAX_FORMS:
        _MEMBERS[head] = member
    return member
