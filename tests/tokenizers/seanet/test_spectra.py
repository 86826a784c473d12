"""Spectra as layers: what they hear of a sine, and that they give it back."""

import math

import torch

from wavemill.tokenizers.seanet.spectra import CENTER, SPREAD, Analysis, Synthesis

HOP = 80


def test_a_full_scale_sine_has_magnitude_one_in_its_bin() -> None:
    analysis = Analysis(HOP)
    bin_ = 20
    sine = torch.sin(2 * math.pi * bin_ / (4 * HOP) * torch.arange(20 * HOP))
    logs_CF = analysis(sine[None, None])[0] * SPREAD + CENTER
    assert logs_CF.shape == (4 * HOP // 2 + 1, 20)
    assert torch.allclose(logs_CF[bin_, 4:], torch.zeros(16), atol=1e-3)
    assert (logs_CF[bin_ + 3 :, 4:] < -5).all()


def test_magnitudes_and_phases_of_a_sine_give_the_sine() -> None:
    synthesis = Synthesis(HOP)
    bins, bin_, frames = HOP + 1, 7, 12
    logs_CF = torch.full((bins, frames), -100.0)
    logs_CF[bin_] = (0.0 - CENTER) / SPREAD
    # A frame later the sine is further by so much; -pi / 2 turns a cosine into a sine.
    phases_CF = torch.zeros(bins, frames)
    phases_CF[bin_] = 2 * math.pi * bin_ / (2 * HOP) * HOP * torch.arange(frames) - math.pi / 2
    found_N = synthesis(torch.cat([logs_CF, phases_CF])[None])[0, 0]
    sine_N = torch.sin(2 * math.pi * bin_ / (2 * HOP) * torch.arange(frames * HOP))
    assert torch.allclose(found_N[HOP:], sine_N[HOP:], atol=1e-4)
