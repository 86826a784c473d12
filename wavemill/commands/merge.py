"""`wavemill merge`: several datasets become one."""

from typing import Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.prepare import lines_of
from wavemill.commands.running import (
    JOB_CONTEXT,
    NOTHING_WRITTEN,
    as_job,
    engine_of,
    max_rejected_option,
    split_arguments,
)

_LAYOUT = {"buckets": "num_buckets", "sub_buckets": "num_sub_buckets", "shard_mb": "shard_mb",
           "seed": "seed"}  # fmt: skip


@click.command(
    context_settings=JOB_CONTEXT,
    short_help="Make one dataset of several.",
)
@click.argument("datasets", nargs=-1, type=click.UNPROCESSED, metavar="OUT1 OUT2...")
@click.option("--out", metavar="OUT", required=True, help="Folder or URL of the new dataset.")
@click.option(
    "--prefix",
    metavar="P1,P2,...",
    help="Put before the ids of each dataset, to keep equal ones apart; one may be empty.",
)
@click.option("--streams", metavar="NAME,...", help="Keep these token streams only.")
@click.option("--buckets", type=int, help="Cuts by duration; else as the first dataset.")
@click.option("--sub-buckets", type=int, help="Cuts by tokens; else as the first dataset.")
@click.option("--shard-mb", type=float, help="Size of a shard; else as the first dataset.")
@click.option("--seed", type=int, help="Decides the order; else as the first dataset.")
@max_rejected_option("Fail, and publish nothing, if more recordings have the id of another.")
@as_job
@as_json
@click.pass_context
def merge(context: click.Context, /, *, json_: bool, **options: Any) -> None:
    r"""Make one dataset of several, from their shards; they stay as they are.

    Their token streams and the form of their audio must be the same. Nothing is decoded or
    tokenized again, and every file is checked as it is read. A recording that two datasets hold
    alike is kept once; another one of the same id is rejected, unless --prefix tells them apart.

    \b
    wavemill merge english german --out both
    wavemill merge old s3://bucket/new --out all --prefix old-,new- --buckets 20

    A job that was stopped goes on where it stood: give the same command again.
    """
    from wavemill import storage
    from wavemill.pipelines.progress import Reporter

    beam, given = split_arguments(context, options["datasets"])
    engine = engine_of(options, beam)

    from wavemill.pipelines import merge as merging  # loads Beam: after what can be wrong

    streams, prefix = options["streams"], options["prefix"]
    settings = merging.MergeSettings(
        sources=tuple(map(storage.folder_url, given)),
        out=storage.folder_url(options["out"]),
        prefixes=() if prefix is None else tuple(prefix.split(",")),
        streams=None if streams is None else tuple(filter(None, streams.split(","))),
        layout={
            field: options[name] for name, field in _LAYOUT.items() if options[name] is not None
        },
        max_rejected=options["max_rejected"],
    )
    found = merging.make_merge(settings, engine, Reporter(quiet=options["quiet"]))
    if options["dry_run"]:
        plan = merging.dry_run(found)
        emit(plan, _dry_lines(plan), json_=json_)
        return
    summary = merging.merge(found, clean=options["clean"])
    emit(summary, [*_same_lines(summary), *lines_of(summary)], json_=json_)


def _same_lines(summary: dict[str, Any]) -> list[str]:
    lines = []
    if summary["identical"]:
        lines.append(f"{summary['identical']:,} recordings were in several: one of each was kept")
    if summary["conflicts"]:
        lines.append(f"{summary['conflicts']:,} had the id of another: one of each was kept")
    return lines


def _dry_lines(plan: dict[str, Any]) -> list[str]:
    return [
        (
            f"{plan['recordings']:,} recordings, {plan['segments']:,} samples,"
            f" {plan['hours']:.2f} hours in {plan['shards_read_back']:,} shards;"
            f" {plan['reused_units']:,} unit files of {plan['out']} are there"
        ),
        NOTHING_WRITTEN,
    ]
