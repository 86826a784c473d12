"""Linear probes: how well labels can be told by features that were not trained on them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.loader import ShardLoader
from wavemill.tokenizers.beats_fbank import normalised_fbank

LEAST_FILES = 5
"""Labels of fewer files are left out."""
SPLITS = 40
HELD_OUT = 0.4
PENALTY = 1e-3
ITERATIONS = 60

Floats = npt.NDArray[np.float32]
Embed = Callable[[Tensor, Tensor], Tensor]
"""Takes audio [B, N] at 16 kHz and its lengths [B]; returns a vector a clip, [B, D]."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Clips of a prepared dataset, with labels."""

    audio: list[Tensor]
    labels: list[str]


def read_labelled(prepared: Path, field: str) -> Labelled:
    """Read the clips whose label enough files have."""
    loader = ShardLoader(
        str(prepared), streams=[], audio=True, sample_rate=16_000, cuts=True, batch_size=1
    )
    found = []
    for batch in loader:
        assert batch.audio is not None
        assert batch.cuts is not None
        found.append((batch.keys[0], batch.cuts[0]["custom"][field], batch.audio[0].clone()))
    found.sort(key=lambda each: each[0])
    counts = Counter(label for _, label, _ in found)
    kept = [each for each in found if counts[each[1]] >= LEAST_FILES]
    return Labelled(audio=[audio for _, _, audio in kept], labels=[label for _, label, _ in kept])


def embed_all(clips: Sequence[Tensor], embed: Embed) -> Floats:
    """Return a vector a clip, [N, D]."""
    with torch.inference_mode():
        rows = [embed(clip[None], torch.tensor([len(clip)]))[0] for clip in clips]
    found: Floats = torch.stack(rows).float().numpy()
    return found


def log_mel(audio_BN: Tensor, _: Tensor) -> Tensor:
    """Mean and standard deviation over time of what the models hear: 128 log-mel bands."""
    fbank_BFM = normalised_fbank(audio_BN[0])[None]
    return torch.cat([fbank_BFM.mean(1), fbank_BFM.std(1, unbiased=False)], 1)


def probe(
    features: Floats,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    splits: int = SPLITS,
) -> Floats:
    """Return the mean recall over labels on what each split holds out, [splits].

    Splits are the same for the same labels, so that features can be compared split by split.

    Args:
        features: [N, D].
        labels: of each.
        groups: what each is of; then whole groups are held out, not a share of each label.
        splits: how many.

    """
    y = torch.from_numpy(np.unique(np.array(labels), return_inverse=True)[1])
    x, found = torch.from_numpy(features), []
    for seed in range(splits):
        held = _held_out(y.numpy(), seed) if groups is None else _held_groups(groups, seed)
        found.append(_recall(x, y, held))
    return np.array(found, np.float32)


def _recall(x: Tensor, y: Tensor, held: Tensor) -> float:
    mean, std = x[~held].mean(0), x[~held].std(0) + 1e-5
    x = (x - mean) / std
    weight, bias = _fit(x[~held], y[~held], int(y.max()) + 1)
    right = (x[held] @ weight.T + bias).argmax(1) == y[held]
    recalls = [right[y[held] == label].float().mean() for label in y[held].unique()]
    return float(torch.stack(recalls).mean())


def _held_out(y: npt.NDArray[np.int64], seed: int) -> Tensor:
    """Hold out a share of each label's files, drawn by a seed."""
    dice = np.random.default_rng(seed)
    held = np.zeros(len(y), bool)
    for label in np.unique(y):
        places = dice.permutation(np.flatnonzero(y == label))
        held[places[: max(round(len(places) * HELD_OUT), 1)]] = True
    return torch.from_numpy(held)


def _held_groups(groups: Sequence[str], seed: int) -> Tensor:
    """Hold out a share of the groups, drawn by a seed."""
    names, which = np.unique(np.array(groups), return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(names))[: round(len(names) * HELD_OUT)]
    return torch.from_numpy(np.isin(which, drawn))


def _fit(x: Tensor, y: Tensor, labels: int) -> tuple[Tensor, Tensor]:
    """Fit a logistic regression with equal weight for each label."""
    layer = nn.Linear(x.shape[1], labels)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    weights = 1 / torch.bincount(y, minlength=labels).clamp(min=1)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(layer(x), y, weight=weights)
        loss = loss + PENALTY * layer.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return layer.weight.detach(), layer.bias.detach()


def compare(found: Mapping[str, Floats], better: str, worse: str) -> dict[str, float]:
    """Say how two kinds of features differ over the same splits."""
    difference = found[better] - found[worse]
    return {
        "difference": round(float(difference.mean()), 4),
        "standard_error": round(float(difference.std(ddof=1) / len(difference) ** 0.5), 4),
        "splits_won": int((difference > 0).sum()),
        "splits": len(difference),
    }
