"""`wavemill correct`: make one text of each utterance's hypotheses."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.llm_options import ask_settings, llm_options, spent_lines
from wavemill.commands.output import as_json, emit
from wavemill.commands.running import NOTHING_WRITTEN
from wavemill.commands.splits import splits_option

if TYPE_CHECKING:
    from wavemill.hypotheses.correctors import Corrector
    from wavemill.hypotheses.folder import HypothesesFolder
    from wavemill.hypotheses.hearing_corrector import FuseSettings
    from wavemill.hypotheses.records import Correction, Utterance
    from wavemill.pipelines.progress import Show


CALIBRATION = {"calibrated_on", "writer", "recognizer"}


@click.command(short_help="Correct hypotheses, with a language model or one trained here.")
@click.argument("folder", metavar="DIR")
@click.option(
    "--model", required=True, metavar="URL|RUN|FOLDER|NAME",
    help="A server (http://HOST/v1#MODEL), a run of `train corrector`, or a model of transformers.",
)  # fmt: skip
@click.option(
    "--prompt",
    default="correct",
    show_default=True,
    metavar="NAME|FILE",
    help="What a model is asked.",
)
@click.option("--name", metavar="NAME", help="Of the corrections; made of the model's if left out.")
@splits_option("What is corrected.", ["test"])
@click.option(
    "--only-words-of-hypotheses", is_flag=True,
    help="A run writes no word that is in none of the hypotheses.",
)  # fmt: skip
@click.option(
    "--fuse", metavar="RUN", help="Of `train asr`, which hears beside a writer (UADF); see --audio."
)
@click.option(
    "--audio", multiple=True, metavar="INPUT", help="What the hypotheses were made of; for --fuse."
)
@click.option("--batch-size", type=int, default=32, show_default=True, help="In this process.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
@llm_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and ask and write nothing.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def correct(folder: str, *, model: str, json_: bool, **options: Any) -> None:
    r"""Correct the hypotheses of a folder, and write DIR/corrections/NAME.

    A language model is asked about each utterance by itself. What it answers is checked: where it
    is empty, a refusal, chatter, too long, or far from all hypotheses, the first hypothesis stays,
    and the row has flags. Answers are kept in DIR/_answers: the same command goes on where it
    stopped, and asks nothing twice.

    \b
    wavemill correct hyps --model http://localhost:8000/v1
    wavemill correct hyps --model https://a.b/v1#NAME --budget-dollars 5
    wavemill correct hyps --model run --only-words-of-hypotheses
    wavemill correct hyps --model writer --fuse asr --audio speech/
    """
    from wavemill import storage
    from wavemill.hypotheses.correctors import CorrectorSettings, open_corrector
    from wavemill.hypotheses.folder import HypothesesFolder
    from wavemill.hypotheses.normalize import AUTO
    from wavemill.pipelines.progress import Reporter

    opened = HypothesesFolder.open(storage.folder_url(folder))
    splits = tuple(options["splits"])
    total = _count(opened, splits)
    settings = CorrectorSettings(
        device=options["device"],
        batch_size=options["batch_size"],
        only_words_of_hypotheses=options["only_words_of_hypotheses"],
        ask=ask_settings(model, options["prompt"], opened.url, options, temperature=0.0),
        fuse=_fuse(opened, options),
        normalizer=opened.content.get("normalizer", AUTO).split(" ")[0],
    )
    corrector = open_corrector(model, settings)
    name = options["name"] or _name(model, corrector.facts)
    plan = {"utterances": total, "splits": list(splits), "name": name, "out": opened.url}
    if options["dry_run"]:
        emit(*_plan(plan, corrector, opened.utterances(*splits)), json_=json_)
        return
    counts: Counter[str] = Counter()
    facts = {"kind": "correction", "splits": list(splits), **corrector.facts}
    with Reporter(quiet=options["quiet"]).stage("correct", total) as show:
        made = _counted(corrector.correct(opened.utterances(*splits)), counts, show)
        opened.write_corrections(name, made, facts)
    emit(*_summary(plan, corrector, counts), json_=json_)


def _fuse(folder: "HypothesesFolder", options: Mapping[str, Any]) -> "FuseSettings | None":
    from wavemill.errors import UsageError

    if (options["fuse"] is None) != (not options["audio"]):
        raise UsageError("--fuse RUN and --audio INPUT go together")
    if options["fuse"] is None:
        return None
    from wavemill.hypotheses.hearing_corrector import FuseSettings

    held_out = () if options["dry_run"] else tuple(folder.utterances("validation"))
    return FuseSettings(
        recognizer=options["fuse"], audio=tuple(options["audio"]), held_out=held_out
    )


def _count(folder: "HypothesesFolder", splits: tuple[str, ...]) -> int:
    from wavemill.errors import JobError

    found = Counter(utterance.split for utterance in folder.utterances())
    total = sum(found[split] for split in splits)
    if not total:
        known = ", ".join(f"{count:,} of {split}" for split, count in sorted(found.items()))
        words = f"it has {known or 'none at all'}; give --split"
        raise JobError(f"{folder.url} has no utterance of {' or '.join(splits)}: {words}")
    return total


def _name(model: str, facts: Mapping[str, Any]) -> str:
    from wavemill.hypotheses.folder import named_after

    asked = facts.get("model")
    name = str(asked["model"]) if isinstance(asked, dict) else model
    return named_after(name).strip("-") or "correction"


def _counted(
    corrections: Iterable["Correction"], counts: Counter[str], show: "Show"
) -> Iterator["Correction"]:
    for number, correction in enumerate(corrections, 1):
        counts.update(correction.flags or ("taken",))
        flagged = number - counts["taken"]
        show(number, f"{flagged:,} answers were not taken" if flagged else "")
        yield correction


def _plan(
    plan: dict[str, Any], corrector: "Corrector", utterances: Iterable["Utterance"]
) -> tuple[dict[str, Any], list[str]]:
    from wavemill.hypotheses.llm_corrector import LlmCorrector

    lines = [f"{plan['out']}: {plan['utterances']:,} utterances of {' and '.join(plan['splits'])}"]
    if isinstance(corrector, LlmCorrector):
        forecast = corrector.forecast(utterances)
        plan = {**plan, **forecast}
        dollars = f" (${forecast['most_dollars']:.4f})" if forecast["most_dollars"] else ""
        lines += [
            f"{forecast['to_ask']:,} of {forecast['questions']:,} questions to ask",
            f"at the very most {forecast['most_tokens']:,} tokens{dollars}; the first question:",
            *(f"  [{role}] {text}" for role, text in forecast["example"]),
        ]
    return {**plan, **corrector.facts}, [*lines, NOTHING_WRITTEN]


def _calibration(facts: Mapping[str, Any]) -> str:
    if not facts["calibrated_on"]:
        return "no validation split with references: both temperatures are 1"
    found = " and ".join(
        f"{facts[name]['temperature']:.2f} of the {name}"
        + ("" if facts[name]["reached"] else f" (which leaves a gap of {facts[name]['gap']:+.3f})")
        for name in ("writer", "recognizer")
    )
    return f"temperatures by {facts['calibrated_on']:,} utterances of the validation split: {found}"


def _summary(
    plan: dict[str, Any], corrector: "Corrector", counts: Counter[str]
) -> tuple[dict[str, Any], Iterator[str]]:
    from wavemill.hypotheses.llm_corrector import LlmCorrector

    taken = counts.pop("taken", 0)
    summary = {**plan, "taken": taken, "flags": dict(sorted(counts.items()))}
    lines = [
        f"{plan['out']}: {plan['utterances']:,} corrections, {plan['name']}",
        f"answers that were not taken: {plan['utterances'] - taken:,}",
        *(f"  {flag}: {count:,}" for flag, count in summary["flags"].items()),
    ]
    if isinstance(corrector, LlmCorrector):
        summary |= corrector.spent
        lines += spent_lines(corrector.spent)
    elif "calibrated_on" in corrector.facts:
        summary |= {name: corrector.facts[name] for name in corrector.facts.keys() & CALIBRATION}
        lines.append(_calibration(corrector.facts))
    return summary, iter([*lines, f"next: wavemill score {plan['out']}"])
