"""One job an output folder on a store: a small file there says who writes, and for how long yet.

It is written by conditional puts, so that of two takers one wins, and renewed while the job runs.
Who was killed renews it no more: another job takes over at once if it can see that the process is
gone, else when the lease has run out, by the store's clock. A store without conditional puts gets
an ordinary one, a pause, and a look at who came last.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import JobError, WavemillError
from wavemill.pipelines import engine

LEASE_SECONDS = 60.0
"""Without a renewal, after which a lease is another's to take."""
RENEW_SECONDS = 15.0
POLL_SECONDS = 2.0
SETTLE_SECONDS = 5.0
"""More than a put of another taker may take, where the store does not compare."""
SLACK_SECONDS = 3.0
"""A store may write the second alone of when a file was written."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lease."""

    owner: str
    host: str
    pid: int
    machine: str
    """A digest of what tells this machine's processes from others'; empty where nothing does."""
    started: str
    """When the process was started, as its machine counts."""
    since: str
    renewals: int = 0
    lease_seconds: float = LEASE_SECONDS

    def to_bytes(self) -> bytes:
        """Return it as the file holds it."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Holder | None":
        """Read it; None if nobody holds the lease."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return None

    @property
    def lives(self) -> bool | None:
        """Say whether the process runs; None if that cannot be seen from here."""
        if not self.machine or self.machine != _machine():
            return None
        return _started(self.pid) == self.started


def _machine() -> str:
    """Name this boot of this machine, and the space that process ids count in."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        return digest([socket.gethostname(), boot, str(Path("/proc/self/ns/pid").readlink())])
    return ""


def _started(pid: int) -> str:
    """Return when a process was started; empty if there is none, or none that still runs."""
    with contextlib.suppress(OSError):
        about = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if about[0] in "ZX" else about[19]
    return ""


class Lease:
    """A lease on a folder, held by this process."""

    def __init__(self, url: str, out: str, say: Callable[[str], None]) -> None:
        """Take nothing yet.

        Args:
            url: of the file.
            out: what the lease is for, as messages call it.
            say: takes a line for the user.

        """
        self._url, self._out, self._say = url, out, say
        self._me = Holder(
            owner=uuid.uuid4().hex,
            host=socket.gethostname(),
            pid=os.getpid(),
            machine=_machine(),
            started=_started(os.getpid()),
            since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        )
        self._version: str | None = None
        self._compares = storage.compares(url)
        self._lost: JobError | None = None
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="wavemill-lease", daemon=True)

    def take(self) -> None:
        """Take the lease, if need be after one that ran out, and begin to renew it.

        Raises:
            JobError: another job holds it.

        """
        while self._version is None:
            held = storage.look(self._url)
            holder = _holder_of(held)
            if held and holder and holder.owner == self._me.owner:
                self._version = held.version  # the answer to our own put was lost
            elif held is None or holder is None or self._is_over(held, holder):
                self._put(held.version if held else None)
            if self._version is not None:
                self._confirm()
        self._thread.start()

    def check(self) -> None:
        """Renew the lease now.

        Raises:
            JobError: it is another's, or the store cannot be asked.

        """
        with self._lock:
            if self._lost is None:
                self._renew()
            if self._lost is not None:
                raise self._lost

    def release(self) -> None:
        """Give the lease back, if it still is ours."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(WavemillError, OSError):
            if self._version is not None and self._lost is None:
                self._version = storage.put_if(self._url, b"{}", self._version)
                if self._version is not None:
                    storage.remove_if(self._url, self._version)

    def _put(self, version: str | None) -> None:
        self._version = storage.put_if(self._url, self._me.to_bytes(), version)

    def _is_over(self, held: storage.Written, holder: Holder) -> bool:
        """Say whether another's lease may be taken, after a wait if that is not known.

        False: it is not what it was; look again.

        Raises:
            JobError: the other job runs.

        """
        if holder.lives:
            raise self._refusal(holder)
        if holder.lives is False or _is_old(held, holder):
            return True
        self._say(
            f"{self._out}: held by process {holder.pid} on {holder.host} since {holder.since};"
            f" waiting up to {holder.lease_seconds:.0f} s to see whether it still runs"
        )
        began = time.monotonic()
        while not _is_old(held, holder):
            if time.monotonic() - began > holder.lease_seconds + SLACK_SECONDS:
                return True
            time.sleep(POLL_SECONDS)
            now = storage.look(self._url)
            if now is None or now.version != held.version:
                owner = _holder_of(now)
                if owner and owner.owner == holder.owner:
                    raise self._refusal(owner)
                return False
            held = now
        return True

    def _refusal(self, holder: Holder) -> JobError:
        return JobError(
            f"another job is writing to {self._out}: process {holder.pid} on {holder.host}, since"
            f" {holder.since}; wait for its end, or give another --out"
        )

    def _confirm(self) -> None:
        """See to it that we alone hold what we took; else forget it."""
        if self._compares:
            again = storage.put_if(self._url, self._me.to_bytes(), None)
            if again is None:
                return
            # The store takes conditions, and heeds none.
            self._compares, self._version = False, again
        # All who came within the pause have put theirs; the last one has it, the others give way.
        time.sleep(SETTLE_SECONDS)
        held = storage.look(self._url)
        holder = _holder_of(held)
        self._version = held.version if held and holder and holder.owner == self._me.owner else None

    def _keep(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            # What the store does not do now it may do next time; others can take nothing either.
            with self._lock, contextlib.suppress(WavemillError, OSError):
                self._renew()
            if self._lost is not None:
                engine.abort(self._lost)
                return

    def _renew(self) -> None:
        self._me = replace(self._me, renewals=self._me.renewals + 1)
        for _ in range(3):
            version = storage.put_if(self._url, self._me.to_bytes(), self._version)
            if version is not None:
                self._version = version
                return
            held = storage.look(self._url)
            holder = _holder_of(held)
            if holder and holder.owner != self._me.owner:
                self._lost = JobError(
                    f"{self._out} was taken over by process {holder.pid} on {holder.host}, as this"
                    f" job had not been heard of for {LEASE_SECONDS:.0f} s; leave it to that one"
                )
                return
            self._version = held.version if held else None


def _holder_of(held: storage.Written | None) -> Holder | None:
    return Holder.from_bytes(held.data) if held else None


def _is_old(held: storage.Written, holder: Holder) -> bool:
    return held.age_seconds > holder.lease_seconds + SLACK_SECONDS
