"""`wavemill export`: hypotheses in the forms that others read."""

from typing import Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.splits import splits_option
from wavemill.errors import UsageError

KINDS = ("hyporadise", "hyporadise-trainer", "parquet", "shards")
SHARDS = KINDS[-1]


@click.command(short_help="Hypotheses as HyPoradise JSON, Parquet or shards.")
@click.argument("folder", metavar="DIR")
@click.option("--as", "kind", type=click.Choice(KINDS), required=True, help="The form.")
@click.option("--to", metavar="PLACE", required=True, help="A file; of shards a folder.")
@splits_option("All if left out.")
@click.option("--data", metavar="OUT", help="The prepared dataset whose keys shards are to have.")
@as_json
def export(folder: str, *, json_: bool, **options: Any) -> None:
    r"""Write a folder of hypotheses in another form.

    hyporadise is a list of {"input": [...], "output": ...}, hyporadise-trainer of {"input1",
    "input2", "output"}; utterances without a reference are in neither. Shards lie beside those of a
    prepared dataset, with the same keys in the same order as its audio.

    \b
    wavemill export nbest --as hyporadise --to train.json --split train
    wavemill export nbest --as parquet --to nbest.parquet
    wavemill export nbest --as shards --data prepared --to nbest-shards
    """
    from wavemill import storage
    from wavemill.hypotheses.exports import flat, hyporadise, shards
    from wavemill.hypotheses.source import open_source
    from wavemill.sharding.dataset import Dataset

    kind, to = options["kind"], options["to"]
    if (kind == SHARDS) != (options["data"] is not None):
        raise UsageError("--as shards and --data OUT go together")
    utterances = open_source(folder).utterances(*options["splits"])
    summary: dict[str, Any] = {"as": kind, "to": to}
    if kind == SHARDS:
        data = storage.folder_url(options["data"])
        if storage.is_within(to, data):
            raise UsageError(
                f"--to {to} lies in {data}, whose files are all listed in it: give another folder"
            )
        joined = shards.write(storage.folder_url(to), Dataset.open(data), utterances)
        summary |= vars(joined)
        words = (
            f"{joined.joined:,} of {joined.samples:,} samples have hypotheses, {joined.shards:,}"
            " shards"
        )
    else:
        storage.check_writable(to)
        trainer = kind == KINDS[1]
        rows = (
            flat.write(to, utterances)
            if kind == "parquet"
            else hyporadise.write(to, utterances, trainer=trainer)
        )
        summary["rows"] = rows
        words = f"{rows:,} rows"
    emit(summary, [f"{words} -> {to}"], json_=json_)
