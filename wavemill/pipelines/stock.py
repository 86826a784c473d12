"""Take stock of all parts of a dataset together: lengths for the plan, rejects, and totals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from wavemill import storage
from wavemill.errors import JobError, TooManyRejectedError
from wavemill.pipelines.duplicates import STAGE as DUPLICATE
from wavemill.pipelines.duplicates import drop_copies
from wavemill.pipelines.ingest import STAGE as INGEST
from wavemill.pipelines.namesakes import Namesakes, find_namesakes
from wavemill.pipelines.near_duplicates import drop_near_copies
from wavemill.pipelines.parts import Part, all_units
from wavemill.pipelines.quality import STAGE as FILTER
from wavemill.pipelines.quality import drop_filtered
from wavemill.pipelines.spool_job import SpoolJob
from wavemill.pipelines.survey import (
    RejectRow,
    RejectRows,
    Survey,
    join_surveys,
)
from wavemill.pipelines.survey_blocks import survey_units
from wavemill.sharding.dataset import REJECTED

ORDER = {INGEST: 0, FILTER: 2, DUPLICATE: 3}
"""Of the stages in `rejected.jsonl`, those of units between them."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """How much of a part did not come through."""

    share: float
    """Of its recordings, or of its segments, whichever is more."""
    reasons: set[str]


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What the spool holds of a dataset."""

    parts: Sequence[Part]
    units: Sequence[str]
    found: Survey
    """Of all parts together."""
    recordings: int
    """How many came in, the rejected ones too."""
    rejects: RejectRows
    """Rows of `rejected.jsonl`."""
    losses: Losses
    """Of the last part, without what another holds alike."""
    identical: int = 0
    """Recordings that two parts hold alike, of which one is kept."""
    conflicts: int = 0
    """Recordings whose id another part's recording has, too."""


def take_stock(job: SpoolJob, parts: Sequence[Part]) -> Stock:
    """Read from the spool what the plan and the totals need.

    Rejects come in the order in which one job of all inputs would write them: those of ingest,
    those of the stages, copies of audio.
    """
    job.notes.begin("survey")
    config = job.survey_config
    surveys = [survey_units(job, part.units, config) for part in parts]
    same = find_namesakes(parts, surveys, config)
    surveys = [_without(one, same, number) for number, one in enumerate(surveys)]
    losses = _losses(parts[-1], surveys[-1], same)
    units = all_units(parts)
    # Filters come first: of copies, one that passes is kept.
    found = drop_filtered(_joined(surveys, parts), units, config, job.settings.filters)
    if job.settings.dedup:
        found = drop_copies(found, units, config)
        with job.reporter.stage("near-duplicates", 1):
            prints = job.settings.fingerprints_stage
            found = drop_near_copies(found, units, config, prints)
    return Stock(
        parts=parts,
        units=units,
        found=found,
        recordings=sum(part.recordings for part in parts) - sum(same.identical),
        rejects=_in_order(_every_reject(parts, same, found)),
        losses=losses,
        identical=sum(same.identical),
        conflicts=len(same.rejects),
    )


def _every_reject(parts: Sequence[Part], same: Namesakes, found: Survey) -> Iterator[RejectRow]:
    for number, part in enumerate(parts):
        yield from same.carried(number, part)
    yield from same.rejects
    yield from found.rejects


def _in_order(rejects: Iterable[RejectRow]) -> RejectRows:
    """Sort rows by the stage that they come from; those of one stay in their order."""
    held = [RejectRows() for _ in range(max(ORDER.values()) + 1)]
    for row in rejects:
        held[ORDER.get(row["stage"], 1)].add(row)
    ordered = RejectRows()
    for rows in held:
        for line in rows.lines():
            ordered.add_line(line)
    return ordered


def _losses(part: Part, found: Survey, same: Namesakes) -> Losses:
    """Count of the last part what did not come through, and was not known to."""
    last = len(same.rows) - 1
    lost = found.lost_recordings
    reasons = {row["reason"] for row in found.rejects}
    for row in same.carried(last, part):
        if row["stage"] == INGEST:
            lost += 1
            reasons.add(row["reason"])
    recordings = part.recordings - same.identical[last]
    segments = len(found.lengths) + found.rejected_segments
    return Losses(
        share=max(
            lost / max(recordings, 1),
            found.rejected_segments / max(segments, 1),
        ),
        reasons=reasons,
    )


def _without(found: Survey, same: Namesakes, number: int) -> Survey:
    """Leave out what another part holds already."""
    dropped = same.rows[number]
    if not dropped and not same.recordings[number]:
        return found
    places = found.lengths.unit.astype(np.int64) << 32 | found.lengths.row
    rejects = RejectRows(same.kept(number, found.rejects))
    kept = ~np.isin(places, np.array([unit << 32 | row for unit, row in dropped], np.int64))
    return replace(
        found.select(kept),
        rejects=rejects,
        rejected_segments=len(rejects),
        lost_recordings=found.lost_recordings - same.lost[number],
    )


def _joined(surveys: Sequence[Survey], parts: Sequence[Part]) -> Survey:
    """Join surveys of parts into one whose units are counted through."""
    starts = accumulate((len(part.units) for part in parts), initial=0)
    return join_surveys([one.counted_from(start) for one, start in zip(surveys, starts)])  # noqa: B905


def check_rejected(job: SpoolJob, stock: Stock) -> None:
    """Stop the job where too much is bad of the last part: of the recordings, or of the segments.

    Raises:
        TooManyRejectedError: more than `max_rejected` did not come through.
        JobError: nothing came through.

    """
    losses = stock.losses
    report = storage.join(job.spool, REJECTED)
    storage.write_text(report, stock.rejects.lines())
    if losses.share > job.settings.max_rejected:
        reasons = sorted(losses.reasons)
        raise TooManyRejectedError(
            f"{losses.share:.1%} was rejected, more than --max-rejected"
            f" {job.settings.max_rejected:g} ({', '.join(reasons)}); see {report}. Mend the input,"
            " or allow more; what was done is kept"
        )
    if not len(stock.found.lengths):
        raise JobError(f"nothing came through; see {report}")
