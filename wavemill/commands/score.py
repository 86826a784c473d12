"""`wavemill score`: how wrong hypotheses are, and what corrections make of them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.output import as_json, emit, figures
from wavemill.commands.splits import splits_option

if TYPE_CHECKING:
    from wavemill.hypotheses.scoring.bootstrap import Interval
    from wavemill.hypotheses.scoring.scores import Group, Score, Scores

HEAD = ("system", "WER %", "95 % interval", "to 1-best", "95 % interval", "CER %", "errors")


@click.command(short_help="Word error rates of hypotheses and corrections.")
@click.argument("source", metavar="DIR|FILE.json")
@click.option(
    "--group-by", "keys", multiple=True, metavar="KEY",
    help="speaker, language, split, recording or custom.FIELD; may be given again.",
)  # fmt: skip
@splits_option("All if left out.")
@click.option(
    "--resamples", type=click.IntRange(0, 1_000_000), default=1000, show_default=True,
    help="Of the bootstrap; 0 for no intervals.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of them.")
@click.option("--html", metavar="FILE", help="A page that shows the words that are wrong.")
@click.option(
    "--rows", type=click.IntRange(1), default=200, show_default=True,
    help="Utterances on that page at most, the worst first.",
)  # fmt: skip
@as_json
def score(source: str, *, html: str | None, rows: int, json_: bool, **options: Any) -> None:
    r"""Score the hypotheses of a folder, or of a HyPoradise file, and all corrections in it.

    Error rates are of all words, as jiwer counts them. o_nb is the WER if the best of the
    hypotheses were always taken, o_cp the share of words that no hypothesis has; vote is what most
    hypotheses say, word for word. Intervals hold 95 % of what the bootstrap over utterances gives.

    \b
    wavemill score hypotheses --split test --group-by speaker
    wavemill score hypotheses --split test --html errors.html
    wavemill score test_atis.json --json
    """
    from wavemill import storage
    from wavemill.hypotheses.scoring.page import write_page
    from wavemill.hypotheses.scoring.scores import score as score_source
    from wavemill.hypotheses.source import open_source

    opened = open_source(source)
    if html:
        storage.check_writable(html)
    scores = score_source(opened, **options)
    if html:
        write_page(html, opened, scores, rows=rows)
    lines = [*_lines(scores), *(["", f"-> {html}"] if html else [])]
    emit({**scores.to_json(), "html": html}, lines, json_=json_)


def _lines(scores: "Scores") -> Iterator[str]:
    whole = scores.whole
    yield (
        f"{whole.utterances:,} utterances, {whole.words:,} words; {scores.short:,} have fewer"
        f" hypotheses than were asked for, {scores.without_hypotheses:,} none"
    )
    if scores.without_reference:
        yield f"{scores.without_reference:,} more have no reference, and are left out"
    yield ""
    yield from figures(HEAD, [_row(one, whole.systems[0]) for one in whole.systems])
    yield ""
    for name, flags in scores.flags.items():
        yield _told(whole.score(name), scores.missing[name], flags)
    for by in dict.fromkeys(group.by for group in scores.groups):
        yield ""
        yield from _by(str(by), [group for group in scores.groups if group.by == by])


def _row(one: "Score", best: "Score") -> tuple[str, ...]:
    compared = one is not best
    return (
        one.name,
        f"{100 * one.wer:.2f}",
        _between(one.wer_interval),
        f"{100 * one.difference:+.2f}" if compared else "",
        _between(one.difference_interval) if compared else "",
        "" if one.cer is None else f"{100 * one.cer:.2f}",
        f"{one.errors:,}",
    )


def _between(interval: "Interval | None") -> str:
    return "" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}"


def _told(one: "Score", missing: int, flags: dict[str, int]) -> str:
    """Say whether corrections are better than what they correct."""
    from wavemill.hypotheses.scoring.scores import ABOVE, BELOW

    points = f"by {abs(100 * one.difference):.2f} points"
    between = f"(95 %: {_between(one.difference_interval)})"
    words = {
        BELOW: f"below the 1-best's, {points} {between}",
        ABOVE: f"above the 1-best's, {points} {between}",
        None: f"{100 * one.difference:+.2f} points from the 1-best's; nothing was resampled",
    }.get(one.verdict, f"not told apart from the 1-best's: {100 * one.difference:+.2f} {between}")
    more = [f"{count:,} {flag}" for flag, count in flags.items()]
    if missing:
        more.append(f"{missing:,} utterances have none, the 1-best stands in")
    return f"{one.name}: WER is {words}" + (f"; {', '.join(more)}" if more else "")


def _by(key: str, groups: "Sequence[Group]") -> list[str]:
    names = [one.name for one in groups[0].systems]
    rows = [
        (group.value or "(none)", f"{group.utterances:,}", f"{group.words:,}",
         *(f"{100 * one.wer:.2f}" for one in group.systems))
        for group in groups
    ]  # fmt: skip
    return figures((key, "utterances", "words", *(f"{name} %" for name in names)), rows)
