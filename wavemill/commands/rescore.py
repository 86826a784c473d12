"""`wavemill rescore`: choose anew among hypotheses, with a language model."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.splits import splits_option
from wavemill.errors import UsageError

TUNED = "tuned"


@click.command(short_help="Choose anew among hypotheses, with a language model.")
@click.argument("folder", metavar="DIR")
@click.option(
    "--lm", default="ngram", show_default=True, metavar="ngram|FOLDER|NAME",
    help="One of the training split's references, or a causal model of transformers.",
)  # fmt: skip
@click.option(
    "--weight", default=TUNED, show_default=True, metavar="NUMBER",
    help="Of the language model; tuned: by the fewest errors where it has not learnt.",
)  # fmt: skip
@click.option(
    "--order", type=click.IntRange(1, 9), default=3, show_default=True, help="Of n-grams."
)
@splits_option("What is rescored.", ["test"])
@click.option("--name", metavar="NAME", help="Of the rescoring; lm-NAME if left out.")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def rescore(folder: str, *, lm: str, weight: str, json_: bool, **options: Any) -> None:
    r"""Choose the hypothesis whose score is best with that of a language model, times a weight.

    What is chosen goes to DIR/corrections, where `wavemill score` finds it. Nothing is learnt from
    the test split: n-grams come from the references of the training split, the weight from the
    validation split, or from parts of the training split that are left out in turn.

    \b
    wavemill rescore hypotheses
    wavemill rescore hypotheses --lm models/SmolLM2-135M --weight 0.3
    """
    from wavemill import storage
    from wavemill.hypotheses.folder import HypothesesFolder, named_after
    from wavemill.hypotheses.rescoring.opening import open_model, tune_on
    from wavemill.hypotheses.rescoring.rescore import rescore as choose
    from wavemill.pipelines.progress import Reporter

    factor = _factor(weight)
    opened = HypothesesFolder.open(storage.folder_url(folder))
    model = open_model(
        lm, opened, **{name: options[name] for name in ("order", "device", "batch_size")}
    )
    reporter = Reporter(quiet=options["quiet"])
    tuned = None
    if factor is None:
        with reporter.stage("tune", None):
            split, found = tune_on(opened, model)
        factor, tuned = found.weight, {"split": split, **asdict(found)}
    name = options["name"] or f"lm-{named_after(lm)}"
    facts = {
        "kind": "rescoring",
        "splits": list(options["splits"]),
        **model.facts,
        "weight": factor,
        "tuned": tuned,
    }
    with reporter.stage("rescore", None):
        made = choose(opened.utterances(*options["splits"]), model, factor)
        count = opened.write_corrections(name, made, facts)
    summary = {"utterances": count, "name": name, "out": opened.url, **facts}
    emit(summary, _lines(summary), json_=json_)


def _factor(weight: str) -> float | None:
    """Read `--weight`; None where it is to be tuned."""
    if weight == TUNED:
        return None
    try:
        factor = float(weight)
    except ValueError:
        factor = math.nan
    if not 0 <= factor < math.inf:
        raise UsageError(f"--weight {weight}: give a number from 0 on, or {TUNED}")
    return factor


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    tuned = summary["tuned"]
    if tuned:
        before, after = (
            f"{tuned[key] / max(tuned['words'], 1):.2%}" for key in ("errors_before", "errors")
        )
        yield (
            f"weight {summary['weight']:g}: WER of {tuned['utterances']:,} utterances of the"
            f" {tuned['split']} split {before} -> {after}"
        )
    yield f"{summary['utterances']:,} utterances -> {summary['out']}, {summary['name']}"
