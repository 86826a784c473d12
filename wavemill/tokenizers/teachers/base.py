"""The teacher contract: facts, and features of one clip at a time.

A teacher is deterministic: a clip's features depend on the clip alone, in every process. Encoders
run on one thread for that: their sums are of float32, which another number of threads rounds
otherwise, and a job's processes are many.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place

Clip = npt.NDArray[np.float32]
"""Mono, [N] float32 in [-1, 1]."""
Features = npt.NDArray[np.float32]
"""[T, D] float32, C-contiguous."""


@dataclass(frozen=True, kw_only=True)
class TeacherFacts:
    """What has to be known of features."""

    kind: str
    """The teacher's name in the table."""
    sample_rate: int
    """Of the audio it takes, in Hz."""
    frame_rate: float
    """Features a second, nominally."""
    dim: int
    digest: str
    """Changes when the features can: of the weights and of every setting."""
    window_seconds: float | None
    """Longer clips are cut; None: clips of any length are heard whole."""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Which teacher."""

    name: str = "logmel"
    model: str | None = None
    """A folder, a file or a hub name, as the teacher takes it."""
    layer: int | None = None
    """The k-th transformer layer's output; None for the encoder's."""

    def __post_init__(self) -> None:
        """Check types too, since a config.json can hold anything."""
        if not isinstance(self.name, str):
            raise UsageError(f"teacher: the name must be text; got {self.name!r}")
        if not isinstance(self.model, str | None):
            raise UsageError(f"teacher {self.name}: the model must be text; got {self.model!r}")
        if self.layer is not None and (not isinstance(self.layer, int) or self.layer < 0):
            raise UsageError(f"teacher {self.name}: layer={self.layer!r} must be 0 or more")

    def required_model(self, what: str) -> str:
        """Return the model.

        Raises:
            UsageError: none was given; `what` says what is wanted.

        """
        if self.model is None:
            raise UsageError(f"teacher {self.name} needs a model: give teacher_model=, {what}")
        return self.model


@runtime_checkable
class Teacher(Protocol):
    """Turns audio into features."""

    packages: ClassVar[tuple[str, ...]]
    """What it imports beyond wavemill's own requirements."""
    extra: ClassVar[str]
    """The extra of wavemill that brings them."""
    config: TeacherConfig
    facts: TeacherFacts
    place: Place
    """Where it runs; no part of the facts: a model is of whatever its teacher's features are."""

    def features(self, clip: Clip) -> Features:
        """Compute the features of one clip.

        Args:
            clip: [N] at `facts.sample_rate`; N >= 1.

        Returns:
            [T, D] float32 with T >= 1.

        """
        ...


def check_layer(config: TeacherConfig, layers: int) -> None:
    """Refuse a layer that an encoder of so many layers does not have."""
    if config.layer is not None and config.layer > layers:
        raise UsageError(
            f"teacher {config.name}: layer={config.layer}, but {config.model} has {layers}"
        )
