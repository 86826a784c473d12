"""Write a folder of hypotheses: parts with what is counted of them, the card, the facts last."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import wavemill
from wavemill import storage
from wavemill.hypotheses.card import card
from wavemill.hypotheses.folder import FACTS, FORMAT, part_name, write_part
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.splits import SPLITS, Splitting
from wavemill.hypotheses.tally import Tally, add, rates, tally_of
from wavemill.sharding.dataset import CARD, REJECTED, RUN

PART_UTTERANCES = 50_000
"""A part is closed by the unit with which it has as many."""
AT_ONCE = 4096
FILES = (CARD, REJECTED, RUN, FACTS)
"""Beside the parts."""

Note = dict[str, Any]
"""What is known of a part: `name`, `utterances`, `bytes`, `sha256`, `counts`, `languages`."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What is said of a folder."""

    digest: str
    """Of all that decides what it holds."""
    inputs: Sequence[str]
    settings: Mapping[str, Any]
    """For people, with `n`, `recognizer`, `split_by` and `seed`."""
    recognizer: Mapping[str, Any]
    """`name` and `digest` of what made the hypotheses."""
    normalizer: str
    licence: str | None = None


def write_counted(out: str, number: int, utterances: Iterable[Utterance]) -> Note:
    """Write a part; return what is known of it."""
    counts: dict[str, Tally] = {}
    languages: set[str] = set()
    place = storage.join(out, part_name(number))
    written = write_part(place, _counted(utterances, counts, languages))
    return {
        "name": part_name(number),
        "utterances": written,
        "bytes": storage.info(place).size,
        "sha256": storage.sha256_of(place),
        "counts": counts,
        "languages": sorted(languages),
    }


def content_of(
    about: About, notes: Iterable[Note], rejects: Iterable[Mapping[str, str]], **totals: int
) -> dict[str, Any]:
    """Return the content of `hypotheses.json`.

    Args:
        about: what is said of the folder.
        notes: of its parts, in order.
        rejects: rows of `rejected.jsonl`.
        totals: `recordings` and `rejected_recordings`, as far as there are any.

    """
    splits: dict[str, Tally] = {}
    total: Tally = {}
    languages: set[str] = set()
    parts = []
    for note in notes:
        languages.update(note["languages"])
        parts.append({name: note[name] for name in ("name", "utterances", "bytes", "sha256")})
        for split, counts in note["counts"].items():
            add(splits.setdefault(split, {}), counts)
            add(total, counts)
    return {
        "format": FORMAT,
        "wavemill": wavemill.__version__,
        **vars(about),
        "inputs": list(about.inputs),
        "languages": sorted(languages),
        "totals": {**totals, **rates(total)},
        "splits": {split: rates(splits[split]) for split in SPLITS if split in splits},
        "parts": parts,
        "rejected": dict(sorted(Counter(row["reason"] for row in rejects).items())),
    }


def publish(out: str, content: Mapping[str, Any]) -> None:
    """Write the card, and last what makes the folder one of hypotheses."""
    storage.write_text(storage.join(out, CARD), card(content))
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
    storage.write_text(storage.join(out, FACTS), text.splitlines())


def write_all(
    out: str, utterances: Iterable[Utterance], about: About, splitting: Splitting
) -> dict[str, Any]:
    """Write a folder of utterances that are made in this process; return its content.

    Args:
        out: the folder.
        utterances: in their order; their splits are replaced.
        about: what is said of the folder.
        splitting: decides the splits.

    """
    storage.remove(storage.join(out, FACTS))
    storage.make_folder(out)
    left = (replace(one, split=splitting.of(one)) for one in utterances)
    notes: list[Note] = []
    while some := list(islice(left, PART_UTTERANCES)):
        notes.append(write_counted(out, len(notes), some))
    remove_parts(out, len(notes))
    storage.write_text(storage.join(out, REJECTED), [])
    content = content_of(about, notes, [])
    publish(out, content)
    return content


def remove_parts(out: str, first: int) -> None:
    """Remove the parts from a number on, which an earlier job left, and what was half written."""
    if storage.is_local(out):
        storage.remove_partial(out, (*map(part_name, range(first)), *FILES))
    while storage.is_file(place := storage.join(out, part_name(first))):
        storage.remove(place)
        first += 1


def _counted(
    utterances: Iterable[Utterance], counts: dict[str, Tally], languages: set[str]
) -> Iterator[Utterance]:
    left = iter(utterances)
    while some := list(islice(left, AT_ONCE)):
        languages.update(one.language for one in some if one.language)
        for split, tally in tally_of(some).items():
            add(counts.setdefault(split, {}), tally)
        yield from some
