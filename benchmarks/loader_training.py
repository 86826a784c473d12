"""Train a small language model on batches of the loader, of webdataset, and of lhotse.

    python benchmarks/loader_training.py
    python benchmarks/loader_training.py --only codec --limit 8192
    python benchmarks/loader_training.py --manifest build/corpora/asterisk-en/manifest.jsonl

What counts is real (not padded) tokens a second of whole steps: batch, forward, backward, AdamW.
The memory is the same for all: no batch holds more than `--limit` padded tokens (samples times the
longest). So webdataset, with a shuffle buffer of 1,000, takes as many samples a batch as fit were
the longest of all among them. lhotse's `DynamicBucketingSampler` has 30 buckets and the largest
`max_duration` by which no batch of this very order is over the limit; its cuts lie in memory.

The lengths are those of `batch_padding.py`: `codec`, 12.5 tokens for each second of
`librispeech-like`, and `heavy-tailed`, 5 to 25 tokens a second. With `--manifest` durations are
those of a NeMo manifest. All train in turns of some batches, each a model of its own; the first
batch does not count. Printed are medians of tokens a second, and of the ratios within a round.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))
from batch_padding import tables
from loader_peers import Corpus, padded, webdataset_tars

from tests.sharding.drawn import Sample, make_dataset, stream
from wavemill.loader import ShardLoader
from wavemill.loader.adapters import cut_set

RATE = 12.5
IDS = 1024
NAME = "codec"
SHARD_MB = 0.5
OURS = "wavemill"
SEARCH = 8
"""Steps by which the largest `max_duration` is found."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""Ids [B, T] and lengths [B]."""
Feed = Iterator[Batch]


class LanguageModel(nn.Module):
    """A causal transformer."""

    def __init__(self, width: int, layers: int) -> None:
        """Draw weights."""
        super().__init__()
        self.embed = nn.Embedding(IDS, width)
        self.place = nn.Embedding(1 << 11, width)
        layer = nn.TransformerEncoderLayer(
            width, width // 64, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, IDS)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the loss over real tokens."""
        count = ids.shape[1] - 1
        places = torch.arange(count)
        mask = nn.Transformer.generate_square_subsequent_mask(count)
        hidden = self.layers(self.embed(ids[:, :-1]) + self.place(places), mask, is_causal=True)
        wanted = ids[:, 1:].masked_fill(places + 1 >= lengths[:, None], -100)
        return nn.functional.cross_entropy(self.head(hidden).flatten(0, 1), wanted.flatten())


class Trainer:
    """Trains a model on batches, and counts what they hold."""

    def __init__(self, feed: Feed, options: argparse.Namespace) -> None:
        """Take a first step, which does not count."""
        torch.manual_seed(0)
        self._model = LanguageModel(options.width, options.layers)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), 1e-3)
        self._feed = feed
        self.speeds: list[float] = []
        """Real tokens a second, of each turn."""
        self.real = self.padded = self.largest = self.samples = self.batches = 0
        self._step()

    def turn(self, tokens: int) -> None:
        """Train on batches of so many real tokens or a few more."""
        seen, started = 0, time.perf_counter()
        while seen < tokens:
            ids, lengths = self._step()
            real = int(lengths.sum())
            seen += real
            self.real += real
            self.padded += ids.numel()
            self.largest = max(self.largest, ids.numel())
            self.samples += len(ids)
            self.batches += 1
        self.speeds.append(seen / (time.perf_counter() - started))

    def _step(self) -> Batch:
        ids, lengths = next(self._feed)
        self._optimizer.zero_grad()
        self._model(ids, lengths).backward()
        self._optimizer.step()
        return ids, lengths


def draw_samples(seconds: Any, tokens: Any) -> list[Sample]:
    """Draw samples of one codebook."""
    dice = np.random.default_rng(0)
    return [
        Sample(key=f"sample{number:06d}", num_samples=int(length * 16_000), sample_rate=16_000,
               num_channels=1, flac=b"",
               codes=(dice.integers(0, IDS, (count, 1), np.uint16),))
        for number, (length, count) in enumerate(zip(seconds.tolist(), tokens.tolist(),
                                                     strict=True))
    ]  # fmt: skip


def ours(out: Path, limit: int) -> Feed:
    """Feed by the loader."""
    for batch in ShardLoader(out, batch_tokens=limit):
        yield batch.tokens[NAME][:, :, 0], batch.token_lengths[NAME]


def webdataset(samples: list[Sample], folder: Path, out: Path, limit: int) -> Feed:
    """Feed by webdataset, from its own tars, in batches of as many as always fit."""
    read = webdataset_tars(Corpus(samples=samples, folder=folder, out=out))
    size = limit // max(len(sample.codes[0]) for sample in samples)
    for ids, lengths in padded(read(), size):
        yield ids[:, :, 0], lengths


def lhotse(out: Path, limit: int) -> Feed:
    """Feed by lhotse, of cuts that lie in memory."""
    from lhotse.dataset.sampling import DynamicBucketingSampler

    cuts = cut_set(out, audio=False).to_eager()
    counts = {cut.id: getattr(cut, NAME).shape[0] for cut in cuts}

    def batches(most: float) -> Any:
        return DynamicBucketingSampler(
            cuts, max_duration=most, num_buckets=30, shuffle=True, seed=0, world_size=1, rank=0
        )

    def fits(most: float) -> bool:
        found = ([counts[cut.id] for cut in batch] for batch in batches(most))
        return all(len(own) * max(own) <= limit for own in found)

    rates = [counts[cut.id] / cut.duration for cut in cuts]
    fitting, most = 0.9 * limit / max(rates), limit / min(rates)
    for _ in range(SEARCH):
        middle = (fitting * most) ** 0.5
        fitting, most = (middle, most) if fits(middle) else (fitting, middle)
    for batch in batches(fitting):
        arrays = [getattr(cut, f"load_{NAME}")() for cut in batch]
        for ids, lengths in padded(arrays, len(arrays)):
            yield ids[:, :, 0], lengths


def compare(title: str, seconds: Any, tokens: Any, options: argparse.Namespace) -> None:
    """Train on one table of lengths, and print."""
    samples = draw_samples(seconds, tokens)
    rate = None if title == "heavy-tailed" else RATE
    with tempfile.TemporaryDirectory(prefix="training-") as place:
        folder = Path(place)
        out = make_dataset(samples, folder, "none", SHARD_MB, (stream(NAME, rate, 1, IDS),))
        (folder / "tars").mkdir()
        feeds = {
            OURS: ours(out, options.limit),
            "webdataset": webdataset(samples, folder / "tars", out, options.limit),
            "lhotse": lhotse(out, options.limit),
        }
        found = {name: Trainer(feed, options) for name, feed in feeds.items()}
        for _ in range(options.rounds):
            for trainer in found.values():
                trainer.turn(options.tokens)
    print(f"\n{title}: {len(samples):,} samples, {tokens.mean():.0f} tokens in the mean and"
          f" {tokens.max()} at most; batches of up to {options.limit:,} padded tokens")  # fmt: skip
    for name, own in found.items():
        assert own.largest <= options.limit, f"{name} made a batch of {own.largest} tokens"
        factors = [a / b for a, b in zip(found[OURS].speeds, own.speeds, strict=True)]
        print(f"  {name:<12}{median(own.speeds):8,.0f} real tokens/s   padding"
              f" {1 - own.real / own.padded:6.1%}   {own.samples / own.batches:5.1f} samples a"
              f" batch, {own.padded / own.batches / options.limit:4.0%} full"
              f"   {OURS} is {median(factors):5.2f} x as fast", flush=True)  # fmt: skip


def read_manifest(path: Path) -> Any:
    """Return the durations of a NeMo manifest."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return np.array([row["duration"] for row in rows])


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["codec", "heavy-tailed"])
    parser.add_argument("--manifest", type=Path, help="take the durations of a NeMo manifest")
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--limit", type=int, default=8192, help="padded tokens of a batch at most")
    parser.add_argument("--tokens", type=int, default=6000, help="real ones of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    parameters = sum(p.numel() for p in LanguageModel(options.width, options.layers).parameters())
    print(f"{parameters / 1e6:.1f} million parameters, {options.threads} threads")
    drawn = tables()
    speech, heavy = drawn["librispeech-like"][0], drawn["heavy-tailed"]
    if options.manifest:
        speech = read_manifest(options.manifest)
    speech = speech[: options.samples]
    if options.only != "heavy-tailed":
        tokens = np.maximum((speech * RATE).astype(np.int64), 2)
        compare("codec", speech, tokens, options)
    if options.only != "codec" and not options.manifest:
        seconds, tokens = heavy
        compare("heavy-tailed", seconds[: options.samples], tokens[: options.samples], options)


if __name__ == "__main__":
    main()
