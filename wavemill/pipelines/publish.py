"""The last step: totals, the dataset card, `rejected.jsonl`, and `dataset.json` after all else."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import wavemill
from wavemill import storage
from wavemill.digest import digest
from wavemill.pipelines.card import card
from wavemill.pipelines.duplicates import later_copies
from wavemill.pipelines.parts import joined_inputs, note_parts, settle
from wavemill.pipelines.quality import quality
from wavemill.pipelines.run_notes import RunNotes, write_run
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.stock import Stock
from wavemill.pipelines.survey import count_recordings
from wavemill.records import to_json
from wavemill.sharding import layout
from wavemill.sharding.batches import BatchConfig, measure_padding, plan_epoch
from wavemill.sharding.buckets import Bucket
from wavemill.sharding.budget import MIN_LIMIT, Budget
from wavemill.sharding.dataset import (
    CARD,
    FORMAT,
    FORMAT_VERSION,
    NAME,
    REJECTED,
    RUN,
    SEAL,
    content_sha256,
    usage,
)
from wavemill.tokenizers.base import TokenizerFacts

BATCH_SECONDS = 360.0
"""The batch that padding is stated for, where the corpus is large enough."""
FEWEST_BATCHES = 30
"""Of fewer in all, each is a large share of the corpus, and samples that are alike are few."""


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
    """Write what makes the folder a dataset; return the content of `dataset.json`."""
    out = job.settings.out
    content = _content(job)
    content[SEAL] = content_sha256(content)
    note_parts(job.spool, content["digest"], job.stock.parts)
    storage.write_text(storage.join(out, REJECTED), map(to_json, job.stock.rejects))
    storage.write_text(storage.join(out, CARD), card(content))
    write_run(out, job.notes, content)
    lines = json.dumps(content, ensure_ascii=False, indent=1).splitlines()
    storage.write_text(storage.join(out, NAME), lines)
    settle(job.spool, content["digest"])
    return content


def read_markers(markers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what each shard's marker holds."""
    for url in markers:
        yield json.loads(storage.read_bytes(url))


def _content(job: Finished) -> dict[str, Any]:
    shards, totals = _gather(job)
    stock = job.stock
    lengths = stock.found.lengths
    joined = joined_inputs(stock.parts)
    settings = job.settings.data_json()
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "wavemill": wavemill.__version__,
        "digest": digest([settings, [file["sha256"] for s in shards for file in s["files"]]]),
        "inputs": list(job.settings.inputs),
        **({"joined": joined} if joined else {}),
        "settings": settings,
        "tokenizers": totals["tokenizers"],
        "buckets": _buckets(job.buckets, shards),
        "totals": {
            "recordings": stock.recordings,
            "rejected_recordings": count_recordings(stock.rejects),
            "samples": len(lengths),
            "hours": round(float(lengths.seconds.sum()) / 3600, 6),
            "bytes": sum(file["bytes"] for shard in shards for file in shard["files"]),
            "shards": len(shards),
            "duplicates": len(later_copies(stock.found.audio_keys)),
        },
        "padding": _padding(job),
        "quality": quality(stock.found),
        "rejected": dict(sorted(Counter(r["reason"] for r in stock.rejects).items())),
        "run": RUN,
        "shards": shards,
    }


def _gather(job: Finished) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Add up the markers: the list of shards, and each stream's use of its codebooks."""
    shards = []
    tokens = {facts.name: 0 for facts in job.facts}
    counts = {
        facts.name: np.zeros((facts.num_codebooks, facts.codebook_size), np.int64)
        for facts in job.facts
    }
    for marker in read_markers(job.markers):
        for name, number in marker["tokens"].items():
            tokens[name] += number
            counts[name] += np.array(marker["counts"][name], np.int64)
        shards.append(
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
    return shards, {"tokenizers": streams}


def _buckets(buckets: Sequence[Bucket], shards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for bucket in buckets:
        own = [shard for shard in shards if shard["bucket"] == bucket.name]
        rows.append(
            {
                **asdict(bucket),
                "samples": sum(shard["samples"] for shard in own),
                "hours": round(sum(shard["seconds"] for shard in own) / 3600, 6),
                "shards": len(own),
            }
        )
    return rows


def _padding(job: Finished) -> dict[str, float]:
    """Measure what an epoch of batches pads."""
    lengths = job.stock.found.lengths
    share = round(float(lengths.seconds.sum()) / FEWEST_BATCHES, 3)
    batch_seconds = min(BATCH_SECONDS, max(share, float(lengths.seconds.max()), MIN_LIMIT))
    config = BatchConfig(budget=Budget(seconds=batch_seconds), seed=job.settings.seed)
    plan = plan_epoch(lengths.seconds, lengths.tokens, config, lengths.key)
    padding = measure_padding(lengths.seconds, lengths.tokens, plan)
    return {
        "input": round(padding.input, 6),
        "tokens": round(padding.tokens, 6),
        "batch_seconds": batch_seconds,
    }
