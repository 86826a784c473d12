"""`wavemill hypotheses --from-text`: what a recognizer might have made of texts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.llm_options import ask_settings, llm_options, spent_lines
from wavemill.commands.output import as_json, emit
from wavemill.commands.running import NOTHING_WRITTEN
from wavemill.errors import UsageError

if TYPE_CHECKING:
    from wavemill.hypotheses.from_text import Drawing, FromTextSettings
    from wavemill.hypotheses.normalize import Normalizer
    from wavemill.hypotheses.records import Utterance

TEMPERATURE = 0.8
"""Of a language model that invents, if none is given."""
PROMPT, PROMPT_ONCE = "mishear", "mishear-once"


@click.command(short_help="Hypotheses of texts, without audio.")
@click.argument("inputs", nargs=-1, required=True, metavar="TEXTS...")
@click.option("--out", metavar="DIR", required=True, help="Folder of the hypotheses.")
@click.option(
    "--model", metavar="URL|FOLDER|NAME", help="A language model; confusions of phones if left out."
)
@click.option(
    "--confusions", metavar="FILE", help="Of `fit confusions`; pocketsphinx's if left out."
)
@click.option(
    "--prompt", metavar="NAME|FILE", help=f"{PROMPT}, or {PROMPT_ONCE} with --superposed."
)
@click.option(
    "--superposed", is_flag=True,
    help="A model in this process writes all of a text's hypotheses at once, not one by one.",
)  # fmt: skip
@click.option("--n", "count", type=int, default=5, show_default=True, help="Hypotheses of each.")
@click.option("--wer", type=float, default=0.2, show_default=True, help="Of the first hypotheses.")
@click.option("--phone-distance", type=float, help="Of the same; that of real errors if left out.")
@click.option("--language", metavar="CODE", help="Where the input does not say it: en, fr, ...")
@click.option("--normalizer", default="auto", show_default=True, metavar="NAME")
@click.option("--split-by", default="text", show_default=True, help="recording, speaker or text.")
@click.option("--splits", default="1,0,0", show_default=True, metavar="SHARES")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--licence", metavar="ID", help="For the card, as cc-by-4.0.")
@click.option("--batch-size", type=int, default=8, show_default=True, help="In this process.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
@llm_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and ask and write nothing.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def from_text(inputs: tuple[str, ...], *, out: str, json_: bool, **options: Any) -> None:
    r"""Draw hypotheses of texts, as wrong as those of a recognizer, with no audio.

    TEXTS are .txt files of a text a line, or what `prepare` takes if it has texts. Words are taken
    for others that sound alike, by what a recognizer takes for what (English), or by a language
    model. The first hypotheses have about the error rate of --wer, and a phone distance as real
    errors of that rate; what came of it is measured.

    \b
    wavemill hypotheses texts.txt --from-text --out drawn --wer 0.15
    wavemill hypotheses texts.txt --from-text --out drawn --model http://localhost:8000/v1
    wavemill hypotheses texts.txt --from-text --out drawn --model FOLDER --superposed
    """
    from wavemill import storage
    from wavemill.hypotheses.confusions.pronounce import Pronouncer
    from wavemill.hypotheses.from_text import (
        FromTextSettings,
        Measured,
        choose_pilot,
        read_texts,
        utterances,
    )
    from wavemill.hypotheses.making import write_all
    from wavemill.hypotheses.normalize import Normalizer
    from wavemill.hypotheses.splits import Splitting
    from wavemill.pipelines.progress import Reporter

    out = storage.folder_url(out)
    settings = FromTextSettings(
        **{name: options[name] for name in ("count", "wer", "phone_distance", "seed")}
    )
    splitting = Splitting.parse(options["split_by"], options["splits"], options["seed"])
    normalizer = Normalizer(options["normalizer"])
    pronouncer = Pronouncer()
    drawing = _drawing(out, options, settings, normalizer, pronouncer)

    def texts() -> Iterator[Any]:
        return read_texts(inputs, normalizer, options["language"])

    pilot, whole = choose_pilot(texts())
    if options["dry_run"]:
        plan = {"out": out, "pilot": len(pilot), **drawing.facts}
        emit(plan, [f"{out}: by {drawing.facts['name']}", NOTHING_WRITTEN], json_=json_)
        return
    drawing.prepare(pilot)
    measured = Measured(pronouncer=pronouncer)
    about = _about(inputs, options, drawing.facts, normalizer.version, whole)
    with Reporter(quiet=options["quiet"]).stage("draw", None) as show:
        made = utterances(drawing, texts(), settings.count, measured)
        content = write_all(out, _shown(made, show), about, splitting)
    summary = {
        "out": out,
        **content["totals"],
        "target": drawing.facts["target"],
        "phone_distance": round(measured.wrongness.phone_distance, 6),
        **getattr(drawing, "spent", {}),
    }
    emit(summary, _lines(summary), json_=json_)


def _drawing(
    out: str,
    options: dict[str, Any],
    settings: "FromTextSettings",
    normalizer: "Normalizer",
    pronouncer: Any,
) -> "Drawing":
    if options["superposed"] and not options["model"]:
        raise UsageError("--superposed is a way in which a language model writes: give --model")
    if options["model"]:
        from wavemill.hypotheses.llm_mishearing import open_mishearing

        prompt = options["prompt"] or (PROMPT_ONCE if options["superposed"] else PROMPT)
        ask = ask_settings(options["model"], prompt, out, options, TEMPERATURE)
        return open_mishearing(ask, settings, normalizer)
    from wavemill.hypotheses.confusions.drawing import ConfusionDrawing
    from wavemill.hypotheses.confusions.model import load_model

    return ConfusionDrawing(load_model(options["confusions"]), settings, pronouncer)


def _about(
    inputs: tuple[str, ...],
    options: dict[str, Any],
    facts: Mapping[str, Any],
    normalizer: str,
    texts: str,
) -> Any:
    from wavemill.digest import digest
    from wavemill.hypotheses.making import About

    names = ("wer", "phone_distance", "split_by", "splits", "seed", "language")
    settings = {"n": options["count"], "recognizer": facts["name"], "from_text": True}
    settings |= {name: options[name] for name in names}
    return About(
        digest=digest([settings, facts, normalizer, texts]),
        inputs=inputs,
        settings=settings,
        recognizer=facts,
        normalizer=normalizer,
        licence=options["licence"],
    )


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{summary['utterances']:,} utterances, {summary['hypotheses']:.2f} hypotheses each, in"
        f" {summary['out']}"
    )
    target = summary["target"]
    distance = target.get("phone_distance")
    near = "" if distance is None else f" (asked for: {distance:.2%})"
    yield (
        f"1-best WER {summary['wer']:.2%} (asked for: {target['wer']:.2%}), phone distance"
        f" {summary['phone_distance']:.2%}{near}, n-best oracle {summary['o_nb']:.2%}"
    )
    if summary["short"]:
        yield f"{summary['short']:,} utterances have fewer hypotheses than asked for"
    if "asked" in summary:
        yield from spent_lines(summary)


def _shown(made: "Iterable[Utterance]", show: Callable[[int], None]) -> "Iterator[Utterance]":
    """Yield utterances, and tell how many there were."""
    for number, one in enumerate(made, 1):
        show(number)
        yield one
