"""`wavemill add`: new recordings join a prepared dataset."""

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
    stage_lines,
    unit_mb_option,
    verify_option,
)
from wavemill.errors import UsageError


@click.command(
    context_settings=JOB_CONTEXT,
    short_help="Add recordings to a dataset.",
)
@click.argument("inputs", nargs=-1, type=click.UNPROCESSED, metavar="INPUT...")
@click.option("--out", metavar="OUT", required=True, help="Folder or URL of the dataset.")
@click.option(
    "--tokenizer",
    multiple=True,
    metavar="NAME[:k=v,...]",
    help="In place of that recorded for the stream of this name: where its weights lie now.",
)
@max_rejected_option(
    "Fail, and leave the dataset as it was, if more of what is new does not come through."
)
@unit_mb_option
@verify_option
@as_job
@as_json
@click.pass_context
def add(context: click.Context, /, *, json_: bool, **options: Any) -> None:
    r"""Add recordings to a dataset, with the settings that it was prepared with.

    INPUT is what `prepare` takes. What is in the dataset is neither read nor made again, and its
    inputs may be gone; shards are laid out anew over all. The result is what `prepare` makes of all
    inputs. A recording that is there already is passed over: the same id, from the same file of the
    same size and time. The same id of another file is rejected.

    \b
    wavemill add new/ --out prepared
    wavemill add 'july/*.m4a' --out s3://bucket/prepared --workers 8

    If it is stopped or fails before the shards are laid out, the dataset is as it was. A job that
    was stopped goes on where it stood: give the same command again.
    """
    from wavemill import storage
    from wavemill.pipelines.progress import Reporter
    from wavemill.specs import Spec

    beam, given = split_arguments(context, options["inputs"])
    if not given:
        raise UsageError("no INPUT: name a file, a folder, a glob or a manifest")
    if not options["out"]:
        raise UsageError("--out is empty: name the folder of the dataset")
    engine = engine_of(options, beam)

    from wavemill.pipelines import join  # loads Beam: after what can be wrong

    job = join.make_adding_job(
        storage.folder_url(options["out"]),
        given,
        engine,
        Reporter(quiet=options["quiet"]),
        tokenizers=[Spec.parse(text) for text in options["tokenizer"]],
        verify=options["verify"],
        max_rejected=options["max_rejected"],
        unit_mb=options["unit_mb"],
    )
    if options["dry_run"]:
        plan = join.dry_run(job, given)
        emit(plan, _dry_lines(plan), json_=json_)
        return
    summary = join.add(job, given, clean=options["clean"])
    emit(summary, [_first_line(summary), *lines_of(summary)], json_=json_)


def _first_line(summary: dict[str, Any]) -> str:
    there = f"; {summary['skipped']:,} were there already" if summary["skipped"] else ""
    return f"{summary['added']:,} recordings came to {summary['out']}{there}"


def _dry_lines(plan: dict[str, Any]) -> list[str]:
    lines = [
        (
            f"{plan['added']:,} new recordings ({plan['rejected']:,} rejected so far) in"
            f" {plan['units']:,} units; {plan['skipped']:,} are in {plan['out']} already:"
        ),
    ]
    lines += stage_lines(plan)
    lines.append(
        f"  {plan['reused_units']:,} unit files are there; {plan['shards_read_back']:,} shards to"
        f" read back; {plan['shards_rewritten']:,} shards to replace"
    )
    return [*lines, NOTHING_WRITTEN]
