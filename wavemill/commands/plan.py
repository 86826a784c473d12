"""`wavemill plan`: batches from a table of lengths."""

import os.path
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.errors import UsageError
from wavemill.specs import check_range

if TYPE_CHECKING:
    from wavemill.pipelines.progress import Reporter
    from wavemill.sharding.batches import BatchConfig, EpochPlan
    from wavemill.sharding.budget import Budget

MANY_BYTES = 100_000_000
"""From a table of this size on, progress is shown."""
MAX_RANKS = 1_000_000


@click.command(short_help="Plan batches from lengths alone.")
@click.argument("lengths", metavar="LENGTHS.jsonl")
@click.option("--batch-seconds", type=float, help="Padded audio a batch may hold.")
@click.option("--batch-tokens", type=int, help="Padded tokens a batch may hold.")
@click.option(
    "--batch-area",
    type=float,
    help="Padded seconds times tokens a batch may hold, as cross-attention does.",
)
@click.option(
    "--profile",
    metavar="FILE",
    help="YAML with bucket_duration_bins and bucket_batch_size: sizes that fit.",
)
@click.option(
    "--pool",
    type=float,
    default=3.5,
    show_default=True,
    help="Batches' worth of like samples that a batch is drawn from: more repeat fewer"
    " of a sample's neighbours in the next epoch, and pad more.",
)
@click.option(
    "--stream",
    metavar="NAME",
    help="The token stream that counts, where tokens is an object; else the longest.",
)
@click.option(
    "--world-size",
    type=int,
    default=1,
    show_default=True,
    help="Ranks: each gets as many batches, of the same bucket at the same step.",
)
@click.option("--buckets", type=int, default=30, show_default=True, help="Cuts by duration.")
@click.option("--sub-buckets", type=int, default=5, show_default=True, help="Cuts by tokens.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epoch", type=int, default=0, show_default=True)
@click.option(
    "--batches",
    metavar="FILE",
    help="Write the batches: a JSON list of ids, as text, a line, step by step, rank by rank.",
)
@click.option(
    "--bins",
    metavar="FILE",
    help="Write the buckets as lhotse's and NeMo's options, in YAML; - prints them.",
)
@as_json
def plan(
    lengths: str, *, batches: str | None, bins: str | None, json_: bool, **options: Any
) -> None:
    r"""Plan an epoch's batches from rows {"id", "duration", "tokens"} and say what they pad.

    The table is JSON lines (also .gz, .zst), Parquet or Arrow. Batches are within all the limits
    given; every sample is in one.

    \b
    wavemill plan lengths.jsonl --batch-seconds 360
    wavemill plan lengths.jsonl.gz --batch-seconds 360 --batches batches.jsonl
    wavemill plan lengths.parquet --batch-tokens 8000 --world-size 8
    wavemill plan lengths.jsonl --batch-seconds 360 --bins bins.yaml
    """
    from wavemill import storage
    from wavemill.pipelines.lengths import read_lengths
    from wavemill.pipelines.lengths.write import write_batches
    from wavemill.sharding.batches import measure_padding, plan_epoch
    from wavemill.sharding.bins import bins_as_yaml, export_bins
    from wavemill.sharding.ranks import deal

    config = _config(options)
    check_range("--world-size", options["world_size"], 1, MAX_RANKS)
    _check_places(lengths, options["profile"], batches, bins)
    reporter = _reporter(lengths)
    with _stage(reporter, "read") as show:
        table = read_lengths(lengths, stream=options["stream"], keep_ids=bool(batches), show=show)
    with _stage(reporter, "plan") as show:
        epoch = plan_epoch(table.seconds, table.tokens, config, table.keys)
        ranks = deal(epoch, table.seconds, table.tokens, options["world_size"])
        padding = measure_padding(table.seconds, table.tokens, ranks.plan)
        show(len(table))
    if batches and table.ids:
        with _stage(reporter, "write") as show:
            write_batches(batches, ranks.plan, table.ids, show)
    if bins:
        text = bins_as_yaml(
            export_bins(table.seconds, table.tokens, config.budget,
                        config.num_buckets, config.num_sub_buckets)
        )  # fmt: skip
        if bins == "-":
            click.echo("\n".join(text))
        else:
            storage.write_text(bins, text)
    summary = {
        "padding_input": round(padding.input, 6),
        "padding_output": round(padding.tokens, 6),
        "dropped": 0,
        "batches": len(ranks.plan),
        "samples": len(table),
        "steps": ranks.steps,
        "repeated": ranks.repeated,
        "full": round(_fullness(ranks.plan, config.budget), 6),
    }
    emit(summary, _lines(summary, options["world_size"]), json_=json_)


def _check_places(lengths: str, profile: str | None, batches: str | None, bins: str | None) -> None:
    """Check that results can be written, and would take the place of nothing that is read."""
    from wavemill import storage

    taken = {_place(lengths), _place(profile or lengths)}
    for option, place in (("--batches", batches), ("--bins", bins)):
        if place and place != "-":
            if _place(place) in taken:
                raise UsageError(f"{option} {place} is read or written already; give another")
            taken.add(_place(place))
            storage.check_writable(place)


def _place(url: str) -> str:
    from wavemill import storage

    return os.path.realpath(storage.local_path(url)) if storage.is_local(url) else url


def _config(options: dict[str, Any]) -> "BatchConfig":
    from wavemill.sharding.batches import BatchConfig
    from wavemill.sharding.bins import read_profile_file
    from wavemill.sharding.budget import Budget

    return BatchConfig(
        budget=Budget(
            seconds=options["batch_seconds"],
            tokens=options["batch_tokens"],
            area=options["batch_area"],
            sizes=read_profile_file(options["profile"]) if options["profile"] else (),
        ),
        pool=options["pool"],
        num_buckets=options["buckets"],
        num_sub_buckets=options["sub_buckets"],
        seed=options["seed"],
        epoch=options["epoch"],
    )


def _fullness(epoch: "EpochPlan", budget: "Budget") -> float:
    """Return how much of the tightest limit batches use, in the mean; too long ones use it all."""
    full = budget.fullness(epoch.sizes, epoch.max_seconds, epoch.max_tokens)
    return float(full.clip(max=1).mean())


def _lines(summary: dict[str, Any], world_size: int) -> list[str]:
    ranks = f", {summary['steps']:,} steps of {world_size} ranks" if world_size > 1 else ""
    twice = f", {summary['repeated']:,} repeated" if summary["repeated"] else ""
    line = (
        f"{summary['samples']:,} samples in {summary['batches']:,} batches{ranks}, 0 dropped"
        f"{twice}; padding: {summary['padding_input']:.2%} of the input,"
        f" {summary['padding_output']:.2%} of the tokens; batches {summary['full']:.1%} full"
    )
    return [line]


def _reporter(lengths: str) -> "Reporter | None":
    """Show progress where there is some: the modules for it take a while to load."""
    from wavemill import storage

    try:
        if storage.info(lengths).size < MANY_BYTES:
            return None
    except OSError:
        return None
    from wavemill.pipelines.progress import Reporter

    return Reporter()


@contextmanager
def _stage(reporter: "Reporter | None", name: str) -> Iterator[Any]:
    if reporter is None:
        yield lambda _: None
        return
    with reporter.stage(name, None) as show:
        yield show
