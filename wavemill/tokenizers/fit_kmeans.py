"""Fitting k-means units of a teacher's features."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from wavemill import storage
from wavemill.errors import JobError, UsageError
from wavemill.tokenizers.faiss_kmeans import train_centroids
from wavemill.tokenizers.kmeans import CENTROIDS
from wavemill.tokenizers.nearest import Nearest
from wavemill.tokenizers.quantizer_files import CONFIG_FILE, WEIGHTS_FILE
from wavemill.tokenizers.reservoir import FrameReservoir, Frames
from wavemill.tokenizers.teachers.base import Clip, Teacher
from wavemill.tokenizers.teachers.fitted import describe
from wavemill.tokenizers.threads import torch_threads

MIN_FRAMES_A_UNIT = 2
_HELD_OUT = 0.05
_MAX_HELD_OUT_FRAMES = 10_000


@dataclass(frozen=True, kw_only=True)
class FitKmeansConfig:
    """How to fit."""

    units: int = 500
    """Centroids: 2 to 65,536."""
    iterations: int = 25
    restarts: int = 1
    """Starts from other frames; the best result stays."""
    seed: int = 0
    max_frames: int = 200_000
    """How many frames are kept of the audio, by an even draw."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 2 <= self.units <= 65536:
            raise UsageError(f"units={self.units} must be 2 to 65536")
        for name in ("iterations", "restarts", "max_frames"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)} must be 1 or more")
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed={self.seed} must be 0 to {2**31 - 1}")


class FittedKmeans(NamedTuple):
    """What a fit gives."""

    centroids: Tensor
    """[K, D] float32."""
    report: dict[str, Any]
    """What config.json says of it."""


def fit_kmeans(frames: Frames, config: FitKmeansConfig) -> FittedKmeans:
    """Fit centroids of features.

    Args:
        frames: [F, D] float32.
        config: how.

    Returns:
        The centroids, and a report with the relative error of 5 % of the frames, which were held
        out, and how many units they use.

    Raises:
        JobError: there are too few frames for so many units, or some are not finite.
        UsageError: faiss is not installed.

    """
    held_out = min(_MAX_HELD_OUT_FRAMES, int(len(frames) * _HELD_OUT))
    least = MIN_FRAMES_A_UNIT * config.units
    if len(frames) - held_out < least:
        raise JobError(
            f"{len(frames)} frames are too few to fit {config.units} units, which take"
            f" {least} beside the 5 % held out: give more audio or ask for fewer units"
        )
    if not np.isfinite(frames).all():
        raise JobError("cannot fit kmeans: some frames are not finite")
    shuffled = frames[np.random.default_rng(config.seed).permutation(len(frames))]
    train, rest = shuffled[held_out:], shuffled[:held_out]
    found = train_centroids(
        train,
        config.units,
        iterations=config.iterations,
        seed=config.seed,
        restarts=config.restarts,
        what="fitting kmeans",
    )
    centroids = torch.from_numpy(found)
    report = {
        "kind": "kmeans",
        **asdict(config),
        "dim": train.shape[1],
        "fitted_frames": len(train),
        "held_out_frames": len(rest),
        **_measure(centroids, torch.from_numpy(rest if len(rest) else train)),
    }
    return FittedKmeans(centroids, report)


def _measure(centroids: Tensor, frames: Tensor) -> dict[str, Any]:
    """Say how well centroids stand for frames, and how many of them do."""
    with torch_threads(1):
        ids = Nearest(centroids).ids(frames)
        error = (centroids[ids] - frames).double().square().sum()
        spread = (frames - frames.mean(dim=0)).double().square().sum() + 1e-20
    return {
        "relative_error": round(float(error / spread), 4),
        "used_units": len(ids.unique()),
    }


def fit_from_clips(
    clips: Iterable[Clip], config: FitKmeansConfig, teacher: Teacher
) -> FittedKmeans:
    """Fit centroids on a stream of clips at the teacher's rate; see `fit_kmeans`.

    Memory is bounded by `config.max_frames` and the longest clip.
    """
    reservoir = FrameReservoir(config.max_frames, config.seed)
    for clip in clips:
        reservoir.add(teacher.features(clip))
    fitted = fit_kmeans(reservoir.frames(), config)
    fitted.report.update(describe(teacher), seen_frames=reservoir.seen)
    return fitted


def save_model(folder: str, fitted: FittedKmeans) -> None:
    """Write a model that `KmeansConfig.model` takes: config.json, then model.safetensors."""
    storage.write_text(
        storage.join(folder, CONFIG_FILE), [json.dumps(fitted.report, indent=2, sort_keys=True)]
    )
    content = safetensors.torch.save({CENTROIDS: fitted.centroids})
    storage.write_bytes(storage.join(folder, WEIGHTS_FILE), content)
