"""Encoders of the transformers package: found, loaded whole or not at all, and cut at a layer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.packages import require
from wavemill.tokenizers.checkpoints import digest_tensors, find_model, quiet_transformers
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import TeacherConfig

# What a config.json says of the file and of the package that wrote it, but not of the features.
_VOLATILE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


class Pretrained:
    """A model of the transformers package, in float32 and ready to run."""

    def __init__(
        self, config: TeacherConfig, place: Place, types: tuple[str, ...], part: str = ""
    ) -> None:
        """Load a folder, or a model of the hub.

        Args:
            config: names the model.
            place: where it shall run.
            types: the `model_type`s that are wanted.
            part: of the model's tensors those that begin so must all be there.

        Raises:
            UsageError: there is none, it is of another type, or a tensor is missing or misshapen.

        """
        what = f"teacher {config.name}"
        self.package = require("transformers", "codecs", what)
        self.folder = find_model(config.required_model("a folder or the name on the hub"), what)
        with _one_line(what, self.folder), quiet_transformers(self.package):
            self.config = self.package.AutoConfig.from_pretrained(
                self.folder, trust_remote_code=False
            )
            if self.config.model_type not in types:
                raise UsageError(
                    f"{what}: {self.folder} holds a model of type {self.config.model_type!r},"
                    f" not {' or '.join(types)}"
                )
            self.model, report = self.package.AutoModel.from_pretrained(
                self.folder,
                config=self.config,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=False,
            )
        self.model.eval().to(place.device)
        # Masks are used in training alone; fine-tuned checkpoints leave them out.
        missing = [
            name
            for name in sorted(report["missing_keys"])
            if name.startswith(part) and name != "masked_spec_embed"
        ]
        if missing:
            raise UsageError(
                f"{what}: {self.folder} lacks {len(missing)} tensors of a"
                f" {self.config.model_type}, {missing[0]} first"
            )

    def feature_extractor(self) -> Any:
        """Load what prepares the audio, from the preprocessor_config.json beside the weights."""
        with _one_line("feature extractor", self.folder), quiet_transformers(self.package):
            return self.package.AutoFeatureExtractor.from_pretrained(
                self.folder, trust_remote_code=False
            )

    def settings(self) -> dict[str, Any]:
        """Return what config.json sets otherwise than the package does."""
        values: dict[str, Any] = json.loads(self.config.to_json_string(use_diff=True))
        return {name: value for name, value in values.items() if name not in _VOLATILE}


@contextmanager
def _one_line(what: str, folder: str) -> Iterator[None]:
    """Turn whatever transformers raises into one line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # it raises what its many readers do
        words = next((line for line in str(error).splitlines() if line.strip()), "")
        name = type(error).__name__
        raise UsageError(
            f"{what}: {folder} cannot be loaded ({name}: {words.strip()[:200]}); give a"
            " folder that save_pretrained wrote, with its preprocessor_config.json"
        ) from error


def cut_at_layer(encoder: Any, layer: int | None, *, norm_ends: bool) -> None:
    """Take away the layers above `layer`, and the norm that ends the encoder if there is one."""
    if layer is None:
        return
    encoder.layers = encoder.layers[:layer]
    if norm_ends:
        encoder.layer_norm = nn.Identity()


def features_digest(model: nn.Module, **settings: Any) -> str:
    """Digest weights and settings."""
    return digest({"weights": digest_tensors(model.state_dict()), **settings})
