"""Checkpoints as Microsoft published them, `{cfg, model}`: read, and written for others to read."""

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.models.beats.attention import BUCKETS, MAX_DISTANCE
from wavemill.models.beats.encoder import CONV_GROUPS, CONV_POSITIONS, BeatsNet, Sizes
from wavemill.tokenizers.beats import EMBED_DIM
from wavemill.tokenizers.beats_encoder import BeatsCheckpoint
from wavemill.tokenizers.beats_fbank import PATCH

PARTS = ("patch_embedding.", "layer_norm.", "post_extract_proj.", "encoder.", "quantize")
"""What is in a checkpoint; what only training needs is not."""
_ARCHITECTURE = {
    "input_patch_size": PATCH,
    "embed_dim": EMBED_DIM,
    "conv_bias": False,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "conv_pos": CONV_POSITIONS,
    "conv_pos_groups": CONV_GROUPS,
    "relative_position_embedding": True,
    "num_buckets": BUCKETS,
    "max_distance": MAX_DISTANCE,
    "gru_rel_pos": True,
}
"""What all encoders of this room have in common."""


def checkpoint(model: BeatsNet, sizes: Sizes, more: Mapping[str, Tensor] | None = None) -> bytes:
    """Return the bytes of a checkpoint file.

    Args:
        model: its encoder, and if it has one its quantizer, are written.
        sizes: of the encoder.
        more: tensors to be written with them.

    """
    state = {**model.state_dict(), **(more or {})}
    own = {
        name: part.detach().cpu().clone() for name, part in state.items() if name.startswith(PARTS)
    }
    file = io.BytesIO()
    torch.save({"cfg": _settings(sizes), "model": own}, file)
    return file.getvalue()


def _settings(sizes: Sizes) -> dict[str, Any]:
    """Return what Microsoft's code is told of an encoder."""
    return {
        **_ARCHITECTURE,
        "encoder_layers": sizes.layers,
        "encoder_embed_dim": sizes.width,
        "encoder_ffn_embed_dim": sizes.feed,
        "encoder_attention_heads": sizes.heads,
        "dropout": sizes.dropout,
        "attention_dropout": sizes.dropout,
        "activation_dropout": 0.0,
        "encoder_layerdrop": 0.0,
        "dropout_input": 0.0,
        "finetuned_model": False,
    }


class Pretrained:
    """An encoder that was trained before."""

    def __init__(self, model: str, what: str) -> None:
        """Read a file, or the only one of a folder such as a finished run's.

        Args:
            model: the file or folder.
            what: it is for, for errors.

        Raises:
            UsageError: there is none, or it is no encoder of the published architecture.

        """
        self._what, self._checkpoint = what, BeatsCheckpoint(model, what)
        cfg = self._checkpoint.cfg
        for name, value in _ARCHITECTURE.items():
            if cfg.get(name) != value:
                raise UsageError(
                    f"{what}: {self._checkpoint.url} has {name}={cfg.get(name)}, not {value} as"
                    " the published encoders have"
                )
        try:
            self.sizes = Sizes(
                layers=cfg["encoder_layers"],
                width=cfg["encoder_embed_dim"],
                heads=cfg["encoder_attention_heads"],
                feed=cfg["encoder_ffn_embed_dim"],
                dropout=0.0,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{what}: {self._checkpoint.url} does not say how large its encoder is ({error!r})"
            ) from error

    def load(self, net: BeatsNet) -> None:
        """Put the weights into an encoder of these sizes.

        Raises:
            UsageError: some are missing, or have other shapes.

        """
        names = net.state_dict()
        tensors = {name: self._checkpoint.tensor(name) for name in names}
        try:
            net.load_state_dict(tensors)
        except RuntimeError as error:
            words = " ".join(str(error).split())[:200]
            raise UsageError(
                f"{self._what}: {self._checkpoint.url} does not fit its own cfg: {words}"
            ) from error
