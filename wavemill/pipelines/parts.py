"""What a dataset is made of: its parts, in the order in which they came, noted in its spool.

`prepare` makes one part. `add` makes another, and `merge` one of each dataset. A note named by the
dataset's digest says which units of the spool belong to it, so that `add` need not read the old
inputs again; another holds what was there while shards are written anew. What grows with the corpus
lies beside a note, in files of its own that are written before it: the units' names, the rejects.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from wavemill import storage
from wavemill.errors import DatasetError, JobError, UsageError
from wavemill.pipelines import unit_names
from wavemill.pipelines.outdir import SPOOL
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.records import to_json
from wavemill.sharding.dataset import NAME, Dataset
from wavemill.tokenizers.base import TokenizerFacts

ADDING = "adding.json"
"""In the spool: what the dataset was before shards were written anew."""
_PARTS = "parts-"
_BEFORE = "before"
"""The name of what is noted in `ADDING`."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a dataset's units that came at once."""

    inputs: tuple[str, ...]
    units: Sequence[str]
    recordings: int
    """How many came in, the rejected ones too."""
    rejects: RejectRows = field(default_factory=RejectRows)
    """Those that no unit holds: of ingest, or of a dataset that was read back from its shards."""
    joined: tuple[str, ...] = ()
    """Those inputs that `prepare` was not given: it would drop what came of them."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A dataset that more is added to."""

    dataset: Dataset
    parts: tuple[Part, ...] | None
    """None where its spool does not know them."""
    published: bool = True
    """False where a job was stopped that had removed `dataset.json` to write shards anew."""


def note_parts(spool: str, name: str, parts: Sequence[Part]) -> None:
    """Note the parts of the dataset whose digest is `name`, which is about to be published."""
    storage.write_text(_parts_url(spool, name), [to_json(_write_parts(spool, name, parts))])


def settle(spool: str, name: str) -> None:
    """Forget all but the dataset that was published."""
    storage.remove(storage.join(spool, ADDING))
    for other in storage.list_names(spool):
        if other.startswith(_PARTS) and not other.startswith(f"{_PARTS}{name}."):
            storage.remove(storage.join(spool, other))


def keep_base(spool: str, base: Base, parts: Sequence[Part]) -> None:
    """Note all of a dataset whose shards are about to be replaced."""
    about = {"content": base.dataset.content, "parts": _write_parts(spool, _BEFORE, parts)}
    storage.write_text(storage.join(spool, ADDING), [to_json(about)])


def find_base(out: str) -> Base:
    """Find the dataset in a folder, or what it was before a job that did not end.

    Raises:
        DatasetError: there is none.
        JobError: a note in the spool is damaged.

    """
    spool = storage.join(out, SPOOL)
    adding = storage.join(spool, ADDING)
    if not storage.is_file(storage.join(out, NAME)) and storage.is_file(adding):
        about = _read(adding)
        dataset = Dataset(url=out, content=about["content"])
        parts = _read_parts(spool, _BEFORE, about["parts"])
        return Base(dataset=dataset, parts=parts, published=False)
    dataset = Dataset.open(out)
    name = dataset.content["digest"]
    place = _parts_url(spool, name)
    known = storage.is_file(place)
    return Base(dataset=dataset, parts=_read_parts(spool, name, _read(place)) if known else None)


def facts_of(content: dict[str, Any]) -> tuple[TokenizerFacts, ...]:
    """Return the facts of a dataset's token streams as their tokenizers stated them."""
    names = TokenizerFacts.__dataclass_fields__
    streams = content["tokenizers"].values()
    return tuple(TokenizerFacts(**{name: stated[name] for name in names}) for stated in streams)


def check_keeps(out: str, inputs: Sequence[str]) -> None:
    """Check that a job of these inputs drops nothing that `add` or `merge` brought to a dataset.

    Raises:
        UsageError: it would.

    """
    spool = storage.join(out, SPOOL)
    if not any(map(storage.is_file, (storage.join(out, NAME), storage.join(spool, ADDING)))):
        return
    try:
        content = find_base(out).dataset.content
    except DatasetError:  # a damaged one is written anew
        return
    lost = [name for name in content.get("joined", ()) if name not in inputs]
    if lost:
        raise UsageError(
            f"{out} holds what came later from {', '.join(lost)}, and this job would drop that:"
            f" name all inputs ({' '.join(content['inputs'])}), use `wavemill add`, or give another"
            " --out"
        )


def all_units(parts: Sequence[Part]) -> Sequence[str]:
    """List the units of all parts."""
    return unit_names.joined([part.units for part in parts])


def joined_inputs(parts: Iterable[Part]) -> list[str]:
    """List the inputs that came by `add` or `merge`, each once."""
    return list(dict.fromkeys(name for part in parts for name in part.joined))


def all_inputs(parts: Iterable[Part]) -> tuple[str, ...]:
    """List the inputs of all parts, each once."""
    return tuple(dict.fromkeys(name for part in parts for name in part.inputs))


def _parts_url(spool: str, name: str, suffix: str = "json") -> str:
    return storage.join(spool, f"{_PARTS}{name}.{suffix}")


def _write_parts(spool: str, name: str, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Write what is long of some parts; return the rest, for the note."""
    names = (unit for part in parts for unit in part.units)
    unit_names.write_names(_parts_url(spool, name, "units"), names)
    lines = (line for part in parts for line in part.rejects.lines())
    storage.write_text(_parts_url(spool, name, "rejects.jsonl"), lines)
    return [
        {
            "inputs": part.inputs,
            "units": len(part.units),
            "recordings": part.recordings,
            "rejects": len(part.rejects),
            "joined": part.joined,
        }
        for part in parts
    ]


def _read_parts(spool: str, name: str, rows: list[dict[str, Any]]) -> tuple[Part, ...]:
    place = _parts_url(spool, name, "units")
    units = iter(unit_names.read_all(place, sum(row["units"] for row in rows)))
    parts = []
    with storage.open_read(_parts_url(spool, name, "rejects.jsonl")) as file:
        for row in rows:
            rejects = RejectRows()
            for line in islice(file, row["rejects"]):
                rejects.add_line(line.decode("utf-8", "surrogateescape").rstrip("\n"))
            part = Part(
                inputs=tuple(row["inputs"]),
                units=unit_names.UnitNames(islice(units, row["units"])),
                recordings=row["recordings"],
                rejects=rejects,
                joined=tuple(row["joined"]),
            )
            parts.append(part)
    return tuple(parts)


def _read(place: str) -> Any:
    try:
        return json.loads(storage.read_bytes(place).decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise JobError(f"{place} is damaged ({error}): remove it, and the dataset's own") from error
