from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from tests.audio.audio_files import speech
from wavemill.audio import encode_flac, flac_to_float, resample, to_mono
from wavemill.pipelines import tokenize
from wavemill.spool import UnitReader


@dataclass
class OneClip:
    """Stands for a unit's file with one segment in it."""

    flac: bytes

    def buffer(self, name: str, index: int) -> memoryview:
        assert (name, index) == ("audio", 0)
        return memoryview(self.flac)


@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
def test_a_clip_is_the_stored_audio_in_mono_at_the_tokenizer_s_rate(
    num_channels: int, rate: int
) -> None:
    samples, stored_rate = speech(num_channels)
    flac = encode_flac(np.tile(samples, (9, 1)), stored_rate, 16)
    found = tokenize.read_clip(cast("UnitReader", OneClip(flac)), 0, rate)
    expected = resample(to_mono(flac_to_float(flac)[0]), stored_rate, rate)
    assert np.array_equal(found, expected)
