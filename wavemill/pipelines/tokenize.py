"""Turn a unit's segments into one tokenizer's tokens."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.audio import mono_blocks, open_flac
from wavemill.records import TOKENIZER_FAILED
from wavemill.spool import UnitReader
from wavemill.tokenizers.base import Codes, Tokenizer

BATCH_SECONDS = 120.0
"""How much audio goes to a tokenizer at once."""


def npy_bytes(codes: Codes) -> bytes:
    """Write an array [T, Q] as a `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(codes), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def tokenize_unit(segments: UnitReader, tokenizer: Tokenizer) -> Iterator[dict[str, Any]]:
    """Yield a row of `TOKEN_SCHEMA` for every row of the segments, in their order."""
    rate = tokenizer.facts.sample_rate
    clips: list[npt.NDArray[np.float32] | None] = []
    seconds = 0.0
    for index in range(len(segments)):
        if segments.row(index, ["reject_reason"])["reject_reason"] is None:
            clips.append(clip := _clip(segments, index, rate))
            seconds += len(clip) / rate
        else:
            clips.append(None)
        if seconds >= BATCH_SECONDS:
            yield from _encode(clips, tokenizer)
            clips, seconds = [], 0.0
    yield from _encode(clips, tokenizer)


def _clip(segments: UnitReader, index: int, sample_rate: int) -> npt.NDArray[np.float32]:
    with open_flac(segments.buffer("audio", index)) as stream:
        return np.concatenate(list(mono_blocks(stream, sample_rate)))


def _encode(
    clips: list[npt.NDArray[np.float32] | None], tokenizer: Tokenizer
) -> Iterator[dict[str, Any]]:
    present = [clip for clip in clips if clip is not None]
    arrays = iter(tokenizer.encode(present) if present else [])
    for clip in clips:
        yield {"num_tokens": 0} if clip is None else _row(next(arrays), tokenizer)


def _row(codes: Codes, tokenizer: Tokenizer) -> dict[str, Any]:
    """Make a row, or a reject where a tokenizer broke its contract: its ids cannot be trusted."""
    facts = tokenizer.facts
    problem = None
    if codes.ndim != 2 or codes.shape[1] != facts.num_codebooks or not len(codes):
        problem = f"{facts.name} gave an array of shape {codes.shape}"
    elif codes.dtype != facts.dtype or int(codes.max()) >= facts.codebook_size:
        problem = f"{facts.name} gave {codes.dtype} ids up to {codes.max()}"
    if problem:
        return {"num_tokens": 0, "reject_reason": TOKENIZER_FAILED, "reject_detail": problem}
    return {"num_tokens": len(codes), "npy": npy_bytes(codes)}
