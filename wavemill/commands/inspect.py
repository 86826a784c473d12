"""`wavemill inspect`: what a dataset holds."""

from typing import Any

import click

from wavemill.commands.output import as_json, emit, table


@click.command(short_help="Show what a dataset holds.")
@click.argument("out", metavar="OUT")
@as_json
def inspect(out: str, *, json_: bool) -> None:
    r"""Show a dataset's buckets, token streams, padding and rejects.

    \b
    wavemill inspect prepared
    wavemill inspect s3://bucket/prepared --json
    """
    from wavemill.sharding.dataset import Dataset
    from wavemill.storage import folder_url

    facts = Dataset.open(folder_url(out)).inspect()
    emit(facts, _lines(facts), json_=json_)


def _lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"{facts['samples']:,} samples, {facts['hours']:.3f} hours", ""]
    lines += table(
        ("bucket", "up to s", "up to tokens", "samples", "hours"),
        [
            (b["name"], f"{b['max_seconds']:.2f}", f"{b['max_tokens']:,}", f"{b['samples']:,}",
             f"{b['hours']:.3f}")
            for b in facts["buckets"]
        ],
    )  # fmt: skip
    if facts["tokenizers"]:
        lines += ["", *table(
            ("tokens", "a second", "codebooks x size", "tokens in all", "ids used", "perplexity"),
            [_stream(name, stream) for name, stream in facts["tokenizers"].items()],
        )]  # fmt: skip
    padding = facts["padding"]
    lines += ["", (f"padding in batches of {padding['batch_seconds']:.4g} s: {padding['input']:.1%}"
              f" of the audio, {padding['tokens']:.1%} of the tokens")]  # fmt: skip
    lines += _quality(facts["quality"])
    lines.append(f"samples whose audio is that of another: {facts['duplicates']:,}")
    rejected = ", ".join(f"{reason} {count:,}" for reason, count in facts["rejected"].items())
    return [*lines, f"rejected: {rejected or 'none'}", *_run(facts["run"])]


def _run(run: dict[str, Any] | None) -> list[str]:
    """Say how long the run took that made the dataset, and its steps."""
    if run is None:
        return []
    speed = "" if run["hours_an_hour"] is None else f", {run['hours_an_hour']:,.1f} hours an hour"
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in run["steps"].items())
    rows = [row for name in run["metrics"] if (row := _timed(name, run["metrics"]))]
    lines = ["", f"made {run['started']} in {run['seconds']:,.1f} s{speed} ({steps})"]
    if run["reused_units"]:
        lines.append(f"{run['reused_units']:,} unit files were there before it")
    head = ("step", "made", "seconds of work", "longest", "hours", "times real time")
    return [*lines, *table(head, rows)] if rows else lines


def _timed(name: str, metrics: dict[str, Any]) -> tuple[str, ...] | None:
    """Lay out a step's distribution of times with how much audio it went through."""
    step = name.removesuffix("_ms")
    if not isinstance(metrics[name], dict) or step.endswith("_load"):
        return None
    seconds, audio = metrics[name]["sum"] / 1000, metrics.get(f"{step}_audio_ms")
    speed = "" if audio is None or not seconds else f"{audio / 1000 / seconds:,.1f}"
    hours = "" if audio is None else f"{audio / 3.6e6:,.3f}"
    made = f"{metrics[name]['count']:,}"
    return (step, made, f"{seconds:,.1f}", f"{metrics[name]['max'] / 1000:,.1f}", hours, speed)


def _quality(measures: dict[str, Any]) -> list[str]:
    """Lay out percentiles of what was measured, and what filters would leave out."""
    if not measures:
        return []
    points = ("p1", "p5", "p50", "p95", "p99")
    rows = [
        (
            name.replace("_", " "),
            *(f"{about[point]:.4g}" for point in points),
            ", ".join(
                f"--{filter_.replace('_', '-')} {would['bound']:g}: {would['samples']:,}"
                for filter_, would in about["would_drop"].items()
            ),
        )
        for name, about in measures.items()
    ]
    return ["", *table(("measure", *points, "samples a filter would leave out"), rows), ""]


def _stream(name: str, facts: dict[str, Any]) -> tuple[str, ...]:
    size = facts["num_codebooks"] * facts["codebook_size"]
    rate = "irregular" if facts["frame_rate"] is None else f"{facts['frame_rate']:g}"
    return (
        name,
        rate,
        f"{facts['num_codebooks']} x {facts['codebook_size']}",
        f"{facts['tokens']:,}",
        f"{facts['used']:,} of {size:,}",
        f"{facts['perplexity']:.1f}",
    )
