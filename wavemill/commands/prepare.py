"""`wavemill prepare`: recordings in, a dataset of shards out."""

from typing import Any

import click

from wavemill.commands.config import config_option
from wavemill.commands.filters import filter_options, given_filters
from wavemill.commands.output import as_json, emit
from wavemill.commands.running import (
    JOB_CONTEXT,
    NOTHING_WRITTEN,
    as_job,
    engine_of,
    max_rejected_option,
    split_arguments,
    stage_lines,
    unit_mb_option,
    verify_option,
)


@click.command(
    context_settings=JOB_CONTEXT,
    short_help="Segment, tokenize and shard recordings.",
)
@click.argument("inputs", nargs=-1, type=click.UNPROCESSED, metavar="INPUT...")
@click.option("--out", metavar="OUT", required=True, help="Folder or URL of the dataset.")
@click.option(
    "--segment",
    default="none",
    show_default=True,
    metavar="HOW",
    help="vad, fixed:SECONDS, manifest or none; settings as vad:max_seconds=20,padding=0.1.",
)
@click.option(
    "--tokenizer",
    multiple=True,
    metavar="NAME[:k=v,...]",
    help="A tokenizer; give it again for more. `wavemill tokenizers` lists them.",
)
@click.option(
    "--audio",
    default="flac",
    show_default=True,
    metavar="flac|opus|none",
    help="How audio lies in the shards.",
)
@click.option("--sample-rate", type=int, metavar="HZ", help="Resample the stored audio.")
@click.option("--mono/--no-mono", help="Average the stored audio's channels.")
@click.option("--buckets", type=int, default=10, show_default=True, help="Cuts by duration.")
@click.option("--sub-buckets", type=int, default=2, show_default=True, help="Cuts by tokens.")
@click.option("--shard-mb", type=float, default=256, show_default=True, help="Size of a shard.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the order.")
@click.option("--dedup/--no-dedup", help="Keep one of each group of copies.")
@filter_options
@max_rejected_option("Fail, and publish nothing, if more than this share does not come through.")
@unit_mb_option
@as_job
@verify_option
@config_option
@as_json
@click.pass_context
def prepare(context: click.Context, /, *, json_: bool, **options: Any) -> None:
    r"""Segment, tokenize and shard recordings.

    INPUT is a file, a folder, a glob (quoted), a manifest (NeMo, lhotse, CSV, TSV, Parquet) or a
    WebDataset tar; a path or any URL that fsspec reads. Options that are not listed here go to
    Beam (`--flink_master ...`).

    \b
    wavemill prepare speech/ --out prepared --tokenizer beats
    wavemill prepare meetings/*.m4a --out prepared --segment vad:max_seconds=20
    wavemill prepare train.jsonl --out prepared --config job.yaml --workers 8

    A job that was stopped goes on where it stood: give the same command again.
    """
    from wavemill.pipelines.progress import Reporter

    beam, given = split_arguments(context, options["inputs"])
    settings = _settings({**options, "inputs": given})
    engine = engine_of(options, beam)

    from wavemill.pipelines.job import make_job
    from wavemill.pipelines.prepare import dry_run  # loads Beam: after what can be wrong
    from wavemill.pipelines.prepare import prepare as run

    reporter = Reporter(quiet=options["quiet"])
    job = make_job(settings, engine, reporter, verify=options["verify"])
    if options["dry_run"]:
        plan = dry_run(job)
        emit(plan, _dry_lines(plan), json_=json_)
        return
    summary = run(job, clean=options["clean"])
    emit(summary, lines_of(summary), json_=json_)


def _settings(options: dict[str, Any]) -> Any:
    from wavemill import storage
    from wavemill.pipelines.segmenters import parse_segmenter
    from wavemill.pipelines.settings import PrepareSettings
    from wavemill.specs import Spec

    return PrepareSettings(
        inputs=tuple(options["inputs"]),
        out=storage.folder_url(options["out"]),
        segmenter=parse_segmenter(options["segment"]),
        tokenizers=tuple(Spec.parse(text) for text in options["tokenizer"]),
        num_buckets=options["buckets"],
        num_sub_buckets=options["sub_buckets"],
        filters=given_filters(options),
        **{
            name: options[name]
            for name in ("audio", "sample_rate", "mono", "shard_mb", "seed", "dedup",
                         "max_rejected", "unit_mb")
        },
    )  # fmt: skip


def lines_of(summary: dict[str, Any]) -> list[str]:
    """Say for people what a job made."""
    speed = summary["hours"] * 3600 / max(summary["seconds"], 1e-9)
    lines = [
        (
            f"{summary['recordings']:,} recordings -> {summary['segments']:,} samples,"
            f" {summary['hours']:.2f} hours, in {summary['shards']:,} shards of {summary['out']}"
            f" ({summary['seconds']:.1f} s, {speed:,.0f} times real time)"
        ),
    ]
    if summary["rejected"]:
        lines.append(
            f"{summary['rejected']:,} recordings did not come through whole:"
            f" {summary['out']}/rejected.jsonl says why"
        )
    if summary["left_out"]:
        lines.append(f"{summary['left_out']:,} samples were left out, as was asked for")
    return [*lines, f"next: wavemill inspect {summary['out']}"]


def _dry_lines(plan: dict[str, Any]) -> list[str]:
    lines = [
        (
            f"{plan['recordings']:,} recordings ({plan['hours']:.2f} hours where rows state it),"
            f" {plan['rejected']:,} rejected so far, in {plan['units']:,} units; {plan['out']}:"
        ),
    ]
    lines += stage_lines(plan)
    return [*lines, NOTHING_WRITTEN]
