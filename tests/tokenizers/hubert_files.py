"""Small HuBERTs with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wavemill.tokenizers.units import save_units

SMALL: dict[str, Any] = {
    "num_hidden_layers": 3,
    "conv_dim": (32,) * 7,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_conv_pos_embedding_groups": 4,
    "num_conv_pos_embeddings": 16,
}
SETTINGS = {"layers": 2, "norm_threshold": 3.3, "merge_threshold": 0.4}
"""With these, random weights find syllables of some frames, and pauses."""


def write_hubert(folder: Path, seed: int = 0, **settings: Any) -> Any:
    """Write a small HuBERT as transformers does; return it."""
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(seed)
    net: Any = HubertModel(HubertConfig(**{**SMALL, **settings}))
    net.eval()
    for layer in net.encoder.layers:  # unequal gains, so that the norms of frames differ
        with torch.no_grad():
            layer.final_layer_norm.weight.normal_(std=0.5).pow_(3).mul_(4)
    net.save_pretrained(folder)
    return net


def write_units(path: Path, units: int = 40, dim: int = 48) -> npt.NDArray[np.float32]:
    """Write random centroids; return them."""
    centroids = np.random.default_rng(0).standard_normal((units, dim)).astype(np.float32)
    save_units(str(path), centroids)
    return centroids
