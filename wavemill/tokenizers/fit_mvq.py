"""Fitting a direct-sum quantizer.

The recipe is that of the `multi_quantization` package (Guo et al., arXiv 2211.00508): first 2N
codebooks of 16 entries; then their pairwise sums become N codebooks of 256, which go on at half the
learning rate. The same frames, settings and thread count give the same weights.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from torch import Tensor

from wavemill import storage
from wavemill.errors import JobError, UsageError
from wavemill.specs import MAX_SEED, check_range
from wavemill.tokenizers.quantizer import DirectSumQuantizer
from wavemill.tokenizers.quantizer_files import CONFIG_FILE, WEIGHTS_FILE, FeatureQuantizer
from wavemill.tokenizers.refinement import Tables, refine
from wavemill.tokenizers.reservoir import FrameReservoir, Frames
from wavemill.tokenizers.teachers.base import Teacher, TeacherConfig
from wavemill.tokenizers.teachers.fitted import describe
from wavemill.tokenizers.teachers.table import make_teacher
from wavemill.tokenizers.threads import torch_threads

MIN_FRAMES = 2000
"""20 s; with less, 256 entries a codebook learn frames by heart."""
_HELD_OUT = 0.05
_MAX_HELD_OUT_FRAMES = 10_000
_LIMITS = {
    "iterations": 10_000_000,
    "batch_frames": 1_000_000,
    "max_frames": 100_000_000,
    "threads": 1024,
    "learning_rate": 1.0,
}
_SMALLEST_STD = 1e-3  # of log-mel bands that never change, such as those above 4 kHz

Progress = Callable[[int, int, float], None]
"""Called now and then with the iterations done, all iterations, and the relative error."""


@dataclass(frozen=True, kw_only=True)
class FitMvqConfig:
    """How to fit. The defaults take about two minutes for 80 dimensions on one core."""

    codebooks: int = 4
    """Bytes a frame: 1, 2, 4, ... 32."""
    iterations: tuple[int, int] = (3000, 3000)
    """Of the first and the second phase; wider features want more (20,000 for 512 dimensions)."""
    batch_frames: int = 600
    learning_rate: float = 0.005
    seed: int = 0
    max_frames: int = 200_000
    """How many frames `fit_from_clips` keeps of its clips, by an even draw."""
    threads: int = 1
    """Another number may round sums otherwise, and so give other weights."""

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.codebooks not in (1, 2, 4, 8, 16, 32):
            raise UsageError(f"codebooks={self.codebooks} must be 1, 2, 4, 8, 16 or 32")
        if not 4 <= min(self.iterations) <= max(self.iterations) <= _LIMITS["iterations"]:
            raise UsageError(
                f"iterations={self.iterations}: each phase takes 4 or more, and"
                f" {_LIMITS['iterations']} at most"
            )
        for name in ("batch_frames", "max_frames", "threads", "learning_rate"):
            if not 0 < (value := getattr(self, name)) <= _LIMITS[name]:
                raise UsageError(f"{name}={value} must be more than 0 and at most {_LIMITS[name]}")
        check_range("seed", self.seed, 0, MAX_SEED)


class FittedMvq(NamedTuple):
    """What a fit gives."""

    quantizer: DirectSumQuantizer
    mean: Tensor
    """[D] float32, of the features."""
    std: Tensor
    """[D] float32."""
    report: dict[str, Any]
    """What config.json says of it."""


def relative_error(quantizer: DirectSumQuantizer, x: Tensor, refinements: int) -> float:
    """Compute the summed squared error of frames [B, D] over that of their mean."""
    with torch.no_grad():
        error = quantizer.decode(quantizer.encode(x, refinements)) - x
        return float(error.square().sum() / (x - x.mean(dim=0)).square().sum())


def _loss(quantizer: DirectSumQuantizer, x: Tensor, refinements: int) -> tuple[Tensor, float]:
    """Compute the loss of frames [B, D], and its first term, the relative error."""
    logits = quantizer.logits(x)
    tables = Tables.of(quantizer.scaled_centers())
    with torch.no_grad():
        ids = refine(tables, x, logits.argmax(dim=2), refinements)
    data_mean = quantizer.scaled_centers().mean(dim=1).sum(dim=0).detach()
    spread = (x - data_mean).square().sum() + 1e-20
    reconstruction = (quantizer.decode(ids) - x).square().sum() / spread
    log_probs = logits.log_softmax(dim=2)
    prediction = -log_probs.gather(2, ids[..., None]).mean()
    used = log_probs.exp().mean(dim=0) + 1e-20
    entropy = -(used * used.log()).sum(dim=1).mean()
    unevenness = 1 - entropy / math.log(quantizer.codebook_size)
    return reconstruction + prediction + 0.01 * unevenness, float(reconstruction.detach())


def _run_phase(
    quantizer: DirectSumQuantizer,
    x: Tensor,
    config: FitMvqConfig,
    generator: torch.Generator,
    phase: int,
    progress: Progress | None,
) -> None:
    steps, done = config.iterations[phase], sum(config.iterations[:phase])
    rate = config.learning_rate / 2**phase
    optimizer = torch.optim.Adam(
        quantizer.parameters(), lr=rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=1e-6
    )
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=steps // 4, gamma=0.5)
    for step in range(1, steps + 1):
        batch = x[torch.randint(len(x), (config.batch_frames,), generator=generator)]
        refinements = 1 + int(torch.randint(2, (), generator=generator))
        loss, error = _loss(quantizer, batch, refinements)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if progress and (step % 50 == 0 or step == steps):
            progress(done + step, sum(config.iterations), error)


@torch.no_grad()
def _join_codebooks(quantizer: DirectSumQuantizer) -> DirectSumQuantizer:
    """Make N codebooks of K entries into N/2 of K^2: all sums of two neighbours' entries."""
    half, size, dim = quantizer.num_codebooks // 2, quantizer.codebook_size, quantizer.dim

    def pairs(part: Tensor, width: int) -> Tensor:
        split = part.view(half, 2, size, width)
        return split[:, 0, :, None] + split[:, 1, None, :]

    joined = DirectSumQuantizer(dim, half, size * size, torch.Generator())
    joined.centers.copy_(pairs(quantizer.centers, dim).view(half, size * size, dim))
    joined.to_logits.weight.copy_(pairs(quantizer.to_logits.weight, dim).view(-1, dim))
    joined.to_logits.bias.copy_(pairs(quantizer.to_logits.bias, 1).view(-1))
    joined.logits_scale.copy_(quantizer.logits_scale)
    joined.centers_scale.copy_(quantizer.centers_scale)
    return joined


def _split(frames: Frames, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shuffle frames and hold some out: (training, held out)."""
    order = torch.randperm(len(frames), generator=generator).numpy()
    held_out = min(_MAX_HELD_OUT_FRAMES, int(len(frames) * _HELD_OUT))
    shuffled = torch.from_numpy(frames[order])
    return shuffled[held_out:], shuffled[:held_out]


def fit_mvq(frames: Frames, config: FitMvqConfig, progress: Progress | None = None) -> FittedMvq:
    """Fit a quantizer of features.

    Args:
        frames: [F, D] float32.
        config: how.
        progress: called every 50 iterations.

    Returns:
        The quantizer, mean and std, and a report with the relative error of 5 % of the frames,
        which were held out, after 0, 1 and 5 refinements.

    Raises:
        JobError: there are fewer than `MIN_FRAMES` frames, some are not finite, or all the same.

    """
    if len(frames) < MIN_FRAMES:
        raise JobError(f"{len(frames)} frames are too few to fit mvq: give {MIN_FRAMES} or more")
    if not np.isfinite(frames).all():
        raise JobError("cannot fit mvq: some frames are not finite")
    with torch_threads(config.threads):
        generator = torch.Generator().manual_seed(config.seed)
        train, held_out = _split(frames, generator)
        mean = train.double().mean(dim=0).float()
        std = train.double().std(dim=0).clamp(min=_SMALLEST_STD).float()
        train, held_out = (train - mean) / std, (held_out - mean) / std
        quantizer = DirectSumQuantizer(train.shape[1], 2 * config.codebooks, 16, generator)
        _run_phase(quantizer, train, config, generator, 0, progress)
        quantizer = _join_codebooks(quantizer)
        _run_phase(quantizer, train, config, generator, 1, progress)
        quantizer.stamp()
        errors = {str(n): round(relative_error(quantizer, held_out, n), 4) for n in (0, 1, 5)}
    if not all(map(math.isfinite, errors.values())):
        raise JobError("mvq does not fit these frames: they are all the same; give other audio")
    settings = asdict(config)
    del settings["max_frames"]  # the draw's, not the fit's
    report = {
        **settings,
        "dim": quantizer.dim,
        "codebook_size": quantizer.codebook_size,
        "id": quantizer.id,
        "fitted_frames": len(train),
        "held_out_frames": len(held_out),
        "relative_error": errors,
    }
    return FittedMvq(quantizer, mean, std, report)


def fit_from_clips(
    clips: Iterable[npt.NDArray[np.float32]],
    config: FitMvqConfig,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
) -> FittedMvq:
    """Fit a quantizer of a teacher's features on a stream of clips [N] float32; see `fit_mvq`.

    Memory is bounded by `config.max_frames` and the longest clip. Without a teacher it is log-mel,
    and the clips are mono at 16 kHz.
    """
    teacher = teacher or make_teacher(TeacherConfig())
    reservoir = FrameReservoir(config.max_frames, config.seed)
    for clip in clips:
        reservoir.add(teacher.features(clip))
    fitted = fit_mvq(reservoir.frames(), config, progress)
    fitted.report.update(describe(teacher), seen_frames=reservoir.seen)
    return fitted


def save_model(folder: str, fitted: FittedMvq) -> None:
    """Write a model that `MvqConfig.model` takes: config.json, then model.safetensors."""
    model = FeatureQuantizer(fitted.quantizer, fitted.mean, fitted.std)
    storage.write_text(
        storage.join(folder, CONFIG_FILE), [json.dumps(fitted.report, indent=2, sort_keys=True)]
    )
    storage.write_bytes(storage.join(folder, WEIGHTS_FILE), safetensors.torch.save(model.state()))
