"""From a cut back to the row that it was written from, and how JSON differs from what it should be.

What JSON states is compared as text, so that NaN is NaN and a whole number is no float.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from wavemill.records import to_json
from wavemill.sharding import layout
from wavemill.sharding.lines import cut_line
from wavemill.sharding.schema import COUNT, NUMBER, POSITIVE, TEXT, Shape, fault, short

CUT: Shape = {
    "id": TEXT,
    "recording": {"num_samples": POSITIVE, "sampling_rate": POSITIVE, "channel_ids": [COUNT]},
    "supervisions": [{}],
    "custom": {layout.ORIGIN: {"recording": TEXT, "start": NUMBER}},
}
SAID = ("text", "language", "speaker")
RENAMED = "input_"
_NOTHING = object()


def row_of(cut: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return the row that a cut was written from, or why there is none."""
    if problem := fault(cut, CUT):
        return problem
    said = cut["supervisions"][0] if cut["supervisions"] else {}
    if problem := fault(said, {name: TEXT for name in SAID if name in said}, "supervisions[0]"):
        return problem
    recording, custom = cut["recording"], dict(cut["custom"])
    origin = custom.pop(layout.ORIGIN)
    return {
        "id": cut["id"],
        "recording_id": origin["recording"],
        "start_seconds": origin["start"],
        "num_samples": recording["num_samples"],
        "sample_rate": recording["sampling_rate"],
        "num_channels": len(recording["channel_ids"]),
        **{name: said.get(name) for name in SAID},
        "custom": custom,
    }


def row_of_line(line: bytes, streams: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the row that a line was written from; None where it is not to the byte that line."""
    try:
        cut = orjson.loads(line)
        said = cut["supervisions"][0] if cut["supervisions"] else {}
        recording, custom = cut["recording"], cut["custom"]
        origin = custom.pop(layout.ORIGIN)
        numbers = recording["num_samples"], recording["sampling_rate"]
        row = {
            "id": cut["id"],
            "recording_id": origin["recording"],
            "start_seconds": origin["start"],
            "num_samples": numbers[0],
            "sample_rate": numbers[1],
            "num_channels": len(recording["channel_ids"]),
            "text": said.get("text"),
            "language": said.get("language"),
            "speaker": said.get("speaker"),
            "custom": custom,
        }
        whole = type(numbers[0]) is int is type(numbers[1]) and min(numbers) > 0
        if whole and type(row["start_seconds"]) in (int, float) and row["start_seconds"] >= 0:
            return row if cut_line(row, streams) == line else None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        pass
    return None


def differences(stated: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Say where a JSON value differs from what it should be."""
    if _NOTHING not in (stated, expected) and to_json(stated) == to_json(expected):
        return
    if isinstance(stated, dict) and isinstance(expected, dict):
        for name in sorted({*stated, *expected}):
            inner = stated.get(name, _NOTHING), expected.get(name, _NOTHING)
            yield from differences(*inner, f"{place}.{name}".lstrip("."))
    elif stated is _NOTHING:
        yield f"{place} is missing"
    elif expected is _NOTHING:
        yield f"{place} should not be there"
    else:
        yield f"{place} is {short(stated)}, should be {short(expected)}"


def custom_differences(line: Mapping[str, Any], custom: Mapping[str, Any]) -> Iterator[str]:
    """Say where the custom fields of a NeMo row are not those of its cut.

    Both renamed what would have covered fields of their own, each in its way; a field is left out
    where it cannot be said which of the other's it was.
    """
    found = {name: value for name, value in line.items() if name not in layout.NEMO_FIELDS}
    for name, value in custom.items():
        if name.startswith(RENAMED) or f"{RENAMED}{name}" in custom:
            continue
        other = found.pop(f"{RENAMED}{name}" if name in layout.NEMO_FIELDS else name, _NOTHING)
        if other is _NOTHING:
            yield f"{name} is missing"
        elif to_json(value) not in {to_json(other), to_json({"value": other})}:
            yield f"{name} is {short(other)}, in the cut {short(value)}"
    for name in found:
        if not name.startswith(RENAMED) and f"{RENAMED}{name}" not in custom:
            yield f"{name} is not in the cut"
