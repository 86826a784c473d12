"""What comes in: recordings, grouped into the units of a spool."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from wavemill import storage
from wavemill.pipelines import outdir
from wavemill.pipelines.parts import Part
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.unit_names import UnitNames
from wavemill.pipelines.watch import in_words
from wavemill.records import RECORDING_SCHEMA, Recording, Reject, recording_row
from wavemill.spool import RECORDINGS, group_units, unit_url, write_unit

WRITERS = 16
"""Units that ingest writes at a time."""


@dataclass(kw_only=True)
class Intake:
    """What came in."""

    units: UnitNames = field(default_factory=UnitNames)
    recordings: int = 0
    stated_seconds: float = 0.0
    """The sum of the durations that rows state."""
    rejects: RejectRows = field(default_factory=RejectRows)

    @property
    def total(self) -> int:
        """Recordings in, the rejected ones too."""
        return self.recordings + len(self.rejects)

    def rejected(self) -> str:
        """Say how many were rejected, and why; nothing if none were."""
        reasons = Counter(row["reason"] for row in self.rejects)
        return in_words(reasons) if reasons else ""

    def part(self, inputs: Sequence[str], joined: Sequence[str] = ()) -> Part:
        """Return it as a part of a dataset."""
        return Part(
            inputs=tuple(inputs),
            units=self.units,
            recordings=self.total,
            rejects=self.rejects,
            joined=tuple(joined),
        )


def count_units(job: SpoolJob, rows: Iterable[Recording | Reject]) -> Intake:
    """Read the inputs, and write nothing."""
    intake = Intake()
    for unit, _ in _units(job, rows, intake):
        intake.units.add(unit)
    return intake


def ingest(job: SpoolJob, rows: Iterable[Recording | Reject]) -> Intake:
    """Read the inputs into units of the spool; a unit that is there is left alone."""
    job.notes.begin("ingest")
    intake = Intake()
    with job.reporter.stage("ingest", None) as show:
        writing: deque[Future[None]] = deque()
        # What flushes a file, or answers from afar, is waited for by several at a time.
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="wavemill-ingest") as pool:
            for unit, recordings in _units(job, rows, intake):
                writing.append(pool.submit(_write_unit, job.spool, unit, recordings))
                if len(writing) > WRITERS:
                    writing.popleft().result()
                intake.units.add(unit)
                show(intake.recordings)
            for written in writing:
                written.result()
        show(intake.recordings, intake.rejected())
    return intake


def _write_unit(spool: str, unit: str, recordings: Sequence[Recording]) -> None:
    place = unit_url(spool, RECORDINGS, unit)
    if not storage.is_file(place):
        outdir.check_there(spool)
        with write_unit(place, RECORDING_SCHEMA) as file:
            for recording in recordings:
                file.add(recording_row(recording))


def _units(
    job: SpoolJob, rows: Iterable[Recording | Reject], intake: Intake
) -> Iterator[tuple[str, list[Recording]]]:
    return group_units(_keep_account(rows, intake), job.settings.unit_bytes)


def _keep_account(rows: Iterable[Recording | Reject], intake: Intake) -> Iterator[Recording]:
    for row in rows:
        if isinstance(row, Reject):
            intake.rejects.add({**vars(row), "recording": row.id})
        else:
            intake.recordings += 1
            intake.stated_seconds += row.window.duration_seconds or 0.0
            yield row
