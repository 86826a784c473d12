"""Linear probes: how well labels can be told by features that were not trained on them.

Where there are features of several layers, a sum of them is probed whose weights are learnt with
the classifier, as in SUPERB (https://arxiv.org/abs/2105.01051).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
"""Takes audio [B, N] at 16 kHz and its lengths [B]; returns vectors a clip, [B, L, D]."""


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


@contextmanager
def heard_of(parts: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Collect what parts of a model give while it runs."""
    found: list[Tensor] = []
    hooks = [part.register_forward_hook(lambda *given: found.append(given[2])) for part in parts]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def pooled(frames_BTD: Tensor) -> Tensor:
    """Return mean and standard deviation over time, [B, 2 D]."""
    return torch.cat([frames_BTD.mean(1), frames_BTD.std(1, unbiased=False)], 1)


def embed_all(clips: Sequence[Tensor], embed: Embed) -> Floats:
    """Return vectors a clip, [N, L, D]."""
    with torch.inference_mode():
        rows = [embed(clip[None], torch.tensor([len(clip)]))[0] for clip in clips]
    found: Floats = torch.stack(rows).float().numpy()
    return found


def log_mel(audio_BN: Tensor, _: Tensor) -> Tensor:
    """Pool what the models hear: 128 log-mel bands."""
    return pooled(normalised_fbank(audio_BN[0])[None])[:, None]


def probe(
    features: Floats,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    splits: int = SPLITS,
) -> Floats:
    """Return the mean recall over labels on what each split holds out, [splits].

    Splits are the same for the same labels, so that features can be compared split by split.

    Args:
        features: [N, L, D], of L layers.
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
    told = _fit(x[~held], y[~held], int(y.max()) + 1)
    right = told(x[held]).argmax(1) == y[held]
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


class Probe(nn.Module):
    """A linear layer over a weighted sum of layers, [N, L, D] -> [N, labels]."""

    def __init__(self, layers: int, width: int, labels: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.zeros(layers))
        self.linear = nn.Linear(width, labels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x_NLD: Tensor) -> Tensor:
        """Return logits."""
        return self.linear(torch.einsum("nld,l->nd", x_NLD, self.shares.softmax(0)))  # type: ignore[no-any-return]


def _fit(x: Tensor, y: Tensor, labels: int) -> Callable[[Tensor], Tensor]:
    """Fit a logistic regression with equal weight for each label."""
    told = Probe(x.shape[1], x.shape[2], labels)
    weights = 1 / torch.bincount(y, minlength=labels).clamp(min=1)
    optimizer = torch.optim.LBFGS(
        told.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(told(x), y, weight=weights)
        loss = loss + PENALTY * told.linear.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return torch.no_grad()(told)


def compare(found: Mapping[str, Floats], better: str, worse: str) -> dict[str, float]:
    """Say how two kinds of features differ over the same splits."""
    difference = found[better] - found[worse]
    return {
        "difference": round(float(difference.mean()), 4),
        "standard_error": round(float(difference.std(ddof=1) / len(difference) ** 0.5), 4),
        "splits_won": int((difference > 0).sum()),
        "splits": len(difference),
    }
