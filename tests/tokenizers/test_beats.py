"""BEATs' first tokenizer: what the paper and the open implementation say, computed another way."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchaudio.compliance import kaldi

from tests.conftest import SPEECH
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.beats_fbank import SHORTEST_SAMPLES

Clip = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    paths = sorted((SPEECH / "audio").rglob("*.flac"))
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


@pytest.fixture(scope="module")
def beats() -> BeatsTokenizer:
    return BeatsTokenizer(BeatsConfig())


class Reference(nn.Module):
    """The published modules, drawn in the published order from the global generator."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 512, kernel_size=16, stride=16, bias=False)
        torch.manual_seed(seed)
        nn.init.xavier_normal_(self.patches.weight)
        self.projection = nn.Linear(512, 256, bias=False)
        nn.init.xavier_normal_(self.projection.weight)
        self.codebook = torch.randn(1024, 256)

    @torch.no_grad()
    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        fbank = kaldi.fbank(
            clip[None] * 2**15, num_mel_bins=128, sample_frequency=16_000, frame_length=25,
            frame_shift=10,
        )  # fmt: skip
        fbank = (fbank - 15.41663) / (2 * 6.55582)
        features = self.patches(fbank[None, None]).flatten(2).transpose(1, 2)
        features = nn.functional.layer_norm(features, (512,))
        projected = nn.functional.layer_norm(self.projection(features), (256,))
        return torch.cdist(projected.double(), self.codebook.double()[None]).argmin(dim=-1)[0]


@pytest.mark.parametrize("seed", [0, 7])
def test_ids_equal_those_of_the_published_modules(clips: list[Clip], seed: int) -> None:
    reference = Reference(seed)
    tokenizer = BeatsTokenizer(BeatsConfig(seed=seed))
    long_enough = [clip for clip in clips if len(clip) >= SHORTEST_SAMPLES]
    for clip, codes in zip(long_enough, tokenizer.encode(long_enough), strict=True):
        assert codes[:, 0].tolist() == reference(torch.from_numpy(clip)).tolist()


def test_a_clip_s_ids_depend_on_it_alone(beats: BeatsTokenizer, clips: list[Clip]) -> None:
    alone = [beats.encode([clip])[0] for clip in clips]
    backwards = beats.encode(clips[::-1])[::-1]
    for one, together, turned in zip(alone, beats.encode(clips), backwards, strict=True):
        assert np.array_equal(one, together)
        assert np.array_equal(one, turned)


def test_another_process_gives_the_same_ids(beats: BeatsTokenizer, clips: list[Clip]) -> None:
    path = min((SPEECH / "audio").rglob("*.flac"))
    script = (
        "import sys, soundfile; from wavemill import tokenizers;"
        "clip = soundfile.read(sys.argv[1], dtype='float32')[0];"
        "print(tokenizers.load('beats').encode([clip])[0][:, 0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(beats.encode([clips[0]])[0][:, 0].tolist())


def test_seeds_differ_and_say_so(clips: list[Clip]) -> None:
    one, other = (BeatsTokenizer(BeatsConfig(seed=seed)) for seed in (0, 1))
    assert one.facts.digest != other.facts.digest
    assert not np.array_equal(one.encode([clips[0]])[0], other.encode([clips[0]])[0])


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 40_000))
def test_any_length_gives_ids_in_range_eight_a_step(samples: int) -> None:
    noise = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    (codes,) = BeatsTokenizer(BeatsConfig()).encode([noise])
    frames = 1 + (max(samples, SHORTEST_SAMPLES) - 400) // 160
    assert codes.shape == (8 * (frames // 16), 1)
    assert codes.dtype == np.uint16
    assert codes.max() < 1024


def test_lengths_grow_by_whole_steps_of_time(beats: BeatsTokenizer) -> None:
    lengths = [len(beats.encode([np.zeros(n, np.float32)])[0]) for n in range(2000, 9000, 500)]
    assert all(0 <= later - earlier <= 8 for earlier, later in pairwise(lengths))
    assert lengths[0] == 8
