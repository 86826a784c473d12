"""Train the preset `small` of `token-lm`, and compare it with counting pairs of ids.

    python benchmarks/models/token_lm.py [--work DIR] [layout=hierarchical ...]

English prompts (`asterisk-en`) as tokens of the `mvq` that ships, a tenth of the samples held out.
All figures are nats an id over the same held-out ids, perplexities their exponential:

    unigram   how often each codebook's ids are in the training part
    bigram    how often they follow the codebook's id a frame before, mixed with the unigram; by how
              much is what does best on the held-out ids themselves, in its favour

A masked model guesses other ids with more around them, so its figure is not comparable.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))
import corpora

from wavemill.commands.prepare import prepare
from wavemill.commands.train import train
from wavemill.loader import ShardLoader
from wavemill.loader.split import Split
from wavemill.models.training.log import read_log
from wavemill.sharding.dataset import Dataset

CORPUS, STREAM, HELD_OUT = "asterisk-en", "mvq", 0.1
ADDED = 0.5
"""To each id's count of the unigram."""
MIXED = tuple(2.0**power for power in range(12))
"""How much of the unigram, in pairs, is mixed into the bigram: each is tried."""

Counts = npt.NDArray[np.float64]


def prepared(work: Path) -> Path:
    """Make the dataset, unless it is there."""
    corpus, out = work / "corpora" / CORPUS, work / "token-lm-data"
    corpora.build(CORPUS, corpus)
    words = [
        corpus / "manifest.jsonl",
        "--out",
        out,
        "--tokenizer",
        STREAM,
        "--audio",
        "none",
        "--quiet",
    ]
    prepare.main(args=list(map(str, words)), standalone_mode=False)
    return out


def samples(data: Path, *, held_out: bool) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the ids [T, Q] of either part."""
    split = Split(share=HELD_OUT, held_out=held_out)
    for batch in ShardLoader(str(data), streams=[STREAM], batch_size=1, split=split):
        yield batch.tokens[STREAM][0].numpy()


class Pairs:
    """Counts of each codebook's ids, [Q, K], and of pairs that follow each other, [Q, K, K]."""

    def __init__(self, codebooks: int, size: int) -> None:
        """Begin at nothing."""
        self.books = np.arange(codebooks)
        self.single: Counts = np.zeros((codebooks, size))
        self.pair: Counts = np.zeros((codebooks, size, size))

    def add(self, codes: npt.NDArray[np.int64]) -> None:
        """Count a sample [T, Q]."""
        np.add.at(self.single, (self.books, codes), 1)
        np.add.at(self.pair, (self.books, codes[:-1], codes[1:]), 1)

    def nats(self, codes: npt.NDArray[np.int64], mixed: float | None) -> float:
        """Return what a sample's ids lose in all, by the unigram if nothing is mixed."""
        smooth = self.single + ADDED
        shares = (smooth / smooth.sum(1, keepdims=True))[self.books, codes]
        if mixed is not None:
            before, now = codes[:-1], codes[1:]
            seen = self.pair.sum(2)[self.books, before]
            pairs = self.pair[self.books, before, now] + mixed * shares[1:]
            shares[1:] = pairs / (seen + mixed)
        return -float(np.log(shares).sum())


def baselines(data: Path) -> tuple[float, float]:
    """Return what held-out ids lose by the unigram and by the bigram, in nats an id."""
    facts = Dataset.open(str(data)).content["tokenizers"][STREAM]
    pairs = Pairs(facts["num_codebooks"], facts["codebook_size"])
    for codes in samples(data, held_out=False):
        pairs.add(codes)
    unseen = list(samples(data, held_out=True))
    ids = sum(codes.size for codes in unseen)
    losses = [sum(pairs.nats(codes, mixed) for codes in unseen) / ids for mixed in (None, *MIXED)]
    return losses[0], min(losses[1:])


def measure(work: Path, *settings: str) -> dict[str, Any]:
    """Train and compare.

    Args:
        work: a folder for the corpus, the dataset and the run.
        settings: of the model, `key=value`, beside the preset's.

    """
    data, run = prepared(work), work / "-".join(("token-lm", *settings)).replace("=", "-")
    chosen = [word for one in settings for word in ("--set", one)]
    words = ["token-lm", "--data", data, "--out", run, "--held-out", HELD_OUT, "--restart",
             "--device", "cpu", "--quiet", *chosen]  # fmt: skip
    started = time.perf_counter()
    train.main(args=list(map(str, words)), standalone_mode=False)
    seconds = time.perf_counter() - started
    rows = [row for row in read_log(run) if "held_out/loss" in row]
    unigram, bigram = baselines(data)
    return {
        "recipe": "token-lm",
        "settings": " ".join(settings),
        "baseline": "bigram",
        "score": round(math.exp(rows[-1]["held_out/loss"]), 2),
        "baseline_score": round(math.exp(bigram), 2),
        "unit": "perplexity of held-out ids",
        "seconds": round(seconds),
        "unigram_score": round(math.exp(unigram), 2),
        "nats": {"model": rows[-1]["held_out/loss"], "bigram": bigram, "unigram": unigram},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Train token-lm and compare it with counts.")
    parser.add_argument("settings", nargs="*", help="of the model, key=value")
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(json.dumps(measure(options.work, *options.settings), indent=1))


if __name__ == "__main__":
    main()
