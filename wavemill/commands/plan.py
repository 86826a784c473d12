"""`wavemill plan`: batches from a table of lengths."""

import json
from typing import Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.errors import JobError


@click.command(short_help="Plan batches from lengths alone.")
@click.argument("lengths", metavar="LENGTHS.jsonl")
@click.option("--batch-seconds", type=float, required=True, help="Padded audio a batch may hold.")
@click.option("--buckets", type=int, default=30, show_default=True, help="Cuts by duration.")
@click.option("--sub-buckets", type=int, default=5, show_default=True, help="Cuts by tokens.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epoch", type=int, default=0, show_default=True)
@click.option("--batches", metavar="FILE", help="Write the batches: a JSON list of ids a line.")
@as_json
def plan(lengths: str, *, batches: str | None, json_: bool, **options: Any) -> None:
    r"""Plan an epoch's batches from rows {"id", "duration", "tokens"} and say what they pad.

    \b
    wavemill plan lengths.jsonl --batch-seconds 360
    wavemill plan lengths.jsonl --batch-seconds 360 --epoch 3 --batches epoch3.jsonl
    """
    import numpy as np

    from wavemill import storage
    from wavemill.sharding.batches import (
        BatchConfig,
        measure_padding,
        plan_batches,
    )

    config = BatchConfig(
        batch_seconds=options["batch_seconds"],
        num_buckets=options["buckets"],
        num_sub_buckets=options["sub_buckets"],
        seed=options["seed"],
        epoch=options["epoch"],
    )
    ids, seconds, tokens = _read_lengths(lengths)
    durations, sizes = np.array(seconds, np.float64), np.array(tokens, np.int64)
    planned = plan_batches(durations, sizes, config)
    padding = measure_padding(durations, sizes, planned)
    if batches:
        storage.write_text(
            batches,
            (json.dumps([ids[i] for i in batch], ensure_ascii=False) for batch in planned),
        )
    summary = {
        "padding_input": round(padding.input, 6),
        "padding_output": round(padding.tokens, 6),
        "dropped": len(ids) - sum(map(len, planned)),
        "batches": len(planned),
    }
    lines = [
        (
            f"{len(ids):,} samples in {len(planned):,} batches, {summary['dropped']:,} dropped;"
            f" padding: {padding.input:.2%} of the input, {padding.tokens:.2%} of the tokens"
        )
    ]
    emit(summary, lines, json_=json_)


def _read_lengths(url: str) -> tuple[list[str], list[float], list[int]]:
    from wavemill import storage

    ids: list[str] = []
    seconds: list[float] = []
    tokens: list[int] = []
    with storage.open_read(url) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                name, duration, length = _read_row(line)
            except (ValueError, KeyError, TypeError) as error:
                raise JobError(
                    f"{url} line {number}: expected"
                    f' {{"id": ..., "duration": seconds, "tokens": n}}: {error!r}'
                ) from error
            ids.append(name)
            seconds.append(duration)
            tokens.append(length)
    if not ids:
        raise JobError(f"{url} holds no rows")
    return ids, seconds, tokens


def _read_row(line: bytes) -> tuple[str, float, int]:
    row = json.loads(line)
    duration, length = float(row["duration"]), int(row.get("tokens") or 0)
    if not 0 < duration < float("inf") or length < 0:
        raise ValueError("a duration must be positive, tokens 0 or more")
    return str(row["id"]), duration, length
