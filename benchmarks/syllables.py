"""Measure the segmenter of syllables: its boundaries against known ones.

    python benchmarks/corpora.py espeak --out build/corpora/espeak
    python benchmarks/syllables.py build/corpora/espeak [--hubert DIR]

The corpus is synthetic speech whose syllables are known. Features, each with thresholds of its own:

    ideal    one random vector a syllable, and noise: what the segmenter itself gets wrong
    log-mel  80 bands, every 10 ms; an untrained stand-in for an encoder
    hubert   of the checkpoint in DIR, such as benchmarks/random_models.py writes
    even     no features: as many boundaries as there are, evenly spread, for comparison

None of these is Sylber's encoder, so none of the figures is Sylber's. `tokenize.py` has its speed.
"""

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from wavemill.audio import resample
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.features import log_mel
from wavemill.tokenizers.sylber_encoder import SylberEncoder
from wavemill.tokenizers.syllables import find_syllables

RATE = 16_000
TOLERANCE_SECONDS = 0.05
"""As in published evaluations of syllable boundaries."""
Floats = npt.NDArray[np.float64]


class Utterance(NamedTuple):
    """A clip and its known syllables."""

    clip: npt.NDArray[np.float32]
    syllables: Floats
    """[S, 2] seconds."""


def read(corpus: Path, every: int) -> Iterator[Utterance]:
    """Read each `every`-th utterance."""
    for line in (corpus / "manifest.jsonl").read_text("utf-8").splitlines()[::every]:
        row = json.loads(line)
        audio, rate = soundfile.read(corpus / row["audio_filepath"], dtype="float32")
        yield Utterance(resample(audio, rate, RATE), np.array(row["syllables"]))


def matches(found: Floats, known: Floats) -> int:
    """Count the pairs of boundaries that lie close together, each used once."""
    i = j = pairs = 0
    while i < len(found) and j < len(known):
        if abs(found[i] - known[j]) <= TOLERANCE_SECONDS:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif found[i] < known[j]:
            i += 1
        else:
            j += 1
    return pairs


class Score:
    """Adds up boundaries found and known."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.hits = self.found = self.known = self.tokens = 0
        self.seconds = 0.0

    def add(self, utterance: Utterance, spans: Floats) -> None:
        """Add the spans [S, 2], in seconds, found in an utterance."""
        found, known = np.unique(spans), np.unique(utterance.syllables)
        self.hits += matches(found, known)
        self.found += len(found)
        self.known += len(known)
        self.tokens += len(spans)
        self.seconds += len(utterance.clip) / RATE

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.hits / max(self.found + self.known, 1)

    def line(self, name: str) -> str:
        """Write a row."""
        precision, recall = self.hits / max(self.found, 1), self.hits / max(self.known, 1)
        over = recall / max(precision, 1e-9) - 1
        r1 = np.hypot(1 - recall, over)
        r2 = (-over + recall - 1) / 2**0.5
        r_value = 1 - (abs(r1) + abs(r2)) / 2
        return (
            f"{name:20} F1 {100 * self.f1:5.1f}  precision {100 * precision:5.1f}  recall"
            f" {100 * recall:5.1f}  R {100 * r_value:6.1f}  {self.tokens / self.seconds:5.2f}/s"
        )


def ideal(utterance: Utterance, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw a vector a syllable, with a third as much noise, at 50 Hz; quiet elsewhere."""
    frames, dim = len(utterance.clip) // 320, 768
    features = 0.1 * random.standard_normal((frames, dim))
    for start, end in np.rint(utterance.syllables * 50).astype(int):
        features[start:end] = 5 * random.standard_normal(dim)
        features[start:end] += 5 / 3 * random.standard_normal(features[start:end].shape)
    scaled: npt.NDArray[np.float32] = (features / dim**0.5).astype(np.float32)
    return scaled


def accuracy(corpus: Path, every: int, hubert: Path | None) -> None:
    """Print a row for each kind of features."""
    random = np.random.default_rng(0)
    rows: dict[str, tuple[Callable[[Utterance], npt.NDArray[np.float32]], float, dict[str, Any]]]
    rows = {
        "ideal": (lambda u: ideal(u, random), 50, {}),
        "log-mel": (
            lambda u: log_mel(u.clip) + np.float32(6), 100,
            {"norm_threshold": 15.0, "merge_threshold": 0.6},
        ),
    }  # fmt: skip
    if hubert is not None:
        encoder = SylberEncoder(str(hubert), 9, 60.0, Place())
        rows["hubert, as given"] = (lambda u: encoder.features(u.clip), 50, {})
    utterances = list(read(corpus, every))
    print(f"{len(utterances)} utterances of synthetic speech, tolerance {TOLERANCE_SECONDS} s")
    for name, (features, rate, thresholds) in rows.items():
        score = Score()
        for utterance in utterances:
            score.add(utterance, find_syllables(features(utterance), **thresholds) / rate)
        print(score.line(name))
    score = Score()
    for utterance in utterances:
        edges = np.linspace(0, len(utterance.clip) / RATE, len(np.unique(utterance.syllables)))
        score.add(utterance, np.stack([edges[:-1], edges[1:]], axis=1))
    print(score.line("even"))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Measure the segmenter of syllables.")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--every", type=int, default=4, help="one utterance of so many")
    parser.add_argument("--hubert", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    accuracy(options.corpus, options.every, options.hubert)


if __name__ == "__main__":
    main()
