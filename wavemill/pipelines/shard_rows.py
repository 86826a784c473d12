"""The shards in `dataset.json`: a row each, on the local disk until the file is written."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b, sha256
from itertools import chain
from typing import Any

from wavemill.digest import canonical
from wavemill.pipelines.reject_rows import Lines
from wavemill.sharding.buckets import Bucket
from wavemill.sharding.dataset import SEAL

SHARDS = "shards"


@dataclass
class _Sum:
    samples: int = 0
    seconds: float = 0.0
    shards: int = 0


class ShardRows:
    """Rows of shards in their order, and what they add up to."""

    def __init__(self) -> None:
        """Begin without shards."""
        self._lines = Lines()
        self._sums: dict[str, _Sum] = defaultdict(_Sum)
        self.num_bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(json.loads, self._lines)

    def add(self, row: dict[str, Any]) -> None:
        """Add a row."""
        self._lines.add(json.dumps(row))
        own = self._sums[row["bucket"]]
        own.samples += row["samples"]
        own.seconds += row["seconds"]
        own.shards += 1
        self.num_bytes += sum(file["bytes"] for file in row["files"])

    def bucket(self, bucket: Bucket) -> dict[str, Any]:
        """Say of a bucket what its shards add up to."""
        own = self._sums[bucket.name]
        hours = round(own.seconds / 3600, 6)
        return {**asdict(bucket), "samples": own.samples, "hours": hours, "shards": own.shards}

    def digest(self, settings: dict[str, Any]) -> str:
        """Digest settings and the digests of all files, as `digest` does of a list of both."""
        found = blake2b(digest_size=8)
        files = (canonical(file["sha256"]) for row in self for file in row["files"])
        for part in chain([b"[", canonical(settings), b",["], _separated(files), [b"]]"]):
            found.update(part)
        return found.hexdigest()

    def seal(self, content: dict[str, Any]) -> str:
        """Return the `content_sha256` of a content and these shards."""
        found = sha256()
        for number, name in enumerate(sorted((*content, SHARDS))):
            found.update((b"," if number else b"{") + canonical(name) + b":")
            if name == SHARDS:
                for part in chain([b"["], _separated(map(canonical, self)), [b"]"]):
                    found.update(part)
            else:
                found.update(canonical(content[name]))
        found.update(b"}")
        return found.hexdigest()

    def dataset_lines(self, content: dict[str, Any]) -> Iterator[str]:
        """Yield the lines of `dataset.json`: the content, then the shards, then the seal."""
        yield from (*_lines_of(content)[:-2], f"{_lines_of(content)[-2]},", f' "{SHARDS}": [')
        last = len(self) - 1
        for number, row in enumerate(self):
            *lines, end = (f"  {line}" for line in _lines_of(row))
            yield from (*lines, end if number == last else f"{end},")
        yield from (" ],", f' "{SEAL}": "{self.seal(content)}"', "}")


def _lines_of(value: dict[str, Any]) -> list[str]:
    return json.dumps(value, ensure_ascii=False, indent=1).split("\n")


def _separated(parts: Iterable[bytes]) -> Iterator[bytes]:
    for number, part in enumerate(parts):
        yield b"," + part if number else part
