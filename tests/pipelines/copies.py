"""Clips, and copies of them as they come about."""

import io
from collections.abc import Callable

import numpy as np
import soundfile

from tests.audio.audio_files import Samples
from tests.conftest import SPEECH
from wavemill.audio import encode_opus, flac_to_float, resample

RATE = 16_000
Change = Callable[[Samples], tuple[Samples, int]]


def speech() -> list[Samples]:
    """The example utterances, each [N] at 16 kHz."""
    found = [
        flac_to_float(path.read_bytes()) for path in sorted((SPEECH / "audio").rglob("*.flac"))
    ]
    assert {rate for _, rate in found} == {RATE}
    return [samples[:, 0] for samples, _ in found]


def _noisy(clip: Samples) -> tuple[Samples, int]:
    dice = np.random.default_rng(len(clip))
    noise = dice.normal(0, np.sqrt(np.mean(clip**2)) / 10, len(clip))
    return (clip + noise).astype(np.float32), RATE


def _decoded(data: bytes) -> tuple[Samples, int]:
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples[:, 0], rate


def _coded(clip: Samples, rate: int, container: str, subtype: str) -> tuple[Samples, int]:
    file = io.BytesIO()
    soundfile.write(file, resample(clip, RATE, rate), rate, format=container, subtype=subtype)
    return _decoded(file.getvalue())


CHANGES: dict[str, Change] = {
    "quieter": lambda clip: (clip * np.float32(0.1), RATE),
    "louder": lambda clip: (np.clip(clip * np.float32(2), -1, 1), RATE),
    "opus": lambda clip: _decoded(encode_opus(clip[:, None], RATE)),
    "mp3": lambda clip: _coded(clip, RATE, "MP3", "MPEG_LAYER_III"),
    "gsm": lambda clip: _coded(clip, 8000, "WAV", "GSM610"),
    "8 kHz": lambda clip: (resample(clip, RATE, 8000), 8000),
    "44.1 kHz": lambda clip: (resample(clip, RATE, 44_100), 44_100),
    "later": lambda clip: (np.concatenate([np.zeros(800, np.float32), clip]), RATE),
    "cut": lambda clip: (clip[800:], RATE),
    "noisy": _noisy,
}
