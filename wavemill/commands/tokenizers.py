"""`wavemill tokenizers`: what there is."""

from typing import Any

import click

from wavemill.commands.output import as_json, emit, table


@click.command(short_help="List the tokenizers and their facts.")
@as_json
def tokenizers(*, json_: bool) -> None:
    r"""List the tokenizers, with the facts of their default settings.

    \b
    wavemill tokenizers
    wavemill tokenizers --json
    """
    facts = {name: _facts(name) for name in _names()}
    head = ("name", "Hz", "tokens a second", "codebooks x size", "settings")
    emit(facts, table(head, [_row(name, row) for name, row in facts.items()]), json_=json_)


def _row(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    settings = ", ".join(f"{key}={value}" for key, value in row["settings"].items())
    if "needs" in row:
        needs = ", ".join(f"{setting}=..." for setting in row["needs"])
        return name, "", "", "", f"{needs}{', ' if settings else ''}{settings}"
    rate = "irregular" if row["frame_rate"] is None else f"{row['frame_rate']:g}"
    books = f"{row['num_codebooks']} x {row['codebook_size']}"
    return name, f"{row['sample_rate']}", rate, books, settings


def _names() -> list[str]:
    from wavemill.tokenizers.table import TOKENIZERS

    return sorted(TOKENIZERS)


def _facts(name: str) -> dict[str, Any]:
    """Say what a tokenizer is with its default settings; without one, what it needs."""
    from dataclasses import MISSING, asdict, fields

    from wavemill.specs import Spec
    from wavemill.tokenizers.table import TOKENIZERS, make_tokenizer

    settings = [field for field in fields(TOKENIZERS[name][1]) if field.name != "name"]
    defaults = {field.name: field.default for field in settings if field.default is not MISSING}
    needs = [field.name for field in settings if field.default is MISSING]
    if needs:
        return {"needs": needs, "settings": defaults}
    return {**asdict(make_tokenizer(Spec(name=name)).facts), "settings": defaults}
