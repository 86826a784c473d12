"""Looks at what a job's workers have finished: files in its spool, on whatever engine they run.

Listing a folder takes as long as there are files in it, and on a store each page of it is a
request. So only the folder of the last step is listed, seldom on a store, and of the units that are
new a few columns are read, each unit once; where that would take long, of some of them.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping

from wavemill import storage
from wavemill.pipelines.progress import POLL_SECONDS, Seen
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.survey_unit import seconds_of
from wavemill.spool import UnitReader, unit_url

STORE_SECONDS = 15.0
"""Between two looks at a store."""
READ_SECONDS = 0.1
"""How long a look may read units; the rest are taken to be like those that were read."""
MAX_REASONS = 3


def watching(
    job: SpoolJob, name: str, total: int, look: Callable[[], Seen]
) -> contextlib.AbstractContextManager[None]:
    """Show what `look` sees of a job's spool for as long as the block runs."""
    pause = POLL_SECONDS if storage.is_local(job.spool) else STORE_SECONDS
    return job.reporter.counting(name, total, look, pause)


def files_watch(job: SpoolJob, stage: str) -> Callable[[], Seen]:
    """Return a function that counts the files which come to a folder of the spool from now on."""
    before = job.count_finished(stage)
    return lambda: Seen(done=job.count_finished(stage) - before)


def in_words(rejects: Mapping[str, float]) -> str:
    """Say how much was rejected, and mostly why."""
    if not sum(rejects.values()):
        return "none rejected"
    common = Counter(rejects).most_common(MAX_REASONS)
    reasons = ", ".join(f"{reason} {count:,.0f}" for reason, count in common)
    more = ", ..." if len(rejects) > MAX_REASONS else ""
    return f"{sum(rejects.values()):,.0f} rejected ({reasons}{more})"


class UnitWatch:
    """Watches the units that a job has yet to make."""

    def __init__(
        self, job: SpoolJob, pending: Mapping[str, set[str]], total: int | None = None
    ) -> None:
        """Watch those that each stage has yet to make, the stages in their order.

        Args:
            job: whose they are.
            pending: all of them, or some that stand for all.
            total: how many there are in all, if these are some.

        """
        self._job = job
        self._segments, self._streams = job.settings.segments_stage, job.row_stages
        self._started = time.monotonic()
        self._waiting: dict[str, set[str]] = {}
        """Units by the last stage that they wait for: mostly there is one such stage."""
        later: set[str] = set()
        for stage in reversed([*pending]):
            self._waiting[stage] = pending[stage] - later
            later |= pending[stage]
        self._watched = len(later)
        self.total = total or self._watched
        self._done: list[str] = []
        self._unread: list[str] = []
        self._read = 0
        self._seconds = 0.0
        self._rejects: Counter[str] = Counter()

    def look(self) -> Seen:
        """Say how many units are done, how much audio that is, and what was rejected."""
        for stage, waiting in self._waiting.items():
            if waiting:
                new = {name for name in self._job.finished(stage) if name in waiting}
                self._waiting[stage] = waiting - new
                self._unread += sorted(new)
        watched = self._watched - sum(map(len, self._waiting.values()))
        done = watched * self.total // max(self._watched, 1)
        limit = time.monotonic() + READ_SECONDS
        while self._unread:
            self._take(self._unread.pop())
            if time.monotonic() >= limit:
                break
        return Seen(done=done, words=self._words(done) if self._read else "")

    def _take(self, unit: str) -> None:
        for stage in (self._segments, *self._streams):
            reader = UnitReader(unit_url(self._job.spool, stage, unit))
            reasons = reader.column("reject_reason")
            self._rejects.update(reason for reason in reasons if reason is not None)
            if stage == self._segments:
                self._seconds += float(seconds_of(reader).sum())
        self._read += 1

    def _words(self, done: int) -> str:
        part = done / self._read
        hours = self._seconds * part / 3600
        speed = hours / (time.monotonic() - self._started) * 3600
        about = "about " if part > 1 else ""
        rejects = {reason: count * part for reason, count in self._rejects.items()}
        return f"{about}{hours:,.3g} hours, {speed:,.3g} an hour, {in_words(rejects)}"
