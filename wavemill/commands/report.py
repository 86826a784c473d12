"""`wavemill report`: an HTML page that shows what a dataset holds."""

import time

import click

from wavemill.commands.output import as_json, emit

HTML = "report.html"


@click.command(short_help="Write an HTML page that shows what a dataset holds.")
@click.argument("out", metavar="OUT")
@click.option(
    "--html",
    metavar="FILE",
    default=HTML,
    show_default=True,
    help="Where the page goes, not into OUT.",
)
@click.option(
    "--samples", type=click.IntRange(0, 1000), default=20, show_default=True,
    help="To look at and listen to; as many as fit into 5 MB.",
)  # fmt: skip
@click.option(
    "--tokenizer", "tokenizers", multiple=True, metavar="NAME:k=v",
    help="Settings of a stream's decoder, where its model lies elsewhere now.",
)  # fmt: skip
@click.option("--decode/--no-decode", default=True, help="Let codecs decode what is shown.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def report(
    out: str, *, html: str, samples: int, tokenizers: tuple[str, ...], decode: bool, quiet: bool,
    json_: bool,
) -> None:  # fmt: skip
    r"""Write a page of all that a dataset holds: one file that loads nothing else.

    Totals, lengths, buckets with their padding, codebooks, languages and speakers, rejects and
    copies, and samples with players, spectrograms and tokens. Lengths are those of all samples;
    of a large dataset, what needs tokens or texts is estimated from about 16,000, and says so.

    \b
    wavemill report prepared
    wavemill report s3://bucket/prepared --html prepared.html --samples 50
    wavemill report prepared --tokenizer encodec:model=FOLDER
    """
    from wavemill import storage
    from wavemill.commands.decoders import find_decoders
    from wavemill.errors import UsageError
    from wavemill.sharding.dataset import Dataset

    started = time.monotonic()
    dataset = Dataset.open(storage.folder_url(out))
    if storage.is_within(html, dataset.url):
        raise UsageError(f"--html {html} lies in the dataset, which holds its own files alone")
    storage.check_writable(html)

    from wavemill.pipelines.progress import Reporter
    from wavemill.report.page import make_report

    decoders = find_decoders(dataset, tokenizers if decode else None)
    made = make_report(dataset, decoders, samples, Reporter(quiet=quiet))
    storage.write_bytes(html, made.page)
    seconds = round(time.monotonic() - started, 2)
    total = dataset.content["totals"]["samples"]
    summary = {
        "html": html,
        "bytes": len(made.page),
        "seconds": seconds,
        "samples": total,
        "shown": made.shown,
        "read": made.read,
    }
    size = f"{len(made.page) / 1e6:.1f} MB in {seconds:.1f} s"
    line = f"{html}: {total:,} samples, {made.shown:,} of them to look at; {size}"
    emit(summary, [line], json_=json_)
