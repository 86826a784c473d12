"""Files whose samples say where they come from, and recordings of them cut into segments."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from wavemill.audio import flac_to_float
from wavemill.pipelines.segment import AudioForm, segment_unit
from wavemill.pipelines.segmenters import make_segmenter, parse_segmenter
from wavemill.records import Recording, Reject, Segment, Span

RATE = 1000


def ramp(path: Path, num_samples: int, num_channels: int = 1, rate: int = RATE) -> str:
    """Write samples that count, so that each says where it comes from."""
    samples = np.arange(num_samples)[:, None] + 10_000 * np.arange(num_channels)
    soundfile.write(path, samples.astype(np.int16), rate)
    return str(path)


def values(result: Segment | Reject, channel: int = 0) -> list[int]:
    assert isinstance(result, Segment), result
    samples, rate = flac_to_float(result.audio)
    assert samples.shape == (result.num_samples, result.num_channels)
    assert rate == result.sample_rate
    return [int(value) for value in samples[:, channel] * 32768]


def cut(how: str, *recordings: Recording, form: AudioForm | None = None) -> list[Segment | Reject]:
    segmenter = make_segmenter(parse_segmenter(how))
    return list(segment_unit(recordings, segmenter, form or AudioForm()))


def window(start: float, duration: float | None, **about: Any) -> dict[str, Any]:
    span = Span(start_seconds=start, duration_seconds=duration, **about)
    return {"window": span, "explicit_window": True}


def channels(*positions: int) -> Span:
    return Span(start_seconds=0.0, channels=positions)


def stated(duration: float, **about: Any) -> dict[str, Any]:
    return {"window": Span(start_seconds=0.0, duration_seconds=duration, **about)}


def segments(results: Iterable[Segment | Reject]) -> list[Segment]:
    found = []
    for result in results:
        assert isinstance(result, Segment), result
        found.append(result)
    return found


def rejects(results: Iterable[Segment | Reject]) -> list[tuple[str, str]]:
    return [(result.id, result.reason) for result in results if isinstance(result, Reject)]
