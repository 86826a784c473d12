"""Folders: the manifests, tars and audio files below them, and which of these are read."""

import json
import logging
import re
from collections.abc import Iterator

from wavemill import storage
from wavemill.errors import RejectedError, UsageError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.lhotse import lhotse_kind
from wavemill.pipelines.ingest.lines import parse_object, read_lines
from wavemill.pipelines.ingest.row import ALIASES, Row
from wavemill.pipelines.ingest.seen import Ledger, Source
from wavemill.pipelines.ingest.tables import check_table
from wavemill.pipelines.outdir import MARK, SPOOL
from wavemill.records import Recording

REFERRED = "files that a row spoke of"
SNIFFED_LINES = 20

_log = logging.getLogger(__name__)
_MANIFEST_NAME = re.compile(r"metadata\.|.*manifest")
_LHOTSE_NAME = re.compile(r".*(recordings|supervisions|cuts)")
"""Names of manifests in a folder; other files of their formats may hold anything."""

_TABLES = {"csv": "table", "tsv": "table", "parquet": "parquet"}


def read_audio(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield a row for an audio file that no manifest spoke of."""
    if ledger.mark(REFERRED, places.canonical(source.url)):
        path = places.below(source.url, source.root) or places.name_of(source.url)
        yield Row(Recording(id="", url=source.url, version=source.version), path, source.url)


def kind_of_file(url: str) -> str | None:
    """Choose the reader of a file by its suffix, and of a JSON manifest by its first lines."""
    suffix = places.suffix_of(url)
    if suffix in places.AUDIO_SUFFIXES:
        return "audio"
    if suffix == "tar":
        return "tar"
    plain = suffix.removesuffix(".gz")
    if plain in places.MANIFEST_SUFFIXES or plain == "parquet":
        return _TABLES.get(plain) or sniff(url) or "nemo"
    return None


def sniff(url: str) -> str | None:
    """Tell which manifest a file of JSON lines is; None where it looks like none."""
    lines = read_lines(url)
    try:
        for number, line in lines:
            if number > SNIFFED_LINES:
                break
            try:
                fields = parse_object(line)
            except RejectedError:
                continue
            # lhotse's objects name their files deeper inside; its field names may be custom here.
            if any(isinstance(fields.get(name), str) for name in ALIASES["path"]):
                return "nemo"
            if kind := lhotse_kind(fields):
                return kind
    except RejectedError as error:
        _log.debug("%s: %s", url, error)  # reading it will say so again, as a reject
    finally:
        lines.close()
    found = re.search(r"recordings|supervisions|cuts", places.name_of(url))
    return f"lhotse-{found[0]}" if found else None


def sources_below(folder: str, root: str, leave_out: str | None = None) -> Iterator[Source]:
    """Yield what a folder holds, at any level; audio files too that a manifest speaks of.

    The folder `leave_out` is passed over.

    Raises:
        UsageError: it is a prepared dataset, or it cannot be listed.

    """
    try:
        for found in storage.list_files(folder, leave_out):
            if places.name_of(found.url) == "dataset.json":
                refuse_prepared(found.url)
            if found.url.endswith(f"/{SPOOL}/{MARK}"):
                refuse_unfinished(found.url)
            kind = _kind_in_folder(found.url)
            if kind:
                yield Source(kind, found.url, root, found.version)
    except OSError as error:
        raise UsageError(f"cannot list {folder}: {error}; check its permissions") from error


def _kind_in_folder(url: str) -> str | None:
    """Choose the reader of a file that was found, not named: other files of its kind are left."""
    name, suffix = places.name_of(url).lower(), places.suffix_of(url).removesuffix(".gz")
    if suffix in places.AUDIO_SUFFIXES or suffix == "tar":
        return kind_of_file(url)
    if suffix in _TABLES and _MANIFEST_NAME.match(name):
        try:
            check_table(url)
        except UsageError as error:
            _log.warning("left out: %s", error)
            return None
        except RejectedError as error:
            _log.debug("%s: %s", url, error)  # reading it will say so again, as a reject
        return _TABLES[suffix]
    named = _LHOTSE_NAME.match(name) or _MANIFEST_NAME.match(name)
    if named and suffix in places.MANIFEST_SUFFIXES and suffix not in _TABLES:
        return sniff(url) or (None if suffix == "json" else "nemo")
    return None


def refuse_unfinished(url: str) -> None:
    """Refuse the folder whose spool's mark is at `url`: its shards would be taken for audio.

    Raises:
        UsageError: always.

    """
    folder = places.folder_of(places.folder_of(url))
    raise UsageError(
        f"{folder} is the output of another job; move it out of the input, or give the corpus's own"
        " folders"
    )


def refuse_prepared(url: str) -> None:
    """Refuse the folder of a `dataset.json` that wavemill wrote.

    Raises:
        UsageError: it is one.

    """
    try:
        value = json.loads(storage.read_bytes(url))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(value, dict) and "wavemill" in str(value.get("format", "")).lower():
        raise UsageError(
            f"{places.folder_of(url)} is a prepared dataset already;"
            " give the corpus that it was made from, or join datasets with `wavemill merge`"
        )
