"""A table of lengths in memory: a few numbers a row, its ids on disk if they are needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.errors import JobError
from wavemill.pipelines.lengths.arrow import IPC, PARQUET, find_arrow, read_arrow
from wavemill.pipelines.lengths.ids import IdSpool, digest_ids
from wavemill.pipelines.lengths.jsonl import find_jsonl, read_jsonl
from wavemill.sharding.buckets import Floats, Ints
from wavemill.sharding.draw import Keys


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Rows {"id", "duration", "tokens"}; arrays are [N]."""

    seconds: Floats
    tokens: Ints
    keys: Keys
    """Digests of the ids."""
    ids: IdSpool | None

    def __len__(self) -> int:
        return len(self.seconds)


def read_lengths(
    url: str, *, stream: str | None, keep_ids: bool, show: Callable[[int], None]
) -> Lengths:
    """Read a table of lengths: JSON lines (also `.gz` or `.zst`), Parquet or Arrow IPC.

    Args:
        url: of the file; its name says what it is.
        stream: which of several token streams counts, where "tokens" holds a length for each; the
            longest if none is named.
        keep_ids: whether ids will be looked up.
        show: told how many rows have been read.

    Raises:
        JobError: a row is not what it should be, an id comes twice, or there are no rows.

    """
    is_arrow = url.lower().endswith(PARQUET + IPC)
    blocks = (read_arrow if is_arrow else read_jsonl)(url, stream)
    spool = IdSpool() if keep_ids else None
    columns = _gather(blocks, spool, show)
    if not len(columns[0]):
        raise JobError(f"{url} holds no rows")
    twice = _repeated(columns[2])
    if twice is not None:
        _check_differ(url, (find_arrow if is_arrow else find_jsonl)(url, twice))
    return Lengths(seconds=columns[0], tokens=columns[1], keys=columns[2], ids=spool)


def _gather(
    blocks: Iterator[tuple[Any, Any, Any]], spool: IdSpool | None, show: Callable[[int], None]
) -> list[npt.NDArray[Any]]:
    parts: list[list[npt.NDArray[Any]]] = [[np.zeros(0)], [np.zeros(0, np.int64)],
                                           [np.zeros(0, np.uint64)]]  # fmt: skip
    count = 0
    for ids, seconds, tokens in blocks:
        for part, values in zip(parts, (seconds, tokens, digest_ids(ids)), strict=True):
            part.append(values)
        if spool is not None:
            spool.add(ids)
        count += len(seconds)
        show(count)
    whole = []
    for part in parts:
        whole.append(np.concatenate(part))
        part.clear()  # before the next one doubles
    return whole


def _repeated(keys: Keys) -> npt.NDArray[np.bool_] | None:
    """Say which rows have a digest that another has too, if there are any."""
    ordered = np.sort(keys)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.isin(keys, again) if len(again) else None


def _check_differ(url: str, suspects: Iterator[tuple[str, str]]) -> None:
    """Compare ids whose digests are equal: digests may be so by chance, if hardly ever."""
    seen: dict[str, str] = {}
    for place, name in suspects:
        if name in seen:
            raise JobError(f"{url} {place}: the id of {seen[name]}; ids must differ")
        seen[name] = place
