"""BEATs' transformer encoder, of its models and of its later tokenizers.

The network is that of the `openbeats` package, and the checkpoints are those that Microsoft and
OpenBEATs published, `{cfg, model}`. Only tensors and plain values are read: nothing in a file is
run.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.beats_fbank import (
    FBANK_MEAN,
    FBANK_STD,
    PATCH,
    PATCHES_A_STEP,
    STEP_SECONDS,
    normalised_fbank,
)
from wavemill.tokenizers.checkpoints import digest_tensors, find_model, read_checkpoint
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import Clip, Features
from wavemill.tokenizers.teachers.windows import in_windows
from wavemill.tokenizers.threads import torch_threads

WINDOW_STEPS = 180
CONTEXT_STEPS = 30
WINDOW_SECONDS = WINDOW_STEPS * STEP_SECONDS
_MODEL_FILES = (".pt", ".pth", ".ckpt")
# What cfg says of the computation beyond what the tensors' shapes do.
_ARCHITECTURE = (
    "activation_fn", "conv_pos", "conv_pos_groups", "deep_norm", "encoder_attention_heads",
    "encoder_layers", "gru_rel_pos", "layer_norm_first", "max_distance", "num_buckets",
    "relative_position_embedding",
)  # fmt: skip


class BeatsCheckpoint:
    """A checkpoint's settings and tensors."""

    def __init__(self, model: str, what: str) -> None:
        """Read a file, the only one of a folder, or a model of the hub.

        Raises:
            UsageError: there is none, or it is no BEATs checkpoint, or reading it would run code.

        """
        self.what = what
        self.url = model if "://" in model else _file_of(find_model(model, what), what)
        content = read_checkpoint(self.url)
        cfg, state = content.get("cfg"), content.get("model")
        if not isinstance(cfg, Mapping) or not isinstance(state, Mapping):
            raise UsageError(
                f"{what}: {self.url} is no BEATs checkpoint: it lacks the 'cfg' and 'model' of"
                " Microsoft's files"
            )
        self.cfg: dict[str, Any] = dict(cfg)
        self.state = _without_prefix(state)

    def tensor(self, name: str) -> Tensor:
        """Take a tensor in float32.

        Raises:
            UsageError: there is none.

        """
        if name not in self.state:
            raise UsageError(f"{self.what}: {self.url} lacks {name}")
        return self.state[name].float()


def _file_of(path: str, what: str) -> str:
    if not Path(path).is_dir():
        return path
    files = sorted(str(file) for file in Path(path).rglob("*") if file.suffix in _MODEL_FILES)
    if len(files) != 1:
        raise UsageError(f"{what}: {path} has {len(files)} checkpoints: name the file")
    return files[0]


def _without_prefix(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Take the tensors; ESPnet's models have theirs below 'encoder.'."""
    nested = "encoder.patch_embedding.weight" in state
    return {
        name.removeprefix("encoder.") if nested else name: part
        for name, part in state.items()
        if isinstance(part, Tensor)
    }


class BeatsEncoder:
    """Turns a clip into features, 8 every 160 ms, low frequencies first.

    A clip shorter than a patch (175 ms) is filled with silence; what is left after the last whole
    step has no features. Of clips longer than 28.8 s windows of 28.8 s are heard, of which the
    middle 19.2 s count.
    """

    def __init__(self, checkpoint: BeatsCheckpoint, place: Place, layer: int | None = None) -> None:
        """Build the network and load its weights; `layer` as of a teacher.

        Raises:
            UsageError: the weights are not those of the encoder that `cfg` describes.

        """
        self._net = _build(checkpoint)
        layers = len(self._net.encoder.layers)
        if layer is not None:
            if layer > layers:
                raise UsageError(
                    f"{checkpoint.what}: layer={layer}, but {checkpoint.url} has {layers}"
                )
            self._net.encoder.layers = self._net.encoder.layers[:layer]
        self._layer = layer
        self._mean = float(checkpoint.cfg.get("fbank_mean", FBANK_MEAN))
        self._std = float(checkpoint.cfg.get("fbank_std", FBANK_STD))
        self.dim: int = self._net.output_size()
        self._place = place
        self._net.to(place.device)

    @property
    def digest(self) -> str:
        """Digest weights and settings."""
        settings = {name: getattr(self._net.config, name) for name in _ARCHITECTURE}
        fbank = [self._mean, self._std]
        return digest([digest_tensors(self._net.state_dict()), settings, fbank, self._layer])

    def features(self, clip: Clip) -> Features:
        """Compute the encoder's output, or its layer's, [T, D] float32."""
        with torch_threads(1), self._place.running():
            with self._place.exact():
                fbank_FM = normalised_fbank(self._place.tensor(clip), self._mean, self._std)

            def encode(start: int, stop: int) -> Features:
                return self._encode(fbank_FM[start * PATCH : stop * PATCH])

            steps = len(fbank_FM) // PATCH
            return in_windows(steps, WINDOW_STEPS, CONTEXT_STEPS, encode, PATCHES_A_STEP)

    def _encode(self, fbank_FM: Tensor) -> Features:
        net = self._net
        patches_1DSP = net.patch_embedding(fbank_FM[None, None])
        x_1TD = net.layer_norm(patches_1DSP.flatten(2).transpose(1, 2))
        if net.post_extract_proj is not None:
            x_1TD = net.post_extract_proj(x_1TD)
        # A layer's output is taken before the norm that ends a pre-norm encoder.
        run = net.encoder if self._layer is None else net.encoder.extract_features
        features: Features = run(x_1TD)[0][0].float().contiguous().cpu().numpy()
        return features


def _build(checkpoint: BeatsCheckpoint) -> Any:
    """Build the `openbeats` encoder with a checkpoint's weights, all of them."""
    package = require("openbeats.beats_encoder", "units", checkpoint.what)
    cfg = {**checkpoint.cfg, "use_flash_attn": False}
    if cfg.get("input_patch_size", PATCH) != PATCH:
        raise UsageError(f"{checkpoint.what}: {checkpoint.url} does not take patches of 16 x 16")
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore", FutureWarning)  # of the old weight norm
            net = package.BeatsEncoder(input_size=0, beats_config=cfg)
        report = net.load_state_dict(checkpoint.state, strict=False)
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError) as error:
        words = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{checkpoint.what}: {checkpoint.url} does not fit its own cfg: {words}"
        ) from error
    # The two convolutions for padding masks have no weights in a checkpoint.
    missing = [name for name in report.missing_keys if "_pad." not in name]
    if missing:
        raise UsageError(
            f"{checkpoint.what}: {checkpoint.url} lacks {len(missing)} tensors, {missing[0]} first"
        )
    return net.eval()
