"""`wavemill lint`: check that a dataset is whole and readable."""

import sys

import click

from wavemill.commands.output import as_json, emit


@click.command(short_help="Check a dataset, file by file.")
@click.argument("out", metavar="OUT")
@click.option("--decode", is_flag=True, help="Decode all audio, too; much slower.")
@as_json
def lint(out: str, *, decode: bool, json_: bool) -> None:
    r"""Check every file, sample and array of a dataset; exit 1 if anything is wrong.

    \b
    wavemill lint prepared
    wavemill lint s3://bucket/prepared --decode

    Every byte is read once and held against its sha256, so no change since the writing is missed;
    tars, indexes, JSON, token arrays and the heads of the audio are checked for what they say.
    Audio that was damaged before its sha256 was taken is found by --decode alone.
    """
    from wavemill.pipelines.progress import Reporter
    from wavemill.sharding.dataset import Dataset
    from wavemill.sharding.lint import lint as check
    from wavemill.storage import folder_url

    dataset = Dataset.open(folder_url(out))
    with Reporter().stage("lint", len(dataset.content["shards"])) as show:
        report = check(dataset, decode=decode, show=show)
    lines = [
        f"{' '.join(filter(None, (problem['shard'], problem['key'])))}: {problem['problem']}"
        for problem in report.problems
    ]
    state = f"{len(lines):,} problems" if lines else "no problem"
    lines.append(f"{report.shards:,} shards, {report.samples:,} samples: {state}")
    if report.problems:
        lines.append(
            "remove what does not belong, and give the same `wavemill prepare` again with"
            " --verify: it writes anew what is missing or damaged"
        )
    emit(report.to_json(), lines, json_=json_)
    if report.problems:
        sys.exit(1)
