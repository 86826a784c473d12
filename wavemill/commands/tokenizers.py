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
    rows = [(name, *_columns(row)) for name, row in facts.items()]
    head = ("name", "Hz", "tokens a second", "codebooks x size", "settings")
    emit(facts, table(head, rows), json_=json_)


def _columns(row: dict[str, Any]) -> tuple[str, ...]:
    settings = ", ".join(f"{key}={value}" for key, value in row["settings"].items())
    if "needs" in row:
        return "", "", "", f"{settings} ({row['needs']})"
    rate = "irregular" if row["frame_rate"] is None else f"{row['frame_rate']:g}"
    return (
        f"{row['sample_rate']}",
        rate,
        f"{row['num_codebooks']} x {row['codebook_size']}",
        settings,
    )


def _names() -> list[str]:
    from wavemill.tokenizers.table import TOKENIZERS

    return sorted(TOKENIZERS)


def _facts(name: str) -> dict[str, Any]:
    from dataclasses import asdict

    from wavemill.errors import UsageError
    from wavemill.specs import Spec, configure
    from wavemill.tokenizers.table import TOKENIZERS, make_tokenizer

    _, config = configure(Spec(name=name), TOKENIZERS, "tokenizer")
    settings = {k: v for k, v in asdict(config).items() if k != "name"}
    try:
        facts = asdict(make_tokenizer(Spec(name=name)).facts)
    except UsageError as error:  # the defaults alone do not make one
        return {"needs": str(error), "settings": settings}
    return {**facts, "settings": settings}
