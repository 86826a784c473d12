"""`wavemill lint`: check that a dataset is whole and readable."""

import sys

import click

from wavemill.commands.output import as_json, emit


@click.command(short_help="Check a dataset, file by file.")
@click.argument("out", metavar="OUT")
@as_json
def lint(out: str, *, json_: bool) -> None:
    r"""Check every file, sample and array of a dataset; exit 1 if anything is wrong.

    \b
    wavemill lint prepared
    """
    from wavemill.sharding.dataset import Dataset
    from wavemill.sharding.lint import lint as check

    report = check(Dataset.open(out.rstrip("/")))
    lines = [
        f"{problem['shard']} {problem['key']}: {problem['problem']}" for problem in report.problems
    ]
    state = f"{len(lines)} problems" if lines else "no problem"
    lines.append(f"{report.shards:,} shards, {report.samples:,} samples: {state}")
    emit(report.to_json(), lines, json_=json_)
    if report.problems:
        sys.exit(1)
