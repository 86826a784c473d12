"""`wavemill tokenizers`: what there is."""

from typing import Any

import click

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
    settings = ", ".join(
        f"{key}={'...' if value is None else value}" for key, value in row["settings"].items()
    )
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
    from dataclasses import MISSING, asdict, fields

    from wavemill.packages import is_installed, pip_line
    from wavemill.specs import Spec
    from wavemill.tokenizers import make_tokenizer
    from wavemill.tokenizers.table import TOKENIZERS

    build, config = TOKENIZERS[name]
    stated = [field for field in fields(config) if field.name != "name"]
    stated.sort(key=lambda field: field.name not in config.__annotations__)  # inherited ones last
    needs = [field.name for field in stated if field.default is MISSING]
    settings = {f.name: None if f.default is MISSING else f.default for f in stated}
    missing = [package for package in build.packages if not is_installed(package)]
    about: dict[str, Any] = {
        "needs": needs,
        "settings": settings,
        "missing": missing,
        "install": pip_line(build.extra) if build.extra else "",
        "weights": build.weights,
        "long_audio": build.long_audio,
    }
    if build.weights == "inside":
        return {**asdict(make_tokenizer(Spec(name=name)).facts), **about}
    return about
