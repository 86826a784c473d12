"""The files of a folder of hypotheses: which units go into which, and writing one."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wavemill import storage
from wavemill.columns import Array, pieces_of
from wavemill.digest import digest
from wavemill.hypotheses.folder import part_name
from wavemill.hypotheses.making import PART_UTTERANCES, write_counted
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.records import Utterance
from wavemill.pipelines import unit_names
from wavemill.pipelines.hypotheses.job import HypothesesJob
from wavemill.pipelines.hypotheses.recognize import utterances_of
from wavemill.pipelines.hypotheses.settings import PARTS_VERSION, HypothesesSettings
from wavemill.pipelines.unit_names import digest_of
from wavemill.records import to_json
from wavemill.spool import UnitReader, unit_url


@dataclass(frozen=True, kw_only=True)
class PartSources:
    """What workers have to know to write parts."""

    spool: str
    out: str
    plan: str
    """The name of the plan."""
    heard: str
    settings: HypothesesSettings
    starts: tuple[int, ...]
    """The number of each part's first unit, and that of all units."""

    @property
    def names(self) -> str:
        """The file with the names of all units."""
        return storage.join(self.spool, f"parts-{self.plan}.units")

    @property
    def markers(self) -> str:
        """The folder of the parts' markers."""
        return f"parts-{self.plan}"

    def marker(self, number: int) -> str:
        """Return the place of what is noted of a part once it is written."""
        return storage.join(self.spool, self.markers, f"{number:05d}.json")

    def part(self, number: int) -> str:
        """Return the place of a part."""
        return storage.join(self.out, part_name(number))


def plan_name(job: HypothesesJob, units: Sequence[str]) -> str:
    """Name the plan of some units: all that decides what the parts hold."""
    splitting = vars(job.settings.splitting)
    return digest([PARTS_VERSION, job.stages, splitting, digest_of(units)], size=12)


def plan_parts(
    job: HypothesesJob, name: str, units: Sequence[str], counts: Iterable[int]
) -> PartSources:
    """Deal units out to parts in their order.

    Args:
        job: what to do.
        name: of the plan.
        units: in their order.
        counts: the utterances of each.

    """
    starts, held = [0], 0
    for number, count in enumerate(counts):
        if held >= PART_UTTERANCES:
            starts.append(number)
            held = 0
        held += count
    plan = PartSources(
        spool=job.spool,
        out=job.settings.out,
        plan=name,
        heard=job.heard_stage,
        settings=job.settings,
        starts=(*starts, len(units)),
    )
    unit_names.write_names(plan.names, units)
    return plan


def count_utterances(unit_of_each: Array, num_units: int) -> list[int]:
    """Count the utterances of each unit, given the unit of each, [N]."""
    counts = np.zeros(num_units, np.int64)
    for piece in pieces_of(unit_of_each):
        counts += np.bincount(piece, minlength=num_units)
    found: list[int] = counts.tolist()
    return found


def write(plan: PartSources, number: int, normalizer: Normalizer) -> int:
    """Write a part, then its marker; return how many utterances it has."""
    units = unit_names.read_names(plan.names, *plan.starts[number : number + 2])
    note = write_counted(plan.out, number, _utterances(plan, units, normalizer))
    storage.write_text(plan.marker(number), [to_json(note)])
    return int(note["utterances"])


def is_written(plan: PartSources, number: int) -> bool:
    """Say whether a part is there as its marker says."""
    try:
        note = json.loads(storage.read_bytes(plan.marker(number)))
        return bool(storage.info(plan.part(number)).size == note["bytes"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _utterances(
    plan: PartSources, units: Sequence[str], normalizer: Normalizer
) -> Iterator[Utterance]:
    settings = plan.settings
    for unit in units:
        segments = UnitReader(unit_url(plan.spool, settings.segments_stage, unit))
        heard = UnitReader(unit_url(plan.spool, plan.heard, unit))
        found = utterances_of(segments, heard, normalizer, settings.count, settings.language)
        for one in found:
            yield replace(one, split=settings.splitting.of(one))
