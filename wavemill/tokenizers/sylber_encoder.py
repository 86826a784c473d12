"""Sylber's encoder: the first layers of a HuBERT, run through transformers.

Clips run one by one and unpadded, since every frame attends to all others; `hubert_long.py` says
what becomes of those that are too long for that.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.checkpoints import digest_tensors, find_model, read_tensors
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.hubert_long import receptive_field, run_long
from wavemill.tokenizers.syllables import Features
from wavemill.tokenizers.threads import torch_threads

SAMPLE_RATE = 16_000
CHECKPOINT = "sylber.ckpt"
"""The published file: a state dict of HuBERT-base, and no configuration."""
OVERLAP_SECONDS = 2.0
"""What a window of a long clip sees on either side of the frames that are taken from it."""
_PREFIXES = ("hubert.", "speech_model.")
_UNUSED = {"masked_spec_embed"}
"""Of training alone."""
_SHAPING = (
    "conv_bias", "conv_dim", "conv_kernel", "conv_pos_batch_norm", "conv_stride",
    "do_stable_layer_norm", "feat_extract_activation", "feat_extract_norm", "feat_proj_layer_norm",
    "hidden_act", "hidden_size", "layer_norm_eps", "num_attention_heads",
    "num_conv_pos_embedding_groups", "num_conv_pos_embeddings",
)  # fmt: skip
"""Settings of a HuBERT that change its features."""


class SylberEncoder:
    """Turns clips into features."""

    def __init__(self, model: str, layers: int, max_seconds: float, place: Place) -> None:
        """Load the weights.

        Args:
            model: a state dict of HuBERT-base, a folder that transformers wrote, or a hub's name.
            layers: how many are run.
            max_seconds: the longest clip that is run whole, and the window of longer ones.
            place: where it runs.

        Raises:
            UsageError: the model is not there, is broken, or lacks weights.

        """
        hubert = require("transformers.models.hubert", "codecs", "sylber")
        weights, config_file = find_weights(model)
        settings = _settings(hubert, config_file, layers, model)
        self._net = hubert.HubertModel(hubert.HubertConfig(**settings)).eval()
        self.unused = fill_hubert(self._net, read_tensors(weights), weights)
        """Names of the tensors in the file that are not needed, such as those of later layers."""
        config = self._net.config
        self.dim = int(config.hidden_size)
        self.hop_samples = prod(config.conv_stride)
        self.shortest_samples = receptive_field(config.conv_kernel, config.conv_stride)
        self.digest_parts = {
            "weights": digest_tensors(
                {n: t for n, t in self._net.state_dict().items() if n not in _UNUSED}
            ),
            "config": {name: getattr(config, name) for name in _SHAPING},
        }
        self._place = place
        self._net.to(place.device)
        self._longest = round(max_seconds * SAMPLE_RATE / self.hop_samples)
        self._overlap = round(OVERLAP_SECONDS * SAMPLE_RATE / self.hop_samples)

    def features(self, clip: npt.NDArray[np.float32]) -> Features:
        """Encode a clip [N] at 16 kHz: [T, D] float32, a frame every `hop_samples`, T >= 1.

        A clip shorter than a frame is filled with silence to one.
        """
        with torch_threads(1), self._place.running():
            wave = _normalised(self._place.tensor(np.asarray(clip, np.float32)))
            wave = functional.pad(wave, (0, max(0, self.shortest_samples - len(wave))))
            frames = (len(wave) - self.shortest_samples) // self.hop_samples + 1
            if frames <= self._longest:
                states = self._net(wave[None]).last_hidden_state[0]
            else:
                states = run_long(self._net, wave, self._longest, self._overlap)
        features: Features = states.float().cpu().numpy()
        return features


def _normalised(wave: Tensor) -> Tensor:
    """Give a clip mean 0 and deviation 1; silence, and a single sample, become zeros."""
    centred = wave - wave.mean()
    spread = centred.std() if len(wave) > 1 else wave.new_zeros(())
    return centred / spread if spread > 0 else torch.zeros_like(wave)


def find_weights(model: str) -> tuple[str, str | None]:
    """Return the file of weights of a model, and the config.json beside it, if any.

    Raises:
        UsageError: there is none.

    """
    place = Path(find_model(model, "sylber"))
    if place.is_file():
        return str(place), None
    config = place / "config.json"
    names = ["model.safetensors", "pytorch_model.bin"] if config.is_file() else []
    for name in (*names, CHECKPOINT):
        if (place / name).is_file():
            return str(place / name), str(config) if name in names else None
    raise UsageError(
        f"sylber: {model} holds neither {CHECKPOINT} nor a config.json with model.safetensors or"
        " pytorch_model.bin"
    )


def _settings(hubert: Any, config: str | None, layers: int, model: str) -> dict[str, Any]:
    """Return the settings of a HuBERT cut to `layers`."""
    settings = {} if config is None else hubert.HubertConfig.from_json_file(config).to_dict()
    held = settings.get("num_hidden_layers", 12)
    if layers > held:
        raise UsageError(f"sylber: layers={layers}, but {model} has {held}")
    # Attention over a minute needs no matrix of all pairs in memory.
    return {**settings, "num_hidden_layers": layers, "attn_implementation": "sdpa"}


def fill_hubert(net: Any, state: Mapping[str, Tensor], url: str) -> list[str]:
    """Fill a HuBERT with a file's tensors; return the names of those that it does not need.

    Raises:
        UsageError: some are missing, or of other sizes.

    """
    state = {_bare(name): tensor.float() for name, tensor in state.items()}
    try:
        missing, unused = net.load_state_dict(state, strict=False)
    except RuntimeError as error:
        words = str(error).splitlines()
        raise UsageError(f"sylber: {url} has weights of other sizes: {words[1].strip()}") from error
    if lacking := sorted(set(missing) - _UNUSED):
        raise UsageError(
            f"sylber: {url} lacks {len(lacking)} of the weights of this HuBERT, such as"
            f" {lacking[0]}; give Sylber's own or a HuBERT-base's"
        )
    return sorted(set(unused) - _UNUSED)


def _bare(name: str) -> str:
    return next(
        (name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name
    )
