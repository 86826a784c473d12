"""Turn a unit's segments into one tokenizer's tokens."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.audio import mono_blocks, open_flac
from wavemill.pipelines import whereabouts
from wavemill.records import TOKENIZER_FAILED
from wavemill.spool import UnitReader
from wavemill.tokenizers.base import Codes, TimedTokenizer, Times, Tokenizer, TokenizerFacts

BATCH_SECONDS = 120.0
"""How much audio goes to a tokenizer at once."""


def npy_bytes(array: Codes | Times) -> bytes:
    """Write an array [T, Q] as a `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def tokenize_unit(segments: UnitReader, tokenizer: Tokenizer) -> Iterator[dict[str, Any]]:
    """Yield a row of `TOKEN_SCHEMA` for every row of the segments, in their order."""
    rate = tokenizer.facts.sample_rate
    clips: list[npt.NDArray[np.float32] | None] = []
    seconds = 0.0
    for index in range(len(segments)):
        if segments.row(index, ["reject_reason"])["reject_reason"] is None:
            clips.append(clip := read_clip(segments, index, rate))
            seconds += len(clip) / rate
        else:
            clips.append(None)
        if seconds >= BATCH_SECONDS:
            _note(tokenizer, segments, index + 1 - len(clips), index)
            yield from _encode(clips, tokenizer)
            clips, seconds = [], 0.0
    if clips:
        _note(tokenizer, segments, len(segments) - len(clips), len(segments) - 1)
    yield from _encode(clips, tokenizer)


def _note(tokenizer: Tokenizer, segments: UnitReader, first: int, last: int) -> None:
    ids = [segments.row(index, ["id"])["id"] for index in (first, last)]
    whereabouts.note(f"the tokenizer {tokenizer.facts.name}, segments {ids[0]} to {ids[1]}")


def read_clip(segments: UnitReader, index: int, sample_rate: int) -> npt.NDArray[np.float32]:
    """Decode one segment as mono, [N] at `sample_rate` Hz."""
    with open_flac(segments.buffer("audio", index)) as stream:
        return np.concatenate(list(mono_blocks(stream, sample_rate)))


def _encode(
    clips: list[npt.NDArray[np.float32] | None], tokenizer: Tokenizer
) -> Iterator[dict[str, Any]]:
    present = [clip for clip in clips if clip is not None]
    arrays = iter(_arrays(present, tokenizer) if present else [])
    for clip in clips:
        yield {"num_tokens": 0} if clip is None else _row(*next(arrays), tokenizer.facts)


def _arrays(
    clips: list[npt.NDArray[np.float32]], tokenizer: Tokenizer
) -> list[tuple[Codes, Times | None]]:
    if tokenizer.facts.frame_rate is not None:
        return [(codes, None) for codes in tokenizer.encode(clips)]
    assert isinstance(tokenizer, TimedTokenizer)
    return [*tokenizer.encode_timed(clips)]


def _row(codes: Codes, times: Times | None, facts: TokenizerFacts) -> dict[str, Any]:
    """Make a row, or a reject where a tokenizer broke its contract: its ids cannot be trusted."""
    problem = _codes_problem(codes, facts)
    if problem is None and times is not None:
        problem = _times_problem(times, len(codes))
    if problem:
        detail = f"{facts.name} gave {problem}"
        return {"num_tokens": 0, "reject_reason": TOKENIZER_FAILED, "reject_detail": detail}
    stored = None if times is None else npy_bytes(times)
    return {"num_tokens": len(codes), "npy": npy_bytes(codes), "times": stored}


def _codes_problem(codes: Codes, facts: TokenizerFacts) -> str | None:
    may_be_empty = facts.frame_rate is None
    if codes.ndim != 2 or codes.shape[1] != facts.num_codebooks or not (len(codes) or may_be_empty):
        return f"an array of shape {codes.shape}"
    largest = int(codes.max(initial=0))
    if codes.dtype != facts.dtype or largest >= facts.codebook_size:
        return f"{codes.dtype} ids up to {largest}"
    return None


def _times_problem(times: Times, num_tokens: int) -> str | None:
    if times.shape != (num_tokens, 2) or times.dtype != np.float32:
        return f"{num_tokens} ids with {times.dtype} times of shape {times.shape}"
    starts, ends = times.T
    rising = (starts >= 0).all() and (ends >= starts).all() and (np.diff(starts) >= 0).all()
    return None if rising and np.isfinite(ends).all() else "times that do not rise"
