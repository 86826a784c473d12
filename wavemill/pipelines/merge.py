"""`merge`: several datasets become one, read back from their shards; nothing is decoded again."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from wavemill import storage
from wavemill.errors import TooManyRejectedError, UsageError
from wavemill.pipelines import outdir
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job
from wavemill.pipelines.lock import locked
from wavemill.pipelines.parts import all_units, facts_of
from wavemill.pipelines.prepare import summarize
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.readback import read_back, tasks_of
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.stock import Stock, take_stock
from wavemill.pipelines.units import count_missing, run_units, unit_steps
from wavemill.pipelines.write import write_dataset
from wavemill.sharding.dataset import NAME, REJECTED, Dataset
from wavemill.tokenizers.base import TokenizerFacts

PREFIX = re.compile(r"[A-Za-z0-9_-]{0,20}")
AUDIO_FORM = {"audio": "--audio", "sample_rate": "--sample-rate", "mono": "--mono"}
"""What all datasets must have in common, and the option that it comes from."""


@dataclass(frozen=True, kw_only=True)
class MergeSettings:
    """What `merge` is asked to do, checked as far as that goes without the datasets."""

    sources: tuple[str, ...]
    out: str
    prefixes: tuple[str, ...] = ()
    """One a source, put before its ids; none: ids stay."""
    streams: tuple[str, ...] | None = None
    """The token streams to keep; None: all, which all must have."""
    layout: Mapping[str, Any]
    """Fields of `PrepareSettings` in place of those of the first dataset."""
    max_rejected: float = 0.05

    def __post_init__(self) -> None:
        """Check what can be checked.

        Raises:
            UsageError: something is wrong.

        """
        if len(self.sources) < 2:
            raise UsageError("merge takes two datasets or more: wavemill merge OUT1 OUT2 --out NEW")
        if self.prefixes and len(self.prefixes) != len(self.sources):
            raise UsageError(
                f"--prefix {','.join(self.prefixes)}: give one for each of {len(self.sources)}"
                " datasets, with commas between; one may be empty"
            )
        for prefix in self.prefixes:
            if not PREFIX.fullmatch(prefix):
                raise UsageError(f"--prefix {prefix!r}: give up to 20 of A-Z a-z 0-9 _ -")


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A `merge` whose datasets were found to go together."""

    job: Job
    sources: Sequence[tuple[Dataset, str]]
    """The datasets, each with the prefix of its ids."""


def make_merge(settings: MergeSettings, engine: Engine, reporter: Reporter) -> Merge:
    """Open the datasets and hold them against each other.

    Raises:
        DatasetError: one is no dataset.
        UsageError: they do not go together, or `out` is not free.

    """
    datasets = [Dataset.open(url) for url in settings.sources]
    outdir.check_out(settings.out, settings.sources)
    first = datasets[0].content
    _check_audio(datasets)
    facts = _common_facts(datasets, settings.streams)
    specs = dict(zip(first["tokenizers"], first["settings"]["tokenizers"], strict=True))
    recorded = {**first["settings"], "tokenizers": [specs[one.name] for one in facts]}
    prepared = PrepareSettings.recorded(
        recorded,
        out=settings.out,
        inputs=tuple(dict.fromkeys(name for one in datasets for name in one.content["inputs"])),
        max_rejected=settings.max_rejected,
        **settings.layout,
    )
    _check_free(settings.out, prepared.inputs)
    for dataset in datasets[1:]:
        how = dataset.content["settings"]["segment"]
        if how != recorded["segment"]:
            reporter.say(
                f"merge: {dataset.url} was cut by {how}, {datasets[0].url} by"
                f" {recorded['segment']}, as `wavemill add` will cut what comes later"
            )
    prefixes = settings.prefixes or ("",) * len(datasets)
    return Merge(
        job=Job(settings=prepared, engine=engine, facts=facts, reporter=reporter),
        sources=list(zip(datasets, prefixes, strict=True)),
    )


def merge(merge: Merge, *, clean: bool = False) -> dict[str, Any]:
    """Make one dataset of several; return what `wavemill merge --json` prints.

    Raises:
        TooManyRejectedError: more than `max_rejected` of the recordings have the id of another.
        DatasetError: what a dataset says of its rejects is damaged.
        JobError: a shard is damaged, or a stage failed. In none of these cases is anything
            published.

    """
    started = time.monotonic()
    job = merge.job
    with locked(job.spool, job.reporter.say):
        _check_free(job.settings.out, job.settings.inputs)  # another job may have ended since
        outdir.mark(job.settings.out, job.spool)
        reused = _count_done(merge)
        parts = [
            replace(part, joined=part.inputs) for part in read_back(job, merge.sources, job.streams)
        ]
        if job.settings.dedup:  # fingerprints lie in no shard
            run_units(job, all_units(parts), unit_steps)
        stock = take_stock(job, parts)
        _check_conflicts(job, stock)
        job.notes.reused_units = reused
        content = write_dataset(job, stock)
        if clean:
            outdir.clear_spool(job.spool)
    return {
        **summarize(content, job.settings.out, reused, started),
        "identical": stock.identical,
        "conflicts": stock.conflicts,
    }


def dry_run(merge: Merge) -> dict[str, Any]:
    """Say what `merge` would do, as far as that is known without reading shards."""
    contents = [dataset.content for dataset, _ in merge.sources]
    return {
        "recordings": sum(content["totals"]["recordings"] for content in contents),
        "segments": sum(content["totals"]["samples"] for content in contents),
        "hours": round(sum(content["totals"]["hours"] for content in contents), 6),
        "shards_read_back": sum(len(content["shards"]) for content in contents),
        "reused_units": _count_done(merge),
        "out": merge.job.settings.out,
        "dry_run": True,
    }


def _count_done(merge: Merge) -> int:
    units = [task.unit for source in merge.sources for task in tasks_of(*source)]
    pending = merge.job.pending(units)
    return len(units) * len(pending) - sum(count_missing(pending).values())


def _check_free(out: str, inputs: Sequence[str]) -> None:
    """Refuse to replace a dataset but that which the same datasets became before."""
    if storage.is_file(storage.join(out, NAME)):
        content = Dataset.open(out).content
        if content.get("joined") != list(inputs):
            raise UsageError(
                f"--out {out} holds another dataset: give a new folder, or `wavemill add` to it"
            )


def _check_audio(datasets: Sequence[Dataset]) -> None:
    first, *others = datasets
    for name, option in AUDIO_FORM.items():
        for other in others:
            one, two = (dataset.content["settings"].get(name) for dataset in (first, other))
            if one != two:
                raise UsageError(
                    f"{other.url} does not go with {first.url}: {option} is {two}, not {one};"
                    " prepare one of them anew"
                )


def _common_facts(
    datasets: Sequence[Dataset], wanted: Sequence[str] | None
) -> tuple[TokenizerFacts, ...]:
    """Return the facts of the streams that are kept, in the order of the first dataset."""
    first, *others = datasets
    facts = [{one.name: one for one in facts_of(dataset.content)} for dataset in datasets]
    kept = list(facts[0]) if wanted is None else [name for name in facts[0] if name in wanted]
    missing = [name for name in wanted or () if name not in facts[0]]
    if missing:
        raise UsageError(f"--streams: {first.url} has no stream {missing[0]!r}")
    for other, own in zip(others, facts[1:], strict=True):
        shared = ",".join(name for name in facts[0] if name in own)
        only = [name for name in (facts[0].keys() ^ own.keys()) if wanted is None or name in wanted]
        if only:
            where, lacks = (first, other) if only[0] in facts[0] else (other, first)
            hint = f"; --streams {shared} keeps what they share" if shared else ""
            raise UsageError(f"{where.url} has the stream {only[0]}, {lacks.url} has not{hint}")
        for name in kept:
            _check_same(name, (first, facts[0][name]), (other, own[name]))
    if wanted is not None and not kept and first.content["settings"]["audio"] == "none":
        raise UsageError("--streams keeps none, and there is no audio: nothing would be left")
    return tuple(facts[0][name] for name in kept)


def _check_same(
    name: str, one: tuple[Dataset, TokenizerFacts], two: tuple[Dataset, TokenizerFacts]
) -> None:
    fields = {key: (value, asdict(two[1])[key]) for key, value in asdict(one[1]).items()}
    for key, (ours, theirs) in fields.items():
        if ours != theirs:
            raise UsageError(
                f"the stream {name} of {two[0].url} is not that of {one[0].url}: {key} is {theirs},"
                f" not {ours}; leave it out by --streams, or prepare one of them anew"
            )


def _check_conflicts(job: Job, stock: Stock) -> None:
    share = stock.conflicts / max(stock.recordings, 1)
    if share > job.settings.max_rejected:
        report = storage.join(job.spool, REJECTED)
        storage.write_text(report, stock.rejects.lines())
        raise TooManyRejectedError(
            f"{stock.conflicts} of {stock.recordings} recordings have the id of another in an"
            f" earlier dataset, more than --max-rejected {job.settings.max_rejected:g}; see"
            f" {report}. --prefix keeps them apart, or allow more"
        )
