"""What readers yield, and how the fields of a manifest's row become a recording."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from wavemill.errors import RejectedError
from wavemill.pipelines.ingest import places
from wavemill.records import INVALID_ROW, Recording, Reject, Span, path_id, safe_key

STAGE = "ingest"

ALIASES: Mapping[str, tuple[str, ...]] = {
    "path": ("audio_filepath", "audio", "audio_path", "path", "file", "file_name", "wav"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text"),
    "language": ("lang", "language"),
    "speaker": ("speaker", "speaker_id", "spk"),
    "id": ("id",),
    "offset": ("offset",),
    "duration": ("duration",),
}
"""What a field may be called in NeMo rows, tables and tars; the first that is filled counts."""

MAX_SECONDS = 1e9
"""Thirty years: no recording is as long, and samples past it are no whole numbers any more."""
MAX_DEPTH = 64
"""JSON nested deeper would end some later reader by its recursion limit."""


class Row(NamedTuple):
    """One row as a reader found it; ids, duplicates and the file behind it are looked at later."""

    outcome: Recording | Reject
    """A recording has the id that was given, or "" where it is to be made of `path`."""
    path: str = ""
    """What the id is made of; a tar's samples have one besides their id, for namesakes.

    "" where the given id is all there is.
    """
    url: str | None = None
    """The file that the row speaks of, also if the row was rejected."""
    where: str = ""
    """The line and manifest, for messages."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The file whose rows are read."""

    url: str
    unit: str = "line"

    @property
    def folder(self) -> str:
        """Where relative paths begin."""
        return places.folder_of(self.url)

    def where(self, number: int) -> str:
        """Name a row, for people."""
        return f"{self.unit} {number} of {self.url}"

    def reject(self, number: int, reason: str, detail: str, identity: str = "") -> Reject:
        """Reject a row; without an id it is called after its line."""
        return Reject(
            id=identity or safe_key(f"{places.name_of(self.url)}-{self.unit}-{number}"),
            stage=STAGE,
            reason=reason,
            detail=f"{self.unit} {number}: {detail}",
            source=self.url,
        )


def invalid(detail: str) -> RejectedError:
    """Return the error of a row that cannot be used."""
    return RejectedError(INVALID_ROW, detail)


class Fields:
    """Takes fields out of a row under any of their names; what is left is custom."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self._taken: set[str] = set()

    def take(self, name: str, types: tuple[type, ...]) -> Any:
        """Take the first filled field of one of the types; None where there is none."""
        for alias in ALIASES.get(name, (name,)):
            if alias not in self._row:
                continue
            value = self._row[alias]
            if value is None or type(value) in types:
                self._taken.add(alias)
            if value is not None and type(value) in types and (value != "" or name == "text"):
                return value
        return None

    def text(self, name: str) -> str | None:
        """Take a text; a number counts as one, and NaN, which tables have for nothing, as none."""
        value = self.take(name, (str, int, float))
        missing = value is None or (isinstance(value, float) and math.isnan(value))
        return None if missing else str(value)

    def number(self, name: str) -> Any:
        """Take a field that has to be a number, whatever it is."""
        for alias in ALIASES.get(name, (name,)):
            self._taken.add(alias)
        return next((self._row[a] for a in ALIASES.get(name, (name,)) if a in self._row), None)

    def rest(self) -> dict[str, Any]:
        """Return what was not taken, as JSON can hold it."""
        return {
            str(name): value if type(value) in _PLAIN else plain(value)
            for name, value in self._row.items()
            if name not in self._taken
        }


_PLAIN = (str, int, bool, type(None))


def plain(value: Any, depth: int = 0) -> Any:
    """Turn a value into what JSON can hold: no infinities, no bytes, not too deep.

    Raises:
        RejectedError: it is nested deeper than `MAX_DEPTH`.

    """
    if depth > MAX_DEPTH:
        raise invalid(f"nested deeper than {MAX_DEPTH} levels; flatten it")
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part, depth + 1) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def seconds(value: Any, name: str, *, above_zero: bool = False) -> float | None:
    """Check a number of seconds; None stays None.

    Raises:
        RejectedError: it is no number, or less than zero, or zero where it must not be, or more
            than `MAX_SECONDS`.

    """
    if value is None:
        return None
    wanted = f"a number {'above' if above_zero else 'of at least'} 0"
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.inf
    if not 0 <= number <= MAX_SECONDS or (above_zero and number == 0):
        if number > MAX_SECONDS:
            wanted += f" and at most {MAX_SECONDS:.0e}"
        raise invalid(f"{name} is {_shown(value)}, expected {wanted} (seconds)")
    return number


def _shown(value: Any) -> str:
    """Quote a value; a text is called one, lest '1' look like the number that was wanted."""
    return f"{'the text ' if isinstance(value, str) else ''}{str(value)[:40]!r}"


def row_of_fields(row: Mapping[str, Any], manifest: Manifest, number: int, folder: str) -> Row:
    """Turn the fields of a NeMo or table row into a recording or a reject."""
    fields = Fields(row)
    url, path, identity = None, "", ""
    try:
        written = fields.take("path", (str,))
        if not written:
            names = ", ".join(ALIASES["path"])
            raise invalid(f"no path of an audio file; expected one of the fields {names}")
        url = places.resolve(written, folder)
        path = places.id_path(written, url, folder)
        identity = fields.text("id") or ""
        recording = described(fields, url, identity)
    except RejectedError as error:
        # Another row of this file may come through, under the id that its path makes.
        key = safe_key(identity) if identity else path and path_id(f"{path}#{number}")
        return Row(manifest.reject(number, error.reason, error.detail, key), url=url)
    return Row(recording, "" if identity else path, url, manifest.where(number))


def described(
    fields: Fields,
    url: str,
    identity: str,
    more: Mapping[str, Any] | None = None,
    **place: Any,
) -> Recording:
    """Make a recording of what a row says beyond its path.

    `more` are custom fields besides those left over, `place` the recording's place in a tar.

    Raises:
        RejectedError: an offset or a duration makes no sense.

    """
    offset = seconds(fields.number("offset"), "offset")
    duration = seconds(fields.number("duration"), "duration", above_zero=True)
    text, language = fields.text("text"), fields.text("language")
    speaker = fields.text("speaker")
    custom = fields.rest() | dict(more or {})
    window = Span(
        start_seconds=offset or 0.0,
        duration_seconds=duration,
        text=text,
        language=language,
        speaker=speaker,
        custom=custom,
    )
    spans = _segments(custom.get("segments"))
    if offset is not None:
        spans = tuple(clipped(span, window) for span in spans)
    return Recording(
        id=identity,
        url=url,
        window=window,
        explicit_window=offset is not None,
        spans=spans,
        **place,
    )


def clipped(span: Span, window: Span) -> Span:
    """Clip a span to its row's window, both on the file's clock; outside it, it is a problem."""
    if span.problem is not None:
        return span
    low, high = window.start_seconds, window.end_seconds
    start, end = max(low, span.start_seconds), min(high, span.end_seconds)
    if end <= start:
        words = f"from {span.start_seconds:g} s to {span.end_seconds:g} s"
        problem = f"a segment {words} lies outside its row's {low:g} s to {high:g} s"
        return replace(span, problem=problem)
    duration = None if math.isinf(end) else end - start
    return replace(span, start_seconds=start, duration_seconds=duration)


def read_spans(items: Sequence[Any], read: Callable[[Any], Span], name: str) -> tuple[Span, ...]:
    """Read a row's annotations; one that makes no sense becomes a span that says so."""
    spans = []
    for number, item in enumerate(items, 1):
        try:
            spans.append(read(item))
        except RejectedError as error:
            problem = f"{name} {number} of {len(items)}: {error.detail}"
            spans.append(Span(start_seconds=0.0, custom=as_written(item), problem=problem))
    return tuple(spans)


def as_written(item: Any) -> Mapping[str, Any]:
    """Return what can be kept of an object that cannot be read."""
    try:
        return dict(plain(item)) if isinstance(item, Mapping) else {}
    except RejectedError:
        return {}


def _segments(items: Any) -> tuple[Span, ...]:
    """Read `[start, end, text]` lists or objects; a field of another shape is just custom."""
    if not isinstance(items, list) or not any(map(_is_segment, items)):
        return ()
    return read_spans(items, _segment, "segment")


def _is_segment(item: Any) -> bool:
    if isinstance(item, list):
        return len(item) >= 2 and all(type(part) in (int, float, type(None)) for part in item[:2])
    return isinstance(item, dict) and "start" in item and ("end" in item or "duration" in item)


def _segment(item: Any) -> Span:
    if not _is_segment(item):
        raise invalid(f"{str(item)[:40]!r}, expected [start, end, text] or an object with them")
    if isinstance(item, list):
        item = {"start": item[0], "end": item[1], "text": item[2] if len(item) > 2 else None}
    fields = Fields(item)
    start = seconds(fields.number("start"), "start")
    end = seconds(fields.number("end"), "end")
    duration = seconds(fields.number("duration"), "duration")
    if start is None or (duration is None and (end is None or end < start)):
        raise invalid(f"it goes from {start} to {end} s, expected start <= end")
    text = fields.take("text", (str,))
    language, speaker = fields.text("language"), fields.text("speaker")
    return Span(
        start_seconds=start,
        duration_seconds=end - start if duration is None and end is not None else duration,
        text=text,
        language=language,
        speaker=speaker,
        custom=fields.rest(),
    )
