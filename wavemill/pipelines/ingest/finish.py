"""What every row goes through whatever its format: its file is looked up, its id made and claimed.

Lookups on object stores overlap; rows keep their order.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

from wavemill import storage
from wavemill.errors import JobError, StorageError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.before import Before, owner_of, with_window
from wavemill.pipelines.ingest.row import STAGE, Row
from wavemill.pipelines.ingest.seen import Ledger
from wavemill.records import (
    DUPLICATE_ID,
    MISSING_FILE,
    UNREADABLE,
    Recording,
    Reject,
    path_id,
    safe_key,
)

LOOKUPS = 32
"""At a time, on remote stores."""

Problem = tuple[str, str]
"""The reason and detail of a reject."""

Lookup = str | Problem
"""The version of a file, or why there is none."""


def finish(
    rows: Iterable[Row], ledger: Ledger, before: Before | None = None
) -> Iterator[Recording | Reject]:
    """Turn rows into recordings with versions and unique ids, or into rejects.

    A row of a recording that was there `before` comes to nothing, and is counted there.
    """
    for row, found in look_up(rows):
        outcome = row.outcome
        if isinstance(outcome, Reject):
            yield _printable(outcome)
        elif storage.holds_secrets(outcome.url):
            yield _secret(row, outcome)
        elif isinstance(found, tuple):
            yield _reject(row, outcome, _name(row, outcome), *found)
        elif not _may_read(outcome):
            words = "no permission to read the file; give it"
            yield _reject(row, outcome, _name(row, outcome), UNREADABLE, words)
        elif (result := _identified(row, outcome, found, ledger, before)) is not None:
            yield result
        elif before is not None:
            before.skipped += 1


def look_up(rows: Iterable[Row]) -> Iterator[tuple[Row, Lookup]]:
    """Pair each row with its file's version, or with what is wrong with the file."""
    waiting: deque[tuple[Row, Lookup | Future[Lookup]]] = deque()
    with ThreadPoolExecutor(LOOKUPS, thread_name_prefix="wavemill-lookup") as pool:
        for row in rows:
            outcome = row.outcome
            if isinstance(outcome, Reject) or outcome.version:
                waiting.append((row, getattr(outcome, "version", "")))
            elif storage.is_local(outcome.url):
                waiting.append((row, version_of(outcome.url)))
            else:
                waiting.append((row, pool.submit(version_of, outcome.url)))
            while waiting and (len(waiting) > 2 * LOOKUPS or _is_done(waiting[0][1])):
                yield _popped(waiting)
        while waiting:
            yield _popped(waiting)


def _is_done(found: Lookup | Future[Lookup]) -> bool:
    return not isinstance(found, Future) or found.done()


def _popped(waiting: deque[tuple[Row, Lookup | Future[Lookup]]]) -> tuple[Row, Lookup]:
    row, found = waiting.popleft()
    return row, found.result() if isinstance(found, Future) else found


def version_of(url: str) -> Lookup:
    """Return a file's version ("" where a server does not tell), or what is wrong with it.

    Raises:
        JobError: the disk that it lies on is gone.

    """
    try:
        found = storage.info(url)
    except FileNotFoundError:
        return MISSING_FILE, "there is no such file; correct the path or put the file there"
    except NotADirectoryError:
        return MISSING_FILE, "a part of the path is a file, not a folder; correct the path"
    except StorageError:  # nothing is wrong with the file
        raise
    except OSError as error:
        if storage.is_local(url) and not storage.is_of_the_file(storage.local_path(url), error):
            words = f"cannot look {url} up: {error.strerror or error}"
            raise JobError(f"{words}; {storage.remedy(error)}") from error
        return UNREADABLE, f"cannot look the file up: {error}"
    except Exception as error:  # noqa: BLE001 - stores raise what they like
        return UNREADABLE, f"cannot look the file up: {error}"
    if not found.is_file:
        return UNREADABLE, "a folder or device, expected an audio file; correct the path"
    return found.version


def _may_read(recording: Recording) -> bool:
    """Say whether a local file may be read: found later, a reject would outlast the permission."""
    if recording.member or not storage.is_local(recording.url):
        return True
    path = storage.local_path(recording.url)
    return _may(path, os.R_OK) or not _may(path, os.F_OK)


def _may(path: str, what: int) -> bool:
    return os.access(path, what, effective_ids=os.access in os.supports_effective_ids)


def _name(row: Row, recording: Recording) -> str:
    return safe_key(recording.id) if recording.id else path_id(with_window(row.path, recording))


def _identified(
    row: Row, recording: Recording, version: str, ledger: Ledger, before: Before | None
) -> Recording | Reject | None:
    if not _is_text(recording.source):
        words = "its name is not UTF-8; rename it"
        return _reject(row, recording, _name(row, recording), UNREADABLE, words)
    owner = owner_of(recording)
    if before is not None and before.holds_file(recording, version, ledger):
        return None
    taken: str | None = None
    for name in chain([_name(row, recording)], _longer_names(row, recording)):
        taken = ledger.claim(name, owner)
        if taken and before is not None and before.holds(name, recording, version, ledger):
            return None
        if taken != "other":
            break
    if taken:
        words = f"the id {recording.id or name!r} is taken by an earlier row; give each row its own"
        return _reject(row, recording, name, DUPLICATE_ID, words)
    if recording.id and name != recording.id:
        custom = {**recording.window.custom, "original_id": recording.id}
        window = replace(recording.window, custom=custom)
        return replace(recording, id=name, version=version, window=window)
    return replace(recording, id=name, version=version)


def _longer_names(row: Row, recording: Recording) -> Iterator[str]:
    """Tell namesakes in several folders or tars apart by the folders above them."""
    path = row.path
    if not path:
        return
    if recording.member:
        yield path_id(with_window(path, recording))
        above = places.folder_of(recording.url).split("/")
    else:
        above = recording.url.split("/")[: -path.count("/") - 1]
    for folder in reversed(above):
        path = f"{folder}/{path}"
        yield path_id(with_window(path, recording))


def _secret(row: Row, recording: Recording) -> Reject:
    """Reject a row whose URL would carry a password or a signature into the dataset."""
    url = storage.shown(recording.url)
    shown = replace(recording, url=url)
    words = (
        "its URL holds credentials, which would lie in the dataset; give the plain URL, and the"
        " credentials to the store's client (as AWS_ACCESS_KEY_ID, or ~/.netrc)"
    )
    return _reject(row, shown, path_id(url), UNREADABLE, words)


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable(reject: Reject) -> Reject:
    """Write bytes that are no text as escapes, so that every reader of rejects takes them."""
    if _is_text(reject.source) and _is_text(reject.detail):
        return reject
    return replace(reject, source=_escaped(reject.source), detail=_escaped(reject.detail))


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _reject(row: Row, recording: Recording, name: str, reason: str, detail: str) -> Reject:
    where = f" ({row.where})" if row.where else ""
    return _printable(
        Reject(id=name, stage=STAGE, reason=reason, detail=detail + where, source=recording.source)
    )
