"""What did not come through, by reason, and which samples are copies of which: `rejected.jsonl`.

How many there are of each reason stands in `dataset.json`. The file is read for examples, and for
copies, whose words name the sample that was kept.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from wavemill import storage
from wavemill.copies import read_copy
from wavemill.errors import DatasetError
from wavemill.records import DUPLICATE_AUDIO, NEAR_DUPLICATE
from wavemill.sharding.dataset import REJECTED, REMEDY, Dataset

MAX_LINES = 200_000
EXAMPLES = 3
MAX_GROUPS = 10
MAX_COPIES = 8


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A reason, how often it was given, and some of what it was given for."""

    name: str
    count: int
    examples: list[Mapping[str, str]]


@dataclass(kw_only=True)
class Group:
    """A sample that was kept, and copies of it that were not."""

    kept: str
    count: int = 0
    copies: list[tuple[str, float | None]] = field(default_factory=list)
    """Ids of some, and how similar they are, 0 to 1; None if their audio is the same."""


@dataclass(frozen=True, kw_only=True)
class RejectFacts:
    """What did not come through."""

    reasons: list[Reason]
    """The most frequent first."""
    groups: list[Group]
    """The largest first."""
    num_groups: int
    num_copies: int
    whole: bool
    """Whether groups are counted over the whole file, not its first lines."""


def read_rejects(dataset: Dataset) -> RejectFacts:
    """Read what `dataset.json` and `rejected.jsonl` say of rejects.

    Raises:
        DatasetError: the latter is missing or damaged.

    """
    counts: Mapping[str, int] = dataset.content["rejected"]
    examples: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    groups: dict[str, Group] = {}
    rows = _rows(dataset, min(sum(counts.values()), MAX_LINES))
    for row in rows:
        if len(examples[row["reason"]]) < EXAMPLES:
            examples[row["reason"]].append(row)
        if row["reason"] in (DUPLICATE_AUDIO, NEAR_DUPLICATE) and (
            copy := read_copy(row["detail"])
        ):
            group = groups.setdefault(copy[0], Group(kept=copy[0]))
            group.count += 1
            if len(group.copies) < MAX_COPIES:
                group.copies.append((row["id"], copy[1]))
    ordered = sorted(groups.values(), key=lambda group: (-group.count, group.kept))
    return RejectFacts(
        reasons=[
            Reason(name=name, count=count, examples=examples[name])
            for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        groups=ordered[:MAX_GROUPS],
        num_groups=len(ordered),
        num_copies=sum(group.count for group in ordered),
        whole=sum(counts.values()) <= MAX_LINES,
    )


def _rows(dataset: Dataset, most: int) -> list[dict[str, Any]]:
    if not most:
        return []
    url = storage.join(dataset.url, REJECTED)
    try:
        with storage.open_read(url) as file:
            lines = list(itertools.islice(file, most))
        return [orjson.loads(line.decode("utf-8", "replace")) for line in lines]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{url} cannot be read: {error}; {REMEDY}") from error
