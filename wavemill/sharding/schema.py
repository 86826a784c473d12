"""What `dataset.json` looks like, and where a JSON value departs from how it should look."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WHOLE_LIMIT = 2**63
LIMIT = 1e15
"""No honest number of seconds, hours or tokens is larger."""


@dataclass(frozen=True)
class Rule:
    """A value that is no object and no list."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Each:
    """An object with any names that obey a rule, and values of one shape."""

    name: Rule
    shape: "Shape"


@dataclass(frozen=True)
class Maybe:
    """What an object may hold, of one shape."""

    shape: "Shape"


Shape = Rule | Each | Maybe | dict[str, Any] | list[Any]
"""A dict names what an object must hold; a list holds the one shape of all its items."""


def fault(value: Any, shape: Shape, place: str = "") -> str | None:
    """Say where a value first departs from a shape; None where it does not."""
    while isinstance(shape, Maybe):
        shape = shape.shape
    if isinstance(shape, Rule):
        return None if shape.holds(value) else f"{place} is {short(value)}, not {shape.words}"
    if isinstance(shape, list):
        return _list_fault(value, shape[0], place)
    if not isinstance(value, dict):
        return f"{place or 'it'} is {short(value)}, not an object"
    find = _each_fault if isinstance(shape, Each) else _object_fault
    return find(value, shape, place)


def _object_fault(value: dict[str, Any], shape: Any, place: str) -> str | None:
    for name, inner in shape.items():
        if isinstance(inner, Maybe) and name not in value:
            continue
        where = f"{place}.{name}".lstrip(".")
        found = fault(value[name], inner, where) if name in value else f"{where} is missing"
        if found:
            return found
    return None


def _list_fault(value: Any, shape: Shape, place: str) -> str | None:
    if not isinstance(value, list):
        return f"{place} is {short(value)}, not a list"
    faults = (fault(item, shape, f"{place}[{number}]") for number, item in enumerate(value))
    return next(filter(None, faults), None)


def _each_fault(value: dict[str, Any], shape: Any, place: str) -> str | None:
    for name, item in value.items():
        if not shape.name.holds(name):
            return f"{place} has the name {short(name)}, which is not {shape.name.words}"
        if found := fault(item, shape.shape, f"{place}.{name}"):
            return found
    return None


def short(value: Any) -> str:
    """Show a value in a message: never long, always printable."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_whole(value: Any, low: int = 0, high: int = WHOLE_LIMIT) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, low: float = 0) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and low <= value <= LIMIT  # NaN is in no range


def _matches(words: str, pattern: str) -> Rule:
    compiled = re.compile(pattern)
    return Rule(words, lambda value: isinstance(value, str) and bool(compiled.fullmatch(value)))


TEXT = Rule("text", lambda value: isinstance(value, str))
TEXT_OR_NONE = Rule("text, or null", lambda value: value is None or isinstance(value, str))
COUNT = Rule("a whole number of 0 or more", _is_whole)
POSITIVE = Rule("a whole number of 1 or more", lambda value: _is_whole(value, 1))
CODEBOOKS = Rule("a whole number of 1 to 65536", lambda value: _is_whole(value, 1, 65536))
NUMBER = Rule("a number of 0 or more", _is_number)
REAL = Rule("a number", lambda value: _is_number(value, -LIMIT))
RATE = Rule(
    "a number above 0, or null", lambda value: value is None or (_is_number(value) and value > 0)
)
NUMBER_OR_NONE = Rule(
    "a number of 0 or more, or null", lambda value: value is None or _is_number(value)
)
COUNT_OR_NONE = Rule(
    "a whole number of 0 or more, or null", lambda value: value is None or _is_whole(value)
)
SHARE = Rule("a share, 0 to 1", lambda value: _is_number(value) and value <= 1)
STREAM = Rule("an identifier", lambda value: isinstance(value, str) and value.isidentifier())
MEASURED = Rule(
    "a count or a distribution",
    lambda value: _is_whole(value) or fault(value, DISTRIBUTION) is None,
)
REASON = _matches("a reason", r"[a-z-]+")
BUCKET = _matches("a name like bucket-00", r"bucket-[0-9]{2,}")
AUDIO = _matches("flac, opus or none", "flac|opus|none")

DISTRIBUTION: Shape = dict.fromkeys(("count", "sum", "min", "max"), COUNT)

CONTENT: Shape = {
    "wavemill": TEXT,
    "digest": TEXT,
    "inputs": [TEXT],
    "settings": {"audio": AUDIO, "tokenizers": [TEXT]},
    "tokenizers": Each(
        STREAM,
        {
            "name": TEXT,
            "kind": TEXT,
            "sample_rate": POSITIVE,
            "frame_rate": RATE,
            "num_codebooks": CODEBOOKS,
            "codebook_size": CODEBOOKS,
            "weights_digest": TEXT,
            "dtype": TEXT,
            "times": TEXT_OR_NONE,
            "tokens": COUNT,
            "used": COUNT,
            "perplexity": NUMBER,
            "perplexity_by_codebook": [NUMBER],
        },
    ),
    "buckets": [
        {
            "name": BUCKET,
            "max_seconds": NUMBER,
            "max_tokens": COUNT,
            "samples": COUNT,
            "hours": NUMBER,
            "shards": COUNT,
        }
    ],
    "totals": {
        "recordings": COUNT,
        "rejected_recordings": COUNT,
        "samples": COUNT,
        "hours": NUMBER,
        "bytes": COUNT,
        "shards": COUNT,
        "duplicates": COUNT,
    },
    "said": Maybe({"texts": COUNT, "languages": Each(TEXT, COUNT), "licences": Each(TEXT, COUNT)}),
    "quality": Maybe(
        Each(
            STREAM,
            {
                "samples": COUNT,
                **dict.fromkeys(("p1", "p5", "p50", "p95", "p99"), REAL),
                "would_drop": Each(STREAM, {"bound": REAL, "samples": COUNT}),
            },
        )
    ),
    "padding": {"input": SHARE, "tokens": SHARE, "batch_seconds": NUMBER},
    "rejected": Each(REASON, COUNT),
    "run": Maybe(_matches("run.json", r"run\.json")),
    "content_sha256": Maybe(TEXT),
    "shards": [
        {
            "bucket": BUCKET,
            "number": COUNT,
            "samples": COUNT,
            "seconds": NUMBER,
            "files": [{"path": TEXT, "bytes": COUNT, "sha256": TEXT}],
        }
    ],
}
"""What readers may count on in a `dataset.json`; it may hold more."""

RUN_CONTENT: Shape = {
    "dataset": TEXT,
    "started": TEXT,
    "ended": TEXT,
    "seconds": NUMBER,
    "steps": Each(TEXT, NUMBER),
    "hours": NUMBER_OR_NONE,
    "hours_an_hour": NUMBER_OR_NONE,
    "runner": TEXT_OR_NONE,
    "workers": Each(TEXT, COUNT_OR_NONE),
    "reused_units": COUNT,
    "rejected": Each(REASON, COUNT),
    "metrics": Each(STREAM, MEASURED),
    "versions": Each(TEXT, TEXT),
}
"""What readers may count on in a `run.json`."""
