"""lhotse supervisions: what is said of stretches of a recording, and so of the whole of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wavemill.errors import RejectedError
from wavemill.pipelines.ingest.row import Fields, invalid, plain, seconds
from wavemill.records import Span

MAX_CHANNEL = (1 << 15) - 1


def supervision(fields: Any) -> Span:
    """Read a supervision; its start may lie before the cut that it belongs to.

    Its channels are ids still, and its start counts from the cut.

    Raises:
        RejectedError: its times or its channel make no sense.

    """
    if not isinstance(fields, Mapping):
        raise invalid(f"{str(fields)[:40]!r}, expected an object")
    taken = Fields(fields)
    start, duration = taken.number("start"), taken.number("duration")
    before = type(start) in (int, float) and start < 0
    begin = seconds(-start if before else start, "start")
    length = seconds(duration, "duration", above_zero=True)
    if begin is None or length is None:
        raise invalid("a supervision needs start and duration")
    channels = channels_of(taken.number("channel"))
    text = taken.take("text", (str,))
    language, speaker = taken.text("language"), taken.text("speaker")
    for name in ("id", "recording_id"):
        taken.take(name, (str, int, list))
    taken.take("custom", (dict,))
    custom = taken.rest() | _custom(fields)
    if fields.get("id") is not None:
        custom["supervision_id"] = str(fields["id"])
    return Span(
        start_seconds=-begin if before else begin,
        duration_seconds=length,
        channels=channels,
        text=text,
        language=language,
        speaker=speaker,
        custom={name: value for name, value in custom.items() if value is not None},
    )


def custom_fields(fields: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return the custom fields of a recording or cut: those in `custom`, and unknown ones."""
    taken = Fields({name: value for name, value in fields.items() if name not in known})
    taken.take("custom", (dict,))
    return taken.rest() | _custom(fields)


def _custom(fields: Mapping[str, Any]) -> dict[str, Any]:
    custom = fields.get("custom")
    return dict(plain(custom)) if isinstance(custom, dict) else {}


def channels_of(written: Any) -> tuple[int, ...]:
    """Read the ids of channels: one, a list, or none given.

    Raises:
        RejectedError: it is something else.

    """
    listed = [] if written is None else written if isinstance(written, list) else [written]
    if not all(type(channel) is int and 0 <= channel <= MAX_CHANNEL for channel in listed):
        raise invalid(f"channel is {str(written)[:40]}, expected numbers of 0 or more")
    return tuple(sorted(set(listed)))


def positions(channels: Iterable[int], ids: Sequence[int]) -> tuple[int, ...]:
    """Turn ids of channels into their positions in the file, whose channels have `ids` in order.

    Raises:
        RejectedError: an id is not among them.

    """
    if list(ids) == list(range(len(ids))):
        return tuple(channels)  # whether the file has that many shows when it is opened
    missing = [channel for channel in channels if channel not in ids]
    if missing:
        raise invalid(f"channel {missing[0]} is not among the recording's {list(ids)}")
    return tuple(sorted(ids.index(channel) for channel in channels))


def in_file(span: Span, ids: Sequence[int]) -> Span:
    """Turn a supervision's channels into positions in the file; all of them need no naming."""
    if span.channels == tuple(sorted(ids)):
        return replace(span, channels=())
    try:
        return replace(span, channels=positions(span.channels, ids))
    except RejectedError as error:
        return replace(span, channels=(), problem=f"supervision {_name(span)}: {error.detail}")


def in_cut(span: Span, window: Span) -> Span:
    """Move a supervision from the cut's clock to the file's, and clip it to the cut."""
    length = window.duration_seconds or 0.0
    start = max(0.0, span.start_seconds)
    end = min(length, span.start_seconds + (span.duration_seconds or 0.0))
    channels = tuple(sorted({*span.channels} & {*window.channels}))
    if end <= start or (span.channels and window.channels and not channels):
        words = f"from {span.start_seconds:g} s on, in channels {list(span.channels) or 'all'}"
        problem = f"supervision {_name(span)}, {words}, lies outside its cut of {length:g} s"
        return replace(span, channels=(), problem=problem)
    return replace(
        span,
        start_seconds=window.start_seconds + start,
        duration_seconds=end - start,
        channels=channels or span.channels,
    )


def _name(span: Span) -> str:
    return repr(span.custom.get("supervision_id"))


def taken_over(window: Span, span: Span) -> Span:
    """Say of a window all that its only supervision says."""
    return replace(window, custom={**window.custom, **span.custom})


def summed_up(window: Span, spans: Sequence[Span]) -> Span:
    """Say of a window what its supervisions say together.

    That is their texts in the order of their starts, and the language and speaker that all agree
    on. Where one makes no sense, or begins past the end, no text is said rather than a doubtful.
    """
    end = math.inf if window.duration_seconds is None else window.start_seconds
    end += window.duration_seconds or 0.0
    sound = [span for span in spans if span.problem is None and span.start_seconds < end]
    sound.sort(key=lambda span: span.start_seconds)
    texts = [span.text for span in sound if span.text is not None]
    whole = bool(texts) and len(sound) == len(spans)
    return replace(
        window,
        text=" ".join(filter(None, texts)) if whole else None,
        language=_common(span.language for span in sound),
        speaker=_common(span.speaker for span in sound),
    )


def _common(said: Iterable[str | None]) -> str | None:
    values = set(said)
    return values.pop() if len(values) == 1 else None
