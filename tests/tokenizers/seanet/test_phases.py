"""Phases that are found: audio comes back of its magnitudes, as a whole and in blocks."""

import math

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tests.conftest import SPEECH
from wavemill.tokenizers.features import log_mel
from wavemill.tokenizers.seanet.layers import State
from wavemill.tokenizers.seanet.phases import OVERLAP, PhaseSearch
from wavemill.tokenizers.seanet.spectra import CENTER, FLOOR, SPREAD, log_magnitudes

HOP = 160
SEARCH = PhaseSearch(HOP)


def heard(audio_N: Tensor, search: PhaseSearch = SEARCH) -> Tensor:
    """Return what a perfect decoder gives, [1, C, F]."""
    hop = search.hop
    padded_N = functional.pad(audio_N, (0, -len(audio_N) % hop + (OVERLAP - 1) * hop))
    logs_FC = log_magnitudes(padded_N.unfold(-1, OVERLAP * hop, hop), search.window)
    return ((logs_FC - CENTER) / SPREAD).T[None]


def mel(audio_N: Tensor) -> np.ndarray:
    return np.maximum(log_mel(audio_N.numpy()), np.log(1e-4))


def test_speech_comes_back_of_its_magnitudes() -> None:
    for path in sorted((SPEECH / "audio").glob("*.flac"))[::20]:
        audio_N = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
        found_N = SEARCH(heard(audio_N))[0, 0, : len(audio_N)]
        off = np.abs(mel(found_N) - mel(audio_N)).mean()
        assert off < 0.4
        # In place of finding any, phases of a chirp in each window.
        blind_N = chirps(heard(audio_N))[: len(audio_N)]
        assert off < 0.5 * np.abs(mel(blind_N) - mel(audio_N)).mean()


def chirps(x_BCF: Tensor) -> Tensor:
    """Return windows that all have the phases of the first, added up."""
    silent = torch.full_like(x_BCF[..., :1], -CENTER / SPREAD + math.log(FLOOR) / SPREAD)
    sums_N = torch.zeros((x_BCF.shape[-1] + OVERLAP) * HOP)
    for frame in range(x_BCF.shape[-1]):
        alone = torch.cat([x_BCF[..., frame : frame + 1], silent.repeat(1, 1, OVERLAP - 1)], -1)
        sums_N[frame * HOP : (frame + OVERLAP) * HOP] += SEARCH(alone)[0, 0]
    return sums_N


@pytest.mark.parametrize("hertz", [110.0, 440.0, 3000.0])
def test_a_sine_stays_one(hertz: float) -> None:
    sine_N = 0.3 * torch.sin(2 * math.pi * hertz / 16_000 * torch.arange(16_000))
    found_N = SEARCH(heard(sine_N))[0, 0, 4000:12_000]
    spectrum = torch.fft.rfft(found_N * torch.hann_window(8000)).abs().square()
    peak = round(hertz / 2)
    assert spectrum[peak - 20 : peak + 21].sum() > 0.9 * spectrum.sum()
    assert found_N.square().mean().sqrt() == pytest.approx(0.3 / math.sqrt(2), rel=0.15)


def test_silence_stays_silent() -> None:
    assert not SEARCH(heard(torch.zeros(3200))).any()


@settings(max_examples=20)
@given(
    frames=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_blocks_are_the_whole(frames: list[int], seed: int) -> None:
    search = PhaseSearch(8)
    torch.manual_seed(seed)
    x_BCF = torch.randn(2, search.channels, sum(frames))
    state: State = {}
    blocks = [search(block, state) for block in x_BCF.split(frames, -1)]
    torch.testing.assert_close(torch.cat(blocks, -1), search(x_BCF), rtol=1e-5, atol=1e-6)
