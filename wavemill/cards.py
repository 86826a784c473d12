"""What dataset hubs read at the head of a card."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip


def front_matter(front: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a card's front matter."""
    yield from ("---", *yaml.safe_dump(dict(front), sort_keys=True).splitlines(), "---", "")


def size_category(rows: int) -> str:
    """Say how large a dataset is, in the hubs' words."""
    return next((name for limit, name in _SIZES if rows < limit), "n>100M")
