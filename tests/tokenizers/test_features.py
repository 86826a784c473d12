"""Log-mel features: Kaldi's values and frame counts, for any clip from one sample on."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchaudio.compliance import kaldi

from wavemill.tokenizers.features import NUM_MELS, log_mel, mel_matrix, num_frames


def noise(samples: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(samples)).astype(np.float32)


@given(st.integers(1, 10_000_000))
def test_frames_never_outnumber_those_that_lhotse_expects(samples: int) -> None:
    seconds = Decimal(samples) / 16_000
    expected = int((seconds / Decimal("0.01")).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert num_frames(samples) == max(1, expected)


@given(st.integers(1, 3000))
def test_a_clip_of_any_length_gives_finite_frames(samples: int) -> None:
    features = log_mel(noise(samples))
    assert features.shape == (num_frames(samples), NUM_MELS)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize("samples", [400, 7999, 8000, 16_080])
def test_the_values_are_those_of_kaldis_filter_bank(samples: int) -> None:
    clip = noise(samples)
    expected = kaldi.fbank(
        torch.from_numpy(clip)[None],
        sample_frequency=16_000,
        num_mel_bins=80,
        high_freq=7600,
        window_type="hanning",
        preemphasis_coefficient=0.0,
        remove_dc_offset=False,
        dither=0.0,
        snip_edges=False,
    ).numpy()
    np.testing.assert_allclose(log_mel(clip), expected, atol=2e-4)


def test_every_band_hears_something() -> None:
    assert bool((mel_matrix().sum(dim=0) > 0.1).all())


def test_a_tone_is_loudest_in_its_band() -> None:
    clip = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loudest = log_mel(clip).argmax(axis=1)
    centre = 31.25 * int(mel_matrix()[:, loudest[50]].argmax())
    assert (loudest[1:-1] == loudest[50]).all()
    assert abs(centre - 1000) < 32


def test_silence_lies_on_the_floor() -> None:
    assert (log_mel(np.zeros(1600, np.float32)) == np.float32(np.log(np.float32(1e-7)))).all()


def test_frames_of_a_long_clip_do_not_depend_on_where_it_is_cut_to_be_computed() -> None:
    clip = noise(160 * 3000)
    part = log_mel(clip[160 * 900 : 160 * 1200])
    np.testing.assert_allclose(log_mel(clip)[910:1190], part[10:-10], atol=1e-4)


@pytest.mark.parametrize("shape", [(0,), (2, 100)])
def test_what_is_no_mono_clip_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"mono clip \[N\] with N >= 1"):
        log_mel(np.zeros(shape, np.float32))
