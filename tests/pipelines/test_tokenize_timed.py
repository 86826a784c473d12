"""Tokens of streams on an irregular clock: with times, and none where there is nothing to find."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from wavemill.pipelines.tokenize import tokenize_unit
from wavemill.records import SEGMENT_SCHEMA, TOKEN_SCHEMA, TOKENIZER_FAILED
from wavemill.spool import UnitReader, write_unit
from wavemill.tokenizers.base import Codes, Times, TokenizerFacts

Make = Callable[[int], tuple[Any, Any]]
"""Codes and times of a clip of so many samples."""


class Toy:
    """Gives what it is told to."""

    def __init__(self, make: Make, frame_rate: float | None = None) -> None:
        self._make = make
        self.facts = TokenizerFacts(
            name="toy", kind="toy", sample_rate=16_000, frame_rate=frame_rate, num_codebooks=1,
            codebook_size=50, weights_digest="0",
        )  # fmt: skip

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        return [self._make(len(clip))[0] for clip in batch]

    def encode_timed(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[tuple[Codes, Times]]:
        return [self._make(len(clip)) for clip in batch]


def a_token_a_second(samples: int) -> tuple[Any, Any]:
    count = samples // 16_000
    starts = np.arange(count, dtype=np.float32)
    return np.arange(count, dtype=np.uint8)[:, None], np.stack([starts, starts + 0.5], axis=1)


def flac(samples: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16_000, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


@pytest.fixture
def segments(tmp_path: Path) -> UnitReader:
    """Clips of 3, 0.5 and 2 seconds, and a reject before the last."""
    place = str(tmp_path / "segments.arrow")
    with write_unit(place, SEGMENT_SCHEMA) as file:
        for number, seconds in enumerate((3, 0.5, 0, 2)):
            samples = np.zeros((int(seconds * 16_000), 1), np.float32)
            row = {
                "id": str(number), "recording_id": "r", "start_seconds": 0.0,
                "num_samples": len(samples), "sample_rate": 16_000, "num_channels": 1,
                "num_audio_bytes": 0, "custom": "{}",
            }  # fmt: skip
            if seconds:
                row["audio"] = flac(samples)
            else:
                row["reject_reason"] = "empty"
            file.add(row)
    return UnitReader(place)


def load(data: bytes) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def test_times_are_stored_beside_ids_and_no_tokens_are_no_failure(
    segments: UnitReader, tmp_path: Path
) -> None:
    place = str(tmp_path / "tokens.arrow")
    with write_unit(place, TOKEN_SCHEMA) as file:
        for row in tokenize_unit(segments, Toy(a_token_a_second)):
            file.add(row)
    rows = list(UnitReader(place).rows())
    assert [row["num_tokens"] for row in rows] == [3, 0, 0, 2]
    assert all(row["reject_reason"] is None for row in rows)
    assert rows[2]["npy"] is rows[2]["times"] is None
    for row, seconds in zip((rows[0], rows[1], rows[3]), (3, 0, 2), strict=True):
        codes, times = a_token_a_second(16_000 * seconds)
        assert np.array_equal(load(row["npy"]), codes)
        assert np.array_equal(load(row["times"]), times)
        assert load(row["times"]).dtype == np.float32


def test_a_regular_clock_has_no_times_and_may_not_be_empty(segments: UnitReader) -> None:
    rows = list(tokenize_unit(segments, Toy(a_token_a_second, frame_rate=1.0)))
    assert [row.get("times") for row in rows] == [None] * 4
    assert [row.get("reject_reason") for row in rows] == [None, TOKENIZER_FAILED, None, None]


@pytest.mark.parametrize(
    "times",
    [
        np.zeros((1, 2), np.float32),
        np.zeros((2, 3), np.float32),
        np.zeros((2, 2), np.float64),
        np.array([[0, 1], [1, np.nan]], np.float32),
        np.array([[0, 1], [1, np.inf]], np.float32),
        np.array([[-1, 1], [1, 2]], np.float32),
        np.array([[0, 1], [2, 1]], np.float32),
        np.array([[1, 2], [0, 2]], np.float32),
    ],
)
def test_times_that_break_the_contract_reject_the_segment(
    segments: UnitReader, times: npt.NDArray[Any]
) -> None:
    toy = Toy(lambda _: (np.zeros((2, 1), np.uint8), times))
    first = next(tokenize_unit(segments, toy))
    assert (first["num_tokens"], first["reject_reason"]) == (0, TOKENIZER_FAILED)
    assert first["reject_detail"].startswith("toy gave")
