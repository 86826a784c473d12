"""`wavemill plan`: batches from a table of lengths."""

import json
from typing import Any, TypeGuard

import click

from wavemill.commands.output import as_json, emit
from wavemill.errors import JobError, RejectedError

MAX_SECONDS = 100_000_000
"""Three years; of any length, sums over a corpus would lose the short ones."""
MAX_TOKENS = 10**12


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
    wavemill plan lengths.jsonl.gz --batch-seconds 360 --batches batches.jsonl
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
    if batches:
        storage.check_writable(batches)
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
    from wavemill.pipelines.ingest.lines import parse_object, read_lines

    seconds: list[float] = []
    tokens: list[int] = []
    seen: dict[str, int] = {}
    try:
        for number, line in read_lines(url):
            if not line.strip():
                continue
            try:
                name, duration, length = _read_row(parse_object(line))
                if name in seen:
                    raise _wrong(f"the id of line {seen[name]}; ids must differ")
            except RejectedError as error:
                raise JobError(f"{url} line {number}: {error.detail}") from error
            seen[name] = number
            seconds.append(duration)
            tokens.append(length)
    except RejectedError as error:
        raise JobError(f"{url}: {error.detail}") from error
    if not seen:
        raise JobError(f"{url} holds no rows")
    return list(seen), seconds, tokens


def _read_row(row: dict[str, Any]) -> tuple[str, float, int]:
    """Read {"id", "duration", "tokens"}; numbers are numbers, not their text."""
    name, duration, tokens = row.get("id"), row.get("duration"), row.get("tokens")
    tokens = 0 if tokens is None else tokens
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise _wrong(f"id is {name!r}, expected text")
    if not _is_number(duration, int | float) or not 0 < duration <= MAX_SECONDS:
        raise _wrong(f"duration is {duration!r}, expected seconds, over 0 up to {MAX_SECONDS}")
    if not _is_number(tokens, int) or not 0 <= tokens <= MAX_TOKENS:
        raise _wrong(f"tokens is {tokens!r}, expected a whole number, 0 to {MAX_TOKENS}")
    return str(name), float(duration), int(tokens)


def _is_number(value: Any, kind: Any) -> TypeGuard[float]:
    return isinstance(value, kind) and not isinstance(value, bool)


def _wrong(words: str) -> RejectedError:
    from wavemill.records import INVALID_ROW

    return RejectedError(INVALID_ROW, words)
