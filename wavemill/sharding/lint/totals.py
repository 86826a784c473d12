"""Check the sums of `dataset.json`: against its own list of shards, and what these hold."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest
from wavemill.sharding import layout
from wavemill.sharding.dataset import REMEDY, SEAL, Dataset, content_sha256, usage
from wavemill.sharding.lint.report import DESCRIPTION, Report
from wavemill.sharding.lint.rows import differences
from wavemill.sharding.said import Said
from wavemill.tokenizers.base import TokenizerFacts

HOURS_SLACK = 1e-6
"""Hours are stated to six digits."""
SECONDS_SLACK = 1e-3
"""Bounds are those of the audio before it became Opus, whose rate may round a length."""
PERPLEXITY_SLACK = 2e-3
"""It is stated to three digits; machines may round its sums in another way."""


@dataclass(kw_only=True)
class Held:
    """What a shard was seen to hold."""

    seconds: float = 0.0
    longest_seconds: float = 0.0
    longest_tokens: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    """Tokens (steps of time) of each stream."""
    counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    """How often each id of each codebook of each stream occurs, [Q, K]."""
    said: dict[str, Any] = field(default_factory=lambda: Said().as_json())
    """What `said_of` counts."""


def check_list(dataset: Dataset, report: Report) -> None:
    """Add up the list of shards, and hold it against the totals and the buckets."""
    content = dataset.content
    shards, totals = content["shards"], content["totals"]
    files = [file for shard in shards for file in shard["files"]]
    seconds = sum(shard["seconds"] for shard in shards)
    slack = HOURS_SLACK + seconds * 1e-12
    if content["settings"]["audio"] == "opus":
        slack += totals["samples"] * SECONDS_SLACK / 3600
    report.compare("totals.samples", totals["samples"], sum(s["samples"] for s in shards))
    report.compare("totals.hours", totals["hours"], round(seconds / 3600, 6), slack)
    report.compare("totals.bytes", totals["bytes"], sum(file["bytes"] for file in files))
    report.compare("totals.shards", totals["shards"], len(shards))
    if totals["rejected_recordings"] > totals["recordings"]:
        report.add(DESCRIPTION, "", "totals.rejected_recordings is more than totals.recordings")
    if totals["duplicates"] > totals["samples"]:
        report.add(DESCRIPTION, "", "totals.duplicates is more than totals.samples")
    if content["digest"] != digest([content["settings"], [file["sha256"] for file in files]]):
        report.add(DESCRIPTION, "", "digest is not that of the settings and the files' sha256")
    if content.get(SEAL) != content_sha256(content):
        words = f"{SEAL} is not that of all else it holds: it was edited; {REMEDY}"
        report.add(DESCRIPTION, "", words)
    _check_buckets(content, report)
    _check_facts(content, report)


def _check_buckets(content: dict[str, Any], report: Report) -> None:
    for name, times in Counter(row["name"] for row in content["buckets"]).items():
        if times > 1:
            report.add(DESCRIPTION, "", f"{name} is {times} times among the buckets")
    for row in content["buckets"]:
        name = row["name"]
        own = [shard for shard in content["shards"] if shard["bucket"] == name]
        hours = round(sum(shard["seconds"] for shard in own) / 3600, 6)
        report.compare(f"samples of {name}", row["samples"], sum(s["samples"] for s in own))
        report.compare(f"hours of {name}", row["hours"], hours, HOURS_SLACK)
        report.compare(f"shards of {name}", row["shards"], len(own))
        if sorted(shard["number"] for shard in own) != list(range(len(own))):
            report.add(
                DESCRIPTION, "", f"the shards of {name} are not numbered 0 to {len(own) - 1}"
            )


def _check_facts(content: dict[str, Any], report: Report) -> None:
    for name, stated in content["tokenizers"].items():
        facts = stream_facts(stated)
        if (stated["name"], stated["dtype"]) != (name, facts.dtype.name):
            words = f"should be those of {name} and {facts.dtype.name}"
            report.add(DESCRIPTION, "", f"name and dtype of the stream {name} {words}")
        times = layout.times_of(name, stated["frame_rate"])
        if stated["times"] != times:
            report.add(DESCRIPTION, "", f"times of the stream {name} should be {times}")


def stream_facts(stated: dict[str, Any]) -> TokenizerFacts:
    """Return the facts of a stream as its writer knew them."""
    return TokenizerFacts(
        name="stream",
        **{name: stated[name] for name in ("kind", "sample_rate", "frame_rate", "num_codebooks",
                                           "codebook_size", "weights_digest")},
    )  # fmt: skip


class Tally:
    """Adds up what all shards hold."""

    def __init__(self, dataset: Dataset) -> None:
        self._content = dataset.content
        self._tokens: Counter[str] = Counter()
        self._counts: dict[str, npt.NDArray[np.int64]] = {}
        self._said = Said()
        self._longest: dict[str, tuple[float, int]] = {}
        """Seconds and tokens of the longest samples of each bucket."""

    def add(self, bucket: str, held: Held) -> None:
        """Add a shard."""
        self._tokens.update(held.tokens)
        self._said.add(held.said)
        for name, counts in held.counts.items():
            self._counts[name] = self._counts.get(name, 0) + counts
        seconds, tokens = self._longest.get(bucket, (0.0, 0))
        self._longest[bucket] = (
            max(seconds, held.longest_seconds),
            max(tokens, held.longest_tokens),
        )

    def check(self, report: Report) -> None:
        """Hold the sums against `dataset.json`: right only once every shard was added."""
        for name, stated in self._content["tokenizers"].items():
            if name in self._counts:
                self._check_stream(name, stated, report)
        if "said" in self._content:  # older datasets do not count it
            for difference in differences(self._content["said"], self._said.as_json(), "said"):
                report.add(DESCRIPTION, "", difference)
        self._check_bounds(report)

    def _check_stream(self, name: str, stated: dict[str, Any], report: Report) -> None:
        found = usage(self._counts[name])
        report.compare(f"tokens of {name}", stated["tokens"], self._tokens[name])
        report.compare(f"used of {name}", stated["used"], found["used"])
        told = [stated["perplexity"], *stated["perplexity_by_codebook"]]
        true = [found["perplexity"], *found["perplexity_by_codebook"]]
        if len(told) != len(true):
            report.add(DESCRIPTION, "", f"perplexity_by_codebook of {name} has a wrong length")
        else:
            for one, other in zip(told, true, strict=True):
                report.compare(f"perplexity of {name}", one, other, PERPLEXITY_SLACK)

    def _check_bounds(self, report: Report) -> None:
        """Compare bounds with the longest samples: each is a value that occurs.

        That of the duration may occur in another bucket that was cut, by tokens, from the same.
        """
        rows = self._content["buckets"]
        longest: dict[float, float] = {}
        for row in rows:
            seconds, tokens = self._longest.get(row["name"], (0.0, 0))
            report.compare(f"max_tokens of {row['name']}", row["max_tokens"], tokens)
            bound = row["max_seconds"]
            longest[bound] = max(longest.get(bound, 0.0), seconds)
        for row in rows:
            found = longest[row["max_seconds"]]
            what = f"max_seconds of {row['name']}"
            report.compare(what, row["max_seconds"], found, SECONDS_SLACK)
