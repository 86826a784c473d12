"""Small encoders with random weights in the published layouts, and clips to hear."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers

from tests.conftest import SPEECH
from wavemill.tokenizers.teachers.base import Clip

SPEECH_ENCODER: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (32,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


class Trap:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.place), "w")


def real_clips(count: int = 6) -> list[Clip]:
    """Speech and effects of mixed lengths, and the two that break things: a sample, silence."""
    speech = sorted((SPEECH / "audio").glob("*.flac"))[:count]
    clips = [soundfile.read(path, dtype="float32")[0] for path in speech]
    for path in sorted((SPEECH / "effects").rglob("*.flac"))[:2]:
        audio = soundfile.read(path, dtype="float32", always_2d=True)[0]
        clips.append(np.ascontiguousarray(audio.mean(axis=1)[:40_000]))
    return [*clips, np.full(1, 0.25, np.float32), np.zeros(5000, np.float32)]


def speech_encoder(folder: Path, kind: str, *, normalise: bool = True, **settings: Any) -> Any:
    """Save a small encoder of a kind; return it."""
    config = transformers.AutoConfig.for_model(kind, **{**SPEECH_ENCODER, **settings})
    torch.manual_seed(5)
    model = transformers.AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise)
    extractor.save_pretrained(folder)
    return model


def whisper(folder: Path, **settings: Any) -> Any:
    """Save a small Whisper; return it."""
    small = {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "vocab_size": 100,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }
    torch.manual_seed(6)
    config = transformers.WhisperConfig(**{**small, **settings})
    model = transformers.WhisperForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    return model


def in_another_process(program: str, *arguments: object) -> str:
    """Run a program; give what it printed."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


# What the released configurations set, as far as it changes the computation.
BEATS_RELEASED = {
    "input_patch_size": 16,
    "embed_dim": 512,
    "conv_bias": False,
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "relative_position_embedding": True,
    "num_buckets": 320,
    "max_distance": 800,
    "gru_rel_pos": True,
}
BEATS_SMALL = {
    **BEATS_RELEASED,
    "embed_dim": 24,
    "encoder_layers": 3,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "conv_pos": 16,
    "conv_pos_groups": 4,
}


def beats_encoder(cfg: dict[str, Any]) -> Any:
    """Build openbeats' encoder with random weights, biases and norms too."""
    from openbeats.beats_encoder import BeatsEncoder

    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        net = BeatsEncoder(input_size=0, beats_config=cfg).eval()
    with torch.no_grad():
        for name, part in net.named_parameters():
            if "_pad" not in name and part.ndim == 1:
                part.add_(0.1 * torch.randn(part.shape))
    return net


def beats_checkpoint(place: Path, cfg: dict[str, Any], *, tokenizer: bool = False) -> Any:
    """Save an encoder, or a tokenizer, in Microsoft's layout; return openbeats' encoder."""
    net = beats_encoder(cfg)
    state = {name: part for name, part in net.state_dict().items() if "_pad" not in name}
    if tokenizer:
        state |= beats_head(cfg["encoder_embed_dim"])
    torch.save({"cfg": cfg, "model": state}, place)
    return net


def beats_head(width: int) -> dict[str, torch.Tensor]:
    """Make what a tokenizer's checkpoint has beyond an encoder's."""
    random = torch.Generator().manual_seed(8)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    codebook = torch.nn.functional.normalize(normal(1024, 256), dim=-1)
    return {
        "quantize.cluster_size": torch.ones(1024),
        "quantize.embedding.initted": torch.ones(1),
        "quantize.embedding.weight": codebook,
        "quantize.embedding.cluster_size": torch.ones(1024),
        "quantize.embedding.embed_avg": codebook.clone(),
        "quantize_layer.0.weight": normal(width, width) / width**0.5,
        "quantize_layer.0.bias": 0.1 * normal(width),
        "quantize_layer.2.weight": normal(256, width) / width**0.5,
        "quantize_layer.2.bias": 0.1 * normal(256),
    }
