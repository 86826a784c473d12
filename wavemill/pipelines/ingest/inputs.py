"""What the command line names: files, folders, globs and URLs, turned into sources to read."""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence

from wavemill import storage
from wavemill.errors import JobError, RejectedError, StorageError, UsageError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.folders import kind_of_file, sources_below
from wavemill.pipelines.ingest.lines import read_lines
from wavemill.pipelines.ingest.seen import Ledger, Source
from wavemill.pipelines.ingest.tables import check_table

AUDIO_PHASE = 4
PHASES = {
    "lhotse-supervisions": 0,
    "lhotse-cuts": 1,
    "nemo": 1,
    "table": 1,
    "parquet": 1,
    "tar": 1,
    "lhotse-recordings": 2,
    "lhotse-orphans": 3,
    "audio": AUDIO_PHASE,
}
"""Who is read when. Supervisions wait for recordings; cuts win over recordings; and what a manifest
speaks of wins over the same file found in a folder, in whichever order they were given."""

ACCEPTED = (
    "audio files, .tar, manifests (.jsonl, .json, .csv, .tsv, each also .gz, and .parquet), folders"
)

_QUEUED = "sources queued"
_log = logging.getLogger(__name__)


def queue_inputs(inputs: Sequence[str], ledger: Ledger, leave_out: str | None = None) -> None:
    """Find what is to be read and queue it in the ledger; the same source twice counts once.

    The folder `leave_out` is passed over where folders and globs hold it.

    Raises:
        UsageError: an input is not there, holds nothing that can be read, or is a prepared dataset.

    """
    if not inputs:
        raise UsageError(f"no input given; expected {ACCEPTED}, globs or URLs of them")
    passed = places.absolute(leave_out) if leave_out else None
    for written in inputs:
        if not written:
            raise UsageError("an input is empty; is a variable of the command line not set?")
        if storage.holds_secrets(written):
            raise UsageError(
                f"the input {storage.shown(written)} is given with credentials, which would lie in"
                " the dataset: give the plain URL, and them to the store's client (as"
                " AWS_ACCESS_KEY_ID, or ~/.netrc)"
            )
        given = places.absolute(written)
        sources = _expand(given, written, passed)
        first = next(sources, None)
        if first is None:
            raise UsageError(
                f"{written!r} holds nothing that can be read; expected {ACCEPTED}."
                " In a folder, tables and JSON need `manifest` in their names, or be metadata.*"
            )
        _queue(itertools.chain([first], sources), ledger)
    _check_supervisions(ledger)


def _queue(sources: Iterable[Source], ledger: Ledger) -> None:
    for source in sources:
        if ledger.mark(_QUEUED, places.canonical(source.url)):
            ledger.add_source(PHASES[source.kind], source)


def _check_supervisions(ledger: Ledger) -> None:
    annotated = next(ledger.sources(PHASES["lhotse-supervisions"]), None)
    if annotated is None:
        return
    recorded = (*ledger.sources(2), *ledger.sources(1))
    if not any(source.kind in ("lhotse-recordings", "lhotse-cuts") for source in recorded):
        raise UsageError(
            f"{annotated.url} holds supervisions without recordings;"
            " give the recordings manifest (recordings.jsonl.gz) too"
        )
    ledger.add_source(PHASES["lhotse-orphans"], Source("lhotse-orphans", "", ""))


def _expand(url: str, written: str, leave_out: str | None) -> Iterator[Source]:
    """Yield the sources of one input."""
    try:
        if storage.has_glob(url):
            yield from _expand_glob(url, written, leave_out)
        elif _is_folder(url):
            yield from sources_below(url, url, leave_out)
        else:
            _check_exists(url, written)
            yield _named(url)
    except (UsageError, StorageError):
        raise
    except JobError as error:
        raise UsageError(f"{error}; install what it needs, or correct the address") from error
    except Exception as error:  # stores raise what they like: no credentials, no such host
        raise UsageError(
            f"cannot read {written!r}: {error}; check the address and your access to it"
        ) from error


def _check_exists(url: str, written: str) -> None:
    try:
        storage.info(url)
    except (FileNotFoundError, NotADirectoryError) as error:
        words = f"{written!r} does not exist; correct the path or put the data there"
        raise UsageError(words) from error


def _is_folder(url: str) -> bool:
    # An HTTP server would be asked for the whole file to find links in it.
    known = places.suffix_of(url) != "" and url.startswith(("http://", "https://"))
    return not known and storage.is_folder(url)


def _named(url: str) -> Source:
    """Choose the reader of a file that was named."""
    suffix = places.suffix_of(url)
    if suffix in places.ARCHIVE_SUFFIXES:
        raise UsageError(f"{url} is compressed as a whole; decompress it first: audio is read where"
                         " it lies")  # fmt: skip
    kind = kind_of_file(url)
    if kind is None:
        raise UsageError(f"{url}: no reader for the suffix {suffix!r}; expected {ACCEPTED}")
    try:
        if kind in ("table", "parquet"):
            check_table(url)
        elif kind not in ("audio", "tar"):
            _check_readable(url)
    except RejectedError as error:
        raise UsageError(f"{url}: {error.detail}") from error
    return Source(kind, url, places.folder_of(url))


def _check_readable(url: str) -> None:
    lines = read_lines(url)
    try:
        next(lines, None)
    finally:
        lines.close()


def _expand_glob(pattern: str, written: str, leave_out: str | None) -> Iterator[Source]:
    """Yield the sources of what a glob matches; files that no reader takes are left out."""
    root = storage.fixed_part(pattern)
    matches = [
        url
        for url in storage.glob(pattern)
        if not (_is_hidden(url, root) or (leave_out and places.is_below(url, leave_out)))
    ]
    if not matches:
        raise UsageError(f"{written!r} matches nothing; correct the pattern, and quote it")
    for url in matches:
        kind = kind_of_file(url)
        # Stores would be asked about every match.
        if (storage.is_local(url) or not kind) and storage.is_folder(url):
            yield from (
                source._replace(root=root) for source in sources_below(url, root, leave_out)
            )
        elif kind:
            yield _named(url)._replace(root=root)
        else:
            _log.info("left out: no reader for %s", url)


def _is_hidden(url: str, root: str) -> bool:
    return any(part.startswith(".") for part in (places.below(url, root) or "").split("/"))
