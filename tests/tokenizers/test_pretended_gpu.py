"""What can be said of `device=cuda` without a GPU: every tensor is where the model is.

Blocks and windows are short, so that what long clips need runs, too.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tokenizers.codec_files import Clip
from tests.tokenizers.pretended_gpu import pretended_gpu
from tests.tokenizers.small_models import LABELS, MODELS, Settings, make, mixed_clips, tokens
from tests.tokenizers.teachers import tiny
from wavemill.tokenizers.base import Decoder
from wavemill.tokenizers.device import Place, on_cpu
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher


def test_the_pretended_gpu_refuses_what_a_real_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended_gpu(monkeypatch), torch.inference_mode():
        there, here = torch.ones(2, 3, device="cuda"), torch.ones(3)
        assert (there + here.to("cuda")).cpu().tolist() == [[2.0] * 3] * 2
        assert torch.zeros_like(there).device == there.device == torch.device("cuda:0")
        assert there.sum().item() == 6
        with pytest.raises(AssertionError, match=r"add.* takes tensors on the CPU: \[\(3,\)\]"):
            there + here
        with pytest.raises(AssertionError, match=r"cat.* takes tensors"):
            torch.cat([there, torch.ones(2, 3)])
        with pytest.raises(AssertionError, match="no numpy array"):
            there.numpy()
    with pytest.raises(Exception, match=r"CUDA|NVIDIA"):
        torch.ones(1, device="cuda:99")


def clips_of(sample_rate: int, seconds: int) -> list[Clip]:
    """Give a sample, a second, and a long clip."""
    clips = mixed_clips(sample_rate)
    return [clips[0], clips[50], np.concatenate(clips[-8:])[: seconds * sample_rate]]


@LABELS
def test_a_tokenizer_puts_every_tensor_where_its_model_is(
    label: str, written: dict[str, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in MODELS[label].blocks.items():
        monkeypatch.setattr(f"wavemill.tokenizers.{name}", value)
    monkeypatch.setattr("wavemill.tokenizers.device.GPU_BLOCK_SECONDS", 0)
    cpu = make(label, written[label])
    longer_than_a_window = 12 if label == "sylber" else 7
    clips = clips_of(cpu.facts.sample_rate, longer_than_a_window)
    with pretended_gpu(monkeypatch):
        gpu = make(label, {**written[label], "device": "cuda"})
        assert tokens(gpu, clips) == tokens(cpu, clips)
        if isinstance(gpu, Decoder) and isinstance(cpu, Decoder):
            codes = cpu.encode(clips[1:2])[0]
            assert np.array_equal(gpu.decode(codes), cpu.decode(codes))
    assert gpu.facts.weights_digest != cpu.facts.weights_digest
    with on_cpu():
        decoder = make(label, {**written[label], "device": "cuda"})
    assert decoder.facts == gpu.facts
    assert tokens(decoder, clips[:2]) == tokens(cpu, clips[:2])


def _beats(folder: Path) -> dict[str, Any]:
    tiny.beats_checkpoint(folder / "model.pt", tiny.BEATS_SMALL)
    return {"name": "beats", "model": str(folder / "model.pt"), "layer": 2}


def _whisper(folder: Path) -> dict[str, Any]:
    tiny.whisper(folder)
    return {"name": "whisper", "model": str(folder)}


def _speech(kind: str, **settings: Any) -> Any:
    def write(folder: Path) -> dict[str, Any]:
        tiny.speech_encoder(folder, kind, **settings)
        return {"name": kind, "model": str(folder)}

    return write


TEACHERS = {
    "beats": _beats,
    "data2vec-audio": _speech("data2vec-audio"),
    "wav2vec2": _speech("wav2vec2", feat_extract_norm="layer", do_stable_layer_norm=True),
    "wavlm": _speech("wavlm"),
    "whisper": _whisper,
}


@pytest.mark.parametrize("kind", TEACHERS)
def test_a_teacher_puts_every_tensor_where_its_model_is(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavemill.tokenizers.teachers.transformers_encoder.WINDOW_SECONDS", 6)
    monkeypatch.setattr("wavemill.tokenizers.teachers.transformers_encoder.CONTEXT_SECONDS", 1)
    config = TeacherConfig(**TEACHERS[kind](tmp_path))
    cpu = make_teacher(config)
    with pretended_gpu(monkeypatch):
        gpu = make_teacher(config, Place(device="cuda"))
        for clip in clips_of(16_000, 8):
            assert np.array_equal(gpu.features(clip), cpu.features(clip))
    assert gpu.facts == cpu.facts
