"""`wavemill tokenizers`: what there is."""

from typing import Any

import click

from wavemill.commands.described import described, settings_text
from wavemill.commands.output import as_json, emit, table


@click.command(short_help="List the tokenizers and their facts.")
@as_json
def tokenizers(*, json_: bool) -> None:
    r"""List the tokenizers: their settings, where their weights come from, and what is missing.

    Those whose weights ship with wavemill are built, and state their facts; nothing is downloaded.

    \b
    wavemill tokenizers
    wavemill tokenizers --json
    """
    facts = {name: _facts(name) for name in _names()}
    head = (
        "name",
        "Hz",
        "tokens a second",
        "codebooks x size",
        "weights",
        "long audio",
        "settings",
    )
    lines = table(head, [_row(name, row) for name, row in facts.items()])
    missing = {row["install"] for row in facts.values() if row["missing"]}
    emit(facts, [*lines, *(f"for those marked *: {line}" for line in sorted(missing))], json_=json_)


def _row(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    settings = settings_text(row["settings"])
    name += "*" if row["missing"] else ""
    if "num_codebooks" not in row:
        return name, "", "", "", row["weights"], row["long_audio"], settings
    rate = "irregular" if row["frame_rate"] is None else f"{row['frame_rate']:g}"
    books = f"{row['num_codebooks']} x {row['codebook_size']}"
    hz = f"{row['sample_rate']}"
    return name, hz, rate, books, row["weights"], row["long_audio"], settings


def _names() -> list[str]:
    from wavemill.tokenizers.table import TOKENIZERS

    return sorted(TOKENIZERS)


def _facts(name: str) -> dict[str, Any]:
    """Say what a tokenizer takes, and, where its weights are inside, what it gives."""
    from dataclasses import asdict

    from wavemill.specs import Spec
    from wavemill.tokenizers import make_tokenizer
    from wavemill.tokenizers.table import TOKENIZERS

    build, config = TOKENIZERS[name]
    about = {**described(build, config), "long_audio": build.long_audio}
    if build.weights == "inside":
        return {**asdict(make_tokenizer(Spec(name=name)).facts), **about}
    return about
