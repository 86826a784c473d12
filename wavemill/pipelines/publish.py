"""The last step: totals, the dataset card, `rejected.jsonl`, and `dataset.json` after all else."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import wavemill
from wavemill import storage
from wavemill.columns import pieces_of, slices
from wavemill.pipelines.card import card
from wavemill.pipelines.lock import check_held
from wavemill.pipelines.parts import joined_inputs, note_parts, settle
from wavemill.pipelines.quality import quality
from wavemill.pipelines.run_notes import RunNotes, write_run
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.shard_rows import ShardRows
from wavemill.pipelines.stock import Stock
from wavemill.pipelines.survey import count_distinct, count_recordings
from wavemill.sharding import layout
from wavemill.sharding.batches import BatchConfig, measure_padding, plan_epoch
from wavemill.sharding.buckets import Bucket, Floats, Ints
from wavemill.sharding.budget import MIN_LIMIT, Budget
from wavemill.sharding.dataset import (
    CARD,
    FORMAT,
    FORMAT_VERSION,
    NAME,
    REJECTED,
    RUN,
    usage,
)
from wavemill.sharding.draw import Keys, uniform
from wavemill.sharding.plan import Lengths
from wavemill.sharding.said import Said
from wavemill.tokenizers.base import TokenizerFacts

BATCH_SECONDS = 360.0
"""The batch that padding is stated for, where the corpus is large enough."""
FEWEST_BATCHES = 30
"""Of fewer in all, each is a large share of the corpus, and samples that are alike are few."""
MOST_PADDED = 1 << 19
"""Samples whose batches are planned to state the padding; of more, about as many are drawn."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a job that wrote all its shards knows."""

    settings: PrepareSettings
    facts: Sequence[TokenizerFacts]
    buckets: Sequence[Bucket]
    markers: Sequence[str]
    """URLs of the shards' markers, in order."""
    stock: Stock
    spool: str
    notes: RunNotes


def publish(job: Finished) -> dict[str, Any]:
    """Write what makes the folder a dataset; return the content of `dataset.json`, but shards."""
    out = job.settings.out
    shards = ShardRows()
    content = _content(job, shards)
    note_parts(job.spool, content["digest"], job.stock.parts)
    storage.write_text(storage.join(out, REJECTED), job.stock.rejects.lines())
    storage.write_text(storage.join(out, CARD), card(content))
    write_run(out, job.notes, content)
    check_held(job.spool)
    storage.write_text(storage.join(out, NAME), shards.dataset_lines(content))
    settle(job.spool, content["digest"])
    return content


def read_markers(markers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what each shard's marker holds."""
    for url in markers:
        yield json.loads(storage.read_bytes(url))


def _content(job: Finished, shards: ShardRows) -> dict[str, Any]:
    streams, said = _gather(job, shards)
    stock = job.stock
    lengths = stock.found.lengths
    joined = joined_inputs(stock.parts)
    settings = job.settings.data_json()
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "wavemill": wavemill.__version__,
        "digest": shards.digest(settings),
        "inputs": list(job.settings.inputs),
        **({"joined": joined} if joined else {}),
        "settings": settings,
        "tokenizers": streams,
        "buckets": [shards.bucket(bucket) for bucket in job.buckets],
        "totals": {
            "recordings": stock.recordings,
            "rejected_recordings": count_recordings(stock.rejects),
            "samples": len(lengths),
            "hours": round(float(lengths.seconds.sum()) / 3600, 6),
            "bytes": shards.num_bytes,
            "shards": len(shards),
            "duplicates": len(lengths) - count_distinct(pieces_of(stock.found.audio_keys)),
        },
        "said": said,
        "padding": _padding(job),
        "quality": quality(stock.found),
        "rejected": dict(sorted(Counter(r["reason"] for r in stock.rejects).items())),
        "run": RUN,
    }


def _gather(job: Finished, shards: ShardRows) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add up the markers: the rows of the shards, each stream's use of its codebooks, what is said.

    Returns:
        What is told of each stream, and of all samples together.

    """
    said = Said()
    tokens = {facts.name: 0 for facts in job.facts}
    counts = {
        facts.name: np.zeros((facts.num_codebooks, facts.codebook_size), np.int64)
        for facts in job.facts
    }
    for marker in read_markers(job.markers):
        for name, number in marker["tokens"].items():
            tokens[name] += number
            counts[name] += np.array(marker["counts"][name], np.int64)
        said.add(marker["said"])
        shards.add(
            {name: marker[name] for name in ("bucket", "number", "samples", "seconds", "files")}
        )
    streams = {
        facts.name: {
            **asdict(facts),
            "dtype": facts.dtype.name,
            "times": layout.times_of(facts.name, facts.frame_rate),
            "tokens": tokens[facts.name],
            **usage(counts[facts.name]),
        }
        for facts in job.facts
    }
    return streams, said.as_json()


def _padding(job: Finished) -> dict[str, float]:
    """Measure what an epoch of batches pads; of a large corpus, an epoch of some samples."""
    lengths = job.stock.found.lengths
    share = round(float(lengths.seconds.sum()) / FEWEST_BATCHES, 3)
    batch_seconds = min(BATCH_SECONDS, max(share, float(lengths.seconds.max()), MIN_LIMIT))
    config = BatchConfig(budget=Budget(seconds=batch_seconds), seed=job.settings.seed)
    seconds, tokens, keys = drawn(lengths)
    plan = plan_epoch(seconds, tokens, config, keys)
    padding = measure_padding(seconds, tokens, plan)
    return {
        "input": round(padding.input, 6),
        "tokens": round(padding.tokens, 6),
        "batch_seconds": batch_seconds,
    }


def drawn(lengths: Lengths, most: int = MOST_PADDED) -> tuple[Floats, Ints, Keys]:
    """Return seconds, tokens and keys of about `most` samples by their keys, or of all."""
    limit = most / max(len(lengths), 1)
    found = []
    for part in slices(len(lengths)):
        keys = lengths.key[part]
        kept = np.ones(len(keys), np.bool_) if limit >= 1 else uniform(keys, 0) < limit
        found.append((lengths.seconds[part][kept], lengths.tokens[part][kept], keys[kept]))
    seconds, tokens, keys = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return seconds, tokens, keys
