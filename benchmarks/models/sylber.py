"""Train the small presets of `sylber`, and see how well syllables are found.

    python benchmarks/models/sylber.py [--work DIR]    # as root once: espeak-ng must be installed

Synthetic speech whose syllables are known (`espeak`), a tenth of the samples held out; training is
told nothing of them. Boundaries count as found within 50 ms (`benchmarks/syllables.py`). The score
is the F1 on held-out samples of the segmentation of the student's features after all stages; the
baseline that of its features before. Thresholds of norms and of cosines are, for each of them, what
does best on samples of the training part. Beside them: after stage 1, the hills of loudness that
stage 1 is taught by, and as many boundaries evenly spread.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import corpora
from syllables import RATE, Score, Utterance

from wavemill.commands.prepare import prepare
from wavemill.commands.train import train
from wavemill.loader import ShardLoader
from wavemill.loader.split import Split
from wavemill.models.recipe import DataFacts
from wavemill.models.sylber.bands import FIELD, HOP
from wavemill.models.sylber.model import SylberModel
from wavemill.models.sylber.segments import of_loudness
from wavemill.models.table import make_recipe
from wavemill.models.training.run import load_run
from wavemill.tokenizers.syllables import find_syllables

CORPUS, HELD_OUT = "espeak", 0.1
TUNED = 40
"""Samples of the training part that thresholds are chosen by."""
NORMS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Thresholds that are tried, of the 95th percentile of norms."""
COSINES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)

Features = list[npt.NDArray[np.float32]]


def prepared(work: Path) -> Path:
    """Make the dataset, unless it is there."""
    corpus, out = work / "corpora" / CORPUS, work / "sylber-data"
    corpora.build(CORPUS, corpus)
    words = [corpus / "manifest.jsonl", "--out", out, "--quiet"]
    prepare.main(args=list(map(str, words)), standalone_mode=False)
    return out


def trained(data: Path, run: Path, preset: str, *more: object) -> float:
    """Train a preset, and return how long it took."""
    words = ["sylber", "--preset", preset, "--data", data, "--out", run, "--restart",
             "--held-out", HELD_OUT, "--device", "cpu", "--quiet", *more]  # fmt: skip
    started = time.perf_counter()
    train.main(args=list(map(str, words)), standalone_mode=False)
    return time.perf_counter() - started


def utterances(data: Path, *, held_out: bool) -> Iterator[Utterance]:
    """Yield the samples of either part, with their known syllables."""
    split = Split(share=HELD_OUT, held_out=held_out)
    loader = ShardLoader(
        str(data), streams=[], audio=True, sample_rate=RATE, cuts=True, batch_size=1, split=split
    )
    for batch in loader:
        assert batch.audio is not None
        assert batch.cuts is not None
        yield Utterance(batch.audio[0].numpy(), np.array(batch.cuts[0]["custom"]["syllables"]))


def score(cases: list[Utterance], spans: Callable[[int], npt.NDArray[Any]]) -> Score:
    """Add up how well spans, in frames, fit the known syllables."""
    total = Score()
    for number, case in enumerate(cases):
        edges = (spans(number) * HOP + (FIELD - HOP) / 2) / RATE
        total.add(case, edges)
    return total


def features(model: SylberModel, cases: list[Utterance]) -> Features:
    """Return the student's features of samples."""
    found = []
    for case in cases:
        clip = torch.from_numpy(case.clip)[None]
        found.append(model.features(clip, torch.tensor([clip.shape[1]]))[0].numpy())
    return found


def found_by(model: SylberModel, tuned: list[Utterance], held: list[Utterance]) -> dict[str, float]:
    """Choose thresholds by some samples, and return the F1 on others."""

    def f1(cases: list[Utterance], made: Features, norm: float, merge: float) -> float:
        return score(
            cases,
            lambda number: find_syllables(made[number], norm_threshold=norm, merge_threshold=merge),
        ).f1

    made = features(model, tuned)
    high = float(np.quantile(np.concatenate([np.linalg.norm(one, axis=1) for one in made]), 0.95))
    pairs = list(itertools.product([high * share for share in NORMS], COSINES))
    norm, merge = max(pairs, key=lambda pair: f1(tuned, made, *pair))
    return {
        "f1": f1(held, features(model, held), norm, merge),
        "norm_threshold": norm,
        "merge_threshold": merge,
    }


def hills(cases: list[Utterance]) -> float:
    """Return the F1 of hills of loudness."""

    def spans(number: int) -> npt.NDArray[Any]:
        clip = torch.from_numpy(cases[number].clip)[None]
        frames = torch.tensor([(clip.shape[1] - FIELD) // HOP + 1])
        ids = np.pad(of_loudness(clip, frames)[0].numpy(), 1)
        edges = np.flatnonzero(np.diff(ids))
        inside = [(a, b) for a, b in itertools.pairwise(edges) if ids[a + 1]]
        return np.array(inside).reshape(-1, 2)

    return score(cases, spans).f1


def evenly(cases: list[Utterance]) -> float:
    """Return the F1 of as many boundaries as there are, evenly spread."""
    total = Score()
    for case in cases:
        edges = np.linspace(0, len(case.clip) / RATE, len(np.unique(case.syllables)))
        total.add(case, np.stack([edges[:-1], edges[1:]], axis=1))
    return total.f1


def start() -> SylberModel:
    """Return the model as training begins with it."""
    recipe = make_recipe("sylber", "small", [], DataFacts(streams={}, has_audio=True))
    torch.manual_seed(recipe.training["small"].seed)
    model = recipe.build().eval()
    assert isinstance(model, SylberModel)
    return model


def measure(work: Path) -> dict[str, Any]:
    """Train and compare.

    Args:
        work: a folder for the corpus, the dataset and the runs.

    """
    data = prepared(work)
    runs = {preset: work / f"sylber-{preset}" for preset in ("small-0", "small", "small-2")}
    seconds, before = 0.0, list[str]()
    for preset, run in runs.items():
        seconds += trained(data, run, preset, *before)
        before = ["--init", str(run)]
    tuned = list(itertools.islice(utterances(data, held_out=False), TUNED))
    held = list(utterances(data, held_out=True))
    begun = start()
    results = {"start": found_by(begun, tuned, held)}
    for name, run in zip(("stage 0", "stage 1", "stage 2"), runs.values(), strict=True):
        model = load_run(str(run)).build()
        assert isinstance(model, SylberModel)
        results[name] = found_by(model, tuned, held)
    return {
        "recipe": "sylber",
        "baseline": "the same before training",
        "score": round(results["stage 2"]["f1"], 3),
        "baseline_score": round(results["start"]["f1"], 3),
        "unit": "F1 of syllable boundaries",
        "seconds": round(seconds),
        "hills of loudness": hills(held),
        "evenly spread": evenly(held),
        "results": results,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Train sylber and score its syllables.")
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(json.dumps(measure(options.work), indent=1))


if __name__ == "__main__":
    main()
