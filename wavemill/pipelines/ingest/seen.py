"""What has to be remembered of a corpus while it streams by: on disk, so that memory stays small.

A temporary SQLite database holds which ids are taken, which files a manifest spoke of, which
sources wait to be read, and lhotse's supervisions until their recordings come.
"""

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from wavemill.errors import JobError
from wavemill.records import Span, span_from_json, span_to_json, to_json

CACHE_KIB = 64 << 10
MAX_PHASE = 99

_TABLES = """
CREATE TABLE sources (phase INTEGER, number INTEGER, kind TEXT, url BLOB, root BLOB, version TEXT,
                      PRIMARY KEY (phase, number)) WITHOUT ROWID;
CREATE TABLE ids (id BLOB PRIMARY KEY, owner BLOB) WITHOUT ROWID;
CREATE TABLE lengths (id BLOB PRIMARY KEY, seconds REAL) WITHOUT ROWID;
CREATE TABLE marks (mark BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE supervisions (recording BLOB, start REAL, number INTEGER, place TEXT, span TEXT,
                           PRIMARY KEY (recording, start, number)) WITHOUT ROWID;
"""


class Source(NamedTuple):
    """Something to read: a manifest, a tar, an audio file."""

    kind: str
    url: str
    root: str
    """The folder that the ids of plain audio files count from."""
    version: str = ""


def _key(*parts: str) -> bytes:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()


def _bytes(url: str) -> bytes:
    return url.encode("utf-8", "surrogateescape")  # a local name may hold any byte


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Say where the temporary database lies if it cannot be written.

    Raises:
        JobError: it cannot.

    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise JobError(
            f"cannot keep account of the inputs in {tempfile.gettempdir()} (TMPDIR): {error}; make"
            " room there, or set TMPDIR to a folder on another disk"
        ) from error


class Ledger:
    """The temporary database; one thread at a time. The file goes when it is closed."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")  # never committed: one transaction is the fastest
        self._count = 0

    def close(self) -> None:
        """Let the database go."""
        self._db.close()

    def claim(self, identity: str, owner: str) -> str | None:
        """Take an id; return None, or "same" or "other" where the owner or another has it."""
        key, owned = _key(identity), _key(owner)
        added = self._db.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (key, owned))
        if added.rowcount == 1:
            return None
        found = self._db.execute("SELECT owner FROM ids WHERE id = ?", (key,)).fetchone()
        return "same" if found[0] == owned else "other"

    def note_seconds(self, identity: str, seconds: float) -> None:
        """Remember where a recording ends; the latest end of several counts."""
        self._db.execute(
            "INSERT INTO lengths VALUES (?, ?) ON CONFLICT (id)"
            " DO UPDATE SET seconds = max(seconds, excluded.seconds)",
            (_key(identity), seconds),
        )

    def seconds(self, identity: str) -> float | None:
        """Return where a recording ends, None where it was not noted."""
        query = "SELECT seconds FROM lengths WHERE id = ?"
        found = self._db.execute(query, (_key(identity),)).fetchone()
        return None if found is None else float(found[0])

    def mark(self, group: str, name: str) -> bool:
        """Remember a name in a group; say whether it is new."""
        mark = (_key(group, name),)
        return self._db.execute("INSERT OR IGNORE INTO marks VALUES (?)", mark).rowcount == 1

    def is_marked(self, group: str, name: str) -> bool:
        """Say whether a name was marked."""
        mark = (_key(group, name),)
        return bool(self._db.execute("SELECT 1 FROM marks WHERE mark = ?", mark).fetchone())

    def add_source(self, phase: int, source: Source) -> None:
        """Queue a source; lower phases are read first, and within one the first added."""
        self._count += 1
        row = (phase, self._count, source.kind, _bytes(source.url), _bytes(source.root))
        self._db.execute("INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?)", (*row, source.version))

    def sources(self, phase: int | None = None) -> Iterator[Source]:
        """Yield the queued sources in their order, of one phase or all."""
        query = (
            "SELECT kind, url, root, version FROM sources"
            " WHERE phase BETWEEN ? AND ? ORDER BY phase, number"
        )
        bounds = (0, MAX_PHASE) if phase is None else (phase, phase)
        for kind, url, root, version in self._db.execute(query, bounds):
            yield Source(
                kind,
                url.decode("utf-8", "surrogateescape"),
                root.decode("utf-8", "surrogateescape"),
                version,
            )

    def add_supervision(self, recording_id: str, place: str, span: Span) -> None:
        """Keep an annotation, and the line it came from, until its recording is read."""
        self._count += 1
        body = to_json({"recording_id": recording_id, **span_to_json(span)})
        row = (_key(recording_id), span.start_seconds, self._count, place, body)
        self._db.execute("INSERT INTO supervisions VALUES (?, ?, ?, ?, ?)", row)

    def supervisions(self, recording_id: str) -> Iterator[Span]:
        """Yield a recording's annotations in the order of their starts."""
        query = "SELECT span FROM supervisions WHERE recording = ? ORDER BY start, number"
        for (body,) in self._db.execute(query, (_key(recording_id),)).fetchall():
            fields = json.loads(body)
            del fields["recording_id"]
            yield span_from_json(fields)

    def orphans(self, group: str) -> Iterator[tuple[str, str, Span]]:
        """Yield (recording id, place, span) of the annotations whose recording is not marked."""
        query = "SELECT place, span FROM supervisions ORDER BY number"
        for place, body in self._db.execute(query):
            fields = json.loads(body)
            recording_id = fields.pop("recording_id")
            if not self.is_marked(group, recording_id):
                yield recording_id, place, span_from_json(fields)
