"""Tokenizers and teachers on a real GPU, against the CPU; small random weights, real audio."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tokenizers.small_models import (
    LABELS,
    MODELS,
    Settings,
    make,
    mixed_clips,
    share_of_equal,
    tokens,
)
from tests.tokenizers.test_pretended_gpu import TEACHERS, clips_of
from wavemill.tokenizers.base import Decoder, Tokenizer
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher

LEAST_EQUAL = 0.99
"""Of ids on the GPU and on the CPU, in float32."""


@LABELS
def test_ids_in_float32_are_nearly_all_those_of_the_cpu(
    label: str, written: dict[str, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in MODELS[label].blocks.items():
        monkeypatch.setattr(f"wavemill.tokenizers.{name}", value)
    gpu, cpu = make(label, {**written[label], "device": "cuda"}), make(label, written[label])
    clips = [*mixed_clips(cpu.facts.sample_rate)[::4], *clips_of(cpu.facts.sample_rate, 12)]
    assert share_of_equal(tokens(gpu, clips), tokens(cpu, clips)) >= LEAST_EQUAL
    if isinstance(gpu, Decoder) and isinstance(cpu, Decoder):
        codes = cpu.encode(clips[-1:])[0]
        decoded = [torch.from_numpy(each.decode(codes)).flatten() for each in (gpu, cpu)]
        if label == "tiny":  # its phases are searched for, and what rounds otherwise finds others
            assert difference(*map(spectrum, decoded)) < 0.1
        else:
            assert difference(*decoded) < 1e-4


def difference(found: Tensor, expected: Tensor) -> float:
    """Of all energy, as a share of amplitudes."""
    return float((found - expected).norm() / expected.norm())


def spectrum(audio_N: Tensor) -> Tensor:
    return torch.stft(audio_N, 512, window=torch.hann_window(512), return_complex=True).abs()


def _places(label: str) -> list[dict[str, str]]:
    return [{"device": "cuda"}] + [{"device": "cuda", "precision": "bfloat16"}] * (label != "mvq")


@LABELS
def test_a_clip_s_tokens_depend_on_it_alone(label: str, written: dict[str, Settings]) -> None:
    for place in _places(label):
        gpu: Tokenizer = make(label, {**written[label], **place})
        clips = mixed_clips(gpu.facts.sample_rate)[::2]
        together = tokens(gpu, clips)
        order = np.random.default_rng(1).permutation(len(clips))
        assert tokens(gpu, [clips[number] for number in order]) == [together[n] for n in order]
        assert [tokens(gpu, [clip])[0] for clip in clips] == together
        assert tokens(make(label, {**written[label], **place}), clips) == together


@pytest.mark.parametrize("kind", TEACHERS)
def test_features_are_those_of_the_cpu_but_for_rounding(kind: str, tmp_path: Path) -> None:
    config = TeacherConfig(**TEACHERS[kind](tmp_path))
    gpu, cpu = make_teacher(config, Place(device="cuda")), make_teacher(config)
    for clip in clips_of(16_000, 40):
        assert np.allclose(gpu.features(clip), cpu.features(clip), atol=1e-3)
