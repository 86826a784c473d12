"""Hypotheses in the shards of a prepared dataset: the same keys in the same order as its audio.

    bucket-00/hypotheses_000000.tar (+ .idx)   K.hyp.json for each key, for webdataset
    bucket-00/hypotheses.000000.jsonl          a line a cut, for lhotse's `CutSet.from_shar`

An id of an utterance is the key of its sample, so hypotheses that were made of the same recordings
join a dataset that was prepared apart. A sample without hypotheses has an empty list.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from wavemill import storage
from wavemill.errors import DatasetError
from wavemill.hypotheses.records import Utterance
from wavemill.records import to_json
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.tar import TarWriter

STREAM = "hypotheses"
EXTENSION = "hyp.json"
EMPTY = to_json({"hypotheses": [], "is_short": True, "reference": None, "split": None})
INSERT = "INSERT OR REPLACE INTO utterances VALUES (?, ?)"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """How much found its place."""

    shards: int
    samples: int
    joined: int
    """Samples that have hypotheses."""


def write(to: str, dataset: Dataset, utterances: Iterable[Utterance]) -> Joined:
    """Write the shards; what has no sample in the dataset is left out.

    Args:
        to: a folder; that of the dataset may not be, whose files are all listed in it.
        dataset: the prepared dataset.
        utterances: in any order; they are kept on the local disk meanwhile.

    Raises:
        DatasetError: the dataset's cuts cannot be read.

    """
    samples = joined = 0
    shards = dataset.content["shards"]
    with _kept(utterances) as found:
        for shard in shards:
            keys = _keys(dataset, shard)
            lines = [found(key) for key in keys]
            _write_shard(to, shard, keys, [EMPTY if line is None else line for line in lines])
            samples += len(keys)
            joined += sum(line is not None for line in lines)
    return Joined(shards=len(shards), samples=samples, joined=joined)


def _write_shard(to: str, shard: dict[str, Any], keys: list[str], lines: list[str]) -> None:
    folder, number = storage.join(to, shard["bucket"]), shard["number"]
    name = layout.tar_name(STREAM, number)
    with storage.write_atomically(storage.join(folder, name)) as file:
        tar = TarWriter(file)
        tar.add(keys, **{EXTENSION: [line.encode() for line in lines]})
        tar.finish()
    storage.write_bytes(storage.join(folder, f"{name}.idx"), tar.index())
    rows = (
        f'{{"cut_id":{json.dumps(key)},"{STREAM}":{line}}}'
        for key, line in zip(keys, lines, strict=True)
    )
    storage.write_text(storage.join(folder, f"{STREAM}.{number:06d}.jsonl"), rows)


def _keys(dataset: Dataset, shard: dict[str, Any]) -> list[str]:
    place = storage.join(dataset.url, shard["bucket"], layout.cuts_name(shard["number"]))
    try:
        lines = storage.read_bytes(place).splitlines()
        return [str(json.loads(line)["id"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{place} cannot be read: {error}; see `wavemill lint`") from error


@contextmanager
def _kept(utterances: Iterable[Utterance]) -> Iterator[Any]:
    """Keep utterances on disk; give a function that finds the JSON of one by its id."""
    with TemporaryDirectory(prefix="wavemill-") as folder:
        base = sqlite3.connect(f"{folder}/utterances")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("CREATE TABLE utterances (id TEXT PRIMARY KEY, json TEXT) WITHOUT ROWID")
        base.executemany(INSERT, ((one.id, _json(one)) for one in utterances))

        def find(name: str) -> str | None:
            row = base.execute("SELECT json FROM utterances WHERE id = ?", (name,)).fetchone()
            return None if row is None else str(row[0])

        yield find
        base.close()


def _json(one: Utterance) -> str:
    return to_json(
        {
            "hypotheses": [vars(hypothesis) for hypothesis in one.hypotheses],
            "is_short": one.is_short,
            "reference": one.reference,
            "split": one.split,
        }
    )
