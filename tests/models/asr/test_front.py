"""What the recipe `asr` hears: log-mel bands, and what training changes in them."""

from typing import Any

import numpy as np
import pytest
import torch

from wavemill.models.asr.front import LogMel, change_tempo, spec_augment


def test_log_mel_bands_are_those_below_the_loudest_whatever_its_level() -> None:
    audio, samples = torch.randn(2, 8000), torch.tensor([8000, 4001])
    features, frames = LogMel()(audio, samples)
    assert frames.tolist() == [50, 26]
    assert not features[1, 26:].any()
    assert features.amax((1, 2)).tolist() == pytest.approx([1, 1])
    assert features.min() >= -1
    quieter, _ = LogMel()(audio * 0.1, samples)
    torch.testing.assert_close(quieter, features, atol=1e-4, rtol=0)
    silent, _ = LogMel()(torch.zeros(1, 800), torch.tensor([0]))
    assert torch.isfinite(silent).all()


def test_spec_augment_silences_bands_and_times_within_their_limits() -> None:
    torch.manual_seed(1)
    ones, frames = torch.ones(64, 100, 80), torch.tensor([100, 40] * 32)
    limits: dict[str, Any] = {"bands": 1, "band_width": 10, "times": 1, "time_share": 0.2}
    silent = spec_augment(ones, frames, **limits) == 0
    bands, times = silent.all(1).sum(1), silent.all(2).sum(1)
    assert bands.max() == 10
    assert bands.float().mean().item() == pytest.approx(5, abs=1.5)
    assert times[::2].max() in range(15, 21)
    assert times[1::2].max() in range(5, 9)
    assert (silent == silent.all(1)[:, None] | silent.all(2)[:, :, None]).all()
    assert not silent.all(2)[1::2, 40:].any()


def test_each_clip_has_a_tempo_of_its_own_and_its_padding_stays_silent() -> None:
    torch.manual_seed(1)
    places = torch.arange(100.0)[None, :, None].expand(32, 100, 3)
    frames = torch.tensor([100, 40] * 16)
    real = (torch.arange(100) < frames[:, None])[:, :, None]
    heard, after = change_tempo(places * real, frames, 0.2)
    assert heard.shape == (32, 120, 3)
    factors = after / frames
    assert 0.8 <= factors.min() < 0.85
    assert 1.15 < factors.max() <= 1.2
    for one, factor, last, count in zip(heard, factors, frames - 1, after, strict=True):
        steps = one[:count].diff(dim=0)
        torch.testing.assert_close(steps[:-3], torch.full_like(steps[:-3], 1 / factor), rtol=0.03,
                                   atol=0)  # fmt: skip
        assert one[count - 1].tolist() == pytest.approx([float(last)] * 3, abs=1.5)
        assert not one[count:].any()


def test_features_are_those_of_the_tokenizers_in_the_midst_of_a_clip() -> None:
    from wavemill.tokenizers.features import log_mel

    audio = np.random.default_rng(0).standard_normal(8000).astype(np.float32) * 0.1
    found = LogMel()._logs(torch.from_numpy(audio)[None], torch.tensor([8000]))[0]
    np.testing.assert_allclose(found[2:-2].numpy(), log_mel(audio)[2:-2], rtol=1e-4, atol=1e-4)
