"""lhotse manifests: recordings with their supervisions, and cuts. lhotse itself is not needed.

Supervisions are read first and wait in the ledger. Cuts come before recordings, and a recording
whose file a cut spoke of is passed over: its cuts stand for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wavemill import storage
from wavemill.errors import RejectedError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.lines import read_objects
from wavemill.pipelines.ingest.row import Manifest, Row, invalid, read_spans, seconds
from wavemill.pipelines.ingest.seen import Ledger, Source
from wavemill.pipelines.ingest.supervisions import (
    channels_of,
    custom_fields,
    in_cut,
    in_file,
    positions,
    summed_up,
    supervision,
    taken_over,
)
from wavemill.records import INVALID_ROW, UNSUPPORTED, Recording, Reject, Span, safe_key

_CUTS = ("MonoCut", "MultiCut", "DataCut", "MixedCut", "PaddingCut")
_CUT_FILES = "files of cuts"
_RECORDINGS = "lhotse recordings"
_LACKING = "recordings that lack a supervision, which was rejected"
_HARMLESS_TRANSFORMS = ("Resample",)
_ABOUT_RECORDING = (
    "id", "sources", "sampling_rate", "num_samples", "duration", "channel_ids", "transforms",
)  # fmt: skip
_ABOUT_CUT = (
    "id", "type", "start", "duration", "channel", "supervisions", "features", "recording",
)  # fmt: skip
"""Fields of a recording or cut that lhotse itself reads; the others are custom."""


def lhotse_kind(fields: Mapping[str, Any]) -> str | None:
    """Tell from its first object what a manifest holds; None where it is not lhotse's."""
    if fields.get("type") in _CUTS or {"start", "duration", "supervisions"} <= fields.keys():
        return "lhotse-cuts"
    if isinstance(fields.get("sources"), list):
        return "lhotse-recordings"
    if {"recording_id", "start", "duration"} <= fields.keys():
        return "lhotse-supervisions"
    return None


def read_supervisions(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Put supervisions into the ledger; yield only what is wrong."""
    manifest = Manifest(source.url)
    for number, fields in read_objects(manifest):
        if isinstance(fields, Reject):
            yield Row(fields)
            continue
        try:
            recording_id = _identity(fields, "recording_id")
            span = supervision(fields)
            if span.start_seconds < 0:
                raise invalid(f"start is {span.start_seconds:g}, expected at least 0 (seconds)")
            ledger.add_supervision(recording_id, manifest.where(number), span)
        except RejectedError as error:
            ledger.mark(_LACKING, str(fields.get("recording_id")))
            yield Row(_reject(manifest, number, error, fields))


def read_orphans(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Reject the supervisions of which no recording came; read after all recordings."""
    del source
    for recording_id, place, span in ledger.orphans(_RECORDINGS):
        name = str(span.custom.get("supervision_id") or place)
        detail = f"{place}: its recording {recording_id!r} is not among the inputs; add it"
        yield Row(
            Reject(id=safe_key(name), stage="ingest", reason=INVALID_ROW, detail=detail,
                   source=place.partition(" of ")[2])
        )  # fmt: skip


def read_recordings(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield one row a recording, but for those whose file a cut spoke of."""
    manifest = Manifest(source.url)
    for number, fields in read_objects(manifest):
        if isinstance(fields, Reject):
            yield Row(fields)
            continue
        url = None
        try:
            identity = _identity(fields, "id")
            ledger.mark(_RECORDINGS, identity)
            url = _audio_url(fields, manifest)
            if ledger.is_marked(_CUT_FILES, places.canonical(url)):
                continue
            recording = _whole(fields, identity, url, ledger.supervisions(identity))
            if ledger.is_marked(_LACKING, identity):  # the texts of the others have a gap
                recording = replace(recording, window=replace(recording.window, text=None))
            yield Row(recording, url=url, where=manifest.where(number))
        except RejectedError as error:
            yield Row(_reject(manifest, number, error, fields), url=url)


def read_cuts(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield one row a cut."""
    manifest = Manifest(source.url)
    for number, fields in read_objects(manifest):
        if isinstance(fields, Reject):
            yield Row(fields)
            continue
        url = None
        try:
            audio = _recording_of(fields)
            ledger.mark(_RECORDINGS, str(audio.get("id")))
            url = _audio_url(audio, manifest)
            ledger.mark(_CUT_FILES, places.canonical(url))
            yield Row(_cut(fields, url), url=url, where=manifest.where(number))
        except RejectedError as error:
            yield Row(_reject(manifest, number, error, fields), url=url)


def _reject(
    manifest: Manifest, number: int, error: RejectedError, fields: Mapping[str, Any]
) -> Reject:
    identity = fields.get("id")
    key = safe_key(identity) if isinstance(identity, str) and identity else ""
    return manifest.reject(number, error.reason, error.detail, key)


def _identity(fields: Mapping[str, Any], name: str) -> str:
    identity = fields.get(name)
    if type(identity) not in (str, int) or identity == "":
        raise invalid(f"{name} is {str(identity)[:40]!r}, expected a name")
    return str(identity)


def _audio_url(recording: Mapping[str, Any], manifest: Manifest) -> str:
    """Find the file of a recording; relative paths count from here, or from the manifest."""
    sources = recording.get("sources")
    if not isinstance(sources, list) or not all(isinstance(part, dict) for part in sources):
        raise invalid("the recording has no list of sources")
    if len(sources) != 1:
        words = f"{len(sources)} sources in one recording; merge the channels into one file"
        raise RejectedError(UNSUPPORTED, words)
    kind, path = sources[0].get("type"), sources[0].get("source")
    if kind not in ("file", "url"):
        words = f"source of type {kind!r}; save the audio to files, as `cut.save_audio` does"
        raise RejectedError(UNSUPPORTED, words)
    if not isinstance(path, str) or not path:
        raise invalid("the source names no file")
    if "://" in path or path.startswith("/"):
        return storage.local_path(path)
    here = places.absolute(path)
    return here if _is_file(here) else places.resolve(path, manifest.folder)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name too long, or with a zero byte
        return False


def _check_transforms(recording: Mapping[str, Any]) -> None:
    transforms = recording.get("transforms") or []
    if not isinstance(transforms, list):
        raise invalid("the recording's transforms are no list")
    for transform in transforms:
        name = transform.get("name") if isinstance(transform, dict) else None
        if name not in _HARMLESS_TRANSFORMS:
            words = f"transform {name!r} is to be applied; save the audio with it applied"
            raise RejectedError(UNSUPPORTED, words)


def _whole(
    fields: Mapping[str, Any], identity: str, url: str, supervisions: Iterable[Span]
) -> Recording:
    _check_transforms(fields)
    ids = _channel_ids(fields)
    duration = seconds(fields.get("duration"), "duration", above_zero=True)
    window = Span(
        start_seconds=0.0, duration_seconds=duration, custom=custom_fields(fields, _ABOUT_RECORDING)
    )
    spans = tuple(in_file(span, ids) for span in supervisions)
    if len(spans) == 1 and spans[0].covers(window):
        window = taken_over(window, spans[0])
    return Recording(id=identity, url=url, window=summed_up(window, spans), spans=spans)


def _channel_ids(recording: Mapping[str, Any]) -> list[int]:
    """Return the ids of a file's channels, in the order that they lie in it."""
    ids = recording["sources"][0].get("channels")
    known = isinstance(ids, list) and all(type(channel) is int for channel in ids)
    return ids if known else []


def _recording_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = fields.get("type", "MonoCut")
    if kind not in ("MonoCut", "MultiCut", "DataCut"):
        words = f"a {kind} is made of other cuts; save its audio with `cut.save_audio`"
        raise RejectedError(UNSUPPORTED, words)
    recording = fields.get("recording")
    if not isinstance(recording, dict):
        raise invalid("the cut has no recording in it; write the cuts with their recordings")
    return recording


def _cut(fields: Mapping[str, Any], url: str) -> Recording:
    recording = fields["recording"]
    _check_transforms(recording)
    ids = _channel_ids(recording)
    start = seconds(fields.get("start"), "start")
    duration = seconds(fields.get("duration"), "duration", above_zero=True)
    if start is None or duration is None:
        raise invalid("a cut needs start and duration")
    supervisions = fields.get("supervisions") or []
    if not isinstance(supervisions, list):
        raise invalid("the cut's supervisions are no list")
    window = Span(
        start_seconds=start,
        duration_seconds=duration,
        channels=positions(channels_of(fields.get("channel")), ids),
        custom=custom_fields(recording, _ABOUT_RECORDING) | custom_fields(fields, _ABOUT_CUT),
    )
    spans = tuple(
        span if span.problem else in_cut(in_file(span, ids), window)
        for span in read_spans(supervisions, supervision, "supervision")
    )
    if len(spans) == 1 and spans[0].problem is None:  # a cut is made for what it holds
        window = taken_over(window, spans[0])
    return Recording(
        id=_identity(fields, "id"),
        url=url,
        window=summed_up(window, spans),
        explicit_window=True,
        spans=spans,
    )
