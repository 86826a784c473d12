"""`wavemill recognizers`: what there is."""

import click

from wavemill.commands.described import described, settings_text
from wavemill.commands.output import as_json, emit, table


@click.command(short_help="List the recognizers and their settings.")
@as_json
def recognizers(*, json_: bool) -> None:
    r"""List the recognizers of `wavemill hypotheses`: settings, weights, and what is missing.

    \b
    wavemill recognizers
    wavemill recognizers --json
    """
    from wavemill.hypotheses.recognizers.table import RECOGNIZERS

    facts = {name: described(*entry) for name, entry in sorted(RECOGNIZERS.items())}
    rows = [
        (f"{name}*" if row["missing"] else name, row["weights"], settings_text(row["settings"]))
        for name, row in facts.items()
    ]
    missing = {row["install"] for row in facts.values() if row["missing"]}
    lines = table(("name", "weights", "settings"), rows)
    emit(facts, [*lines, *(f"for those marked *: {line}" for line in sorted(missing))], json_=json_)
