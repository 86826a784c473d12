"""What a shard's JSON tells: recordings and custom fields, as before it was written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wavemill.records import Recording, Span, safe_key, to_json
from wavemill.sharding import layout
from wavemill.sharding.lint.rows import RENAMED


def renamed(name: str, prefix: str) -> str:
    """Put a prefix before an id; the number of a segment stays at its end."""
    if not prefix:
        return name
    recording, mark, number = name.partition("@")
    return safe_key(prefix + recording) + mark + number


def recordings_of(rows: Iterable[Mapping[str, Any]]) -> Iterator[Recording]:
    """Yield what samples tell of their recordings: ids, and where the last of them ends."""
    ends: dict[str, float] = {}
    for row in rows:
        end = row["start_seconds"] + row["num_samples"] / row["sample_rate"]
        ends[row["recording_id"]] = max(ends.get(row["recording_id"], 0.0), end)
    for name, end in ends.items():
        yield Recording(id=name, url="", window=Span(start_seconds=0.0, duration_seconds=end))


def custom_of(
    of_cut: Mapping[str, Any], line: Mapping[str, Any], streams: Sequence[str]
) -> dict[str, Any]:
    """Return the custom fields that a cut and a NeMo row were written from.

    Each renamed what would have covered fields of its own, and the cut wrapped what lhotse would
    take for a manifest; what one of them changed is in the other as it was. A name that both
    change stays changed.
    """
    taken = {*layout.CUT_FIELDS, *streams, layout.ORIGIN} - layout.NEMO_FIELDS
    custom: dict[str, Any] = {}
    for name, value in of_cut.items():
        plain = name.removeprefix(RENAMED)
        if plain != name and plain in taken:
            custom |= {given: line[given] for given in (plain, name) if given in line}
        else:
            custom[name] = _unwrapped(line, name, value)
    return custom


def _unwrapped(line: Mapping[str, Any], name: str, value: Any) -> Any:
    """Return a field's value as a NeMo row has it, if that is the same field's."""
    other = line.get(f"{RENAMED}{name}" if name in layout.NEMO_FIELDS else name, value)
    return other if to_json(value) in (to_json(other), to_json({"value": other})) else value
