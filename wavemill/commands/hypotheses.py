"""`wavemill hypotheses`: what a recognizer may have heard, for training what corrects it."""

from collections.abc import Iterator
from typing import Any

import click

from wavemill.commands.config import config_option
from wavemill.commands.from_text import from_text
from wavemill.commands.output import as_json, emit
from wavemill.commands.running import (
    JOB_CONTEXT,
    NOTHING_WRITTEN,
    as_job,
    engine_of,
    max_rejected_option,
    split_arguments,
    stage_lines,
    unit_mb_option,
)

FROM_TEXT = "--from-text"


class _Hypotheses(click.Command):
    """Two commands of one name: of audio, and with `--from-text` of texts."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the command line of the one that is meant."""
        if FROM_TEXT not in args:
            return super().make_context(info_name, args, parent, **extra)
        left = [argument for argument in args if argument != FROM_TEXT]
        return from_text.make_context(f"{info_name} {FROM_TEXT}", left, parent, **extra)


@click.command(
    cls=_Hypotheses, context_settings=JOB_CONTEXT, short_help="N-best lists of a speech recognizer."
)
@click.argument("inputs", nargs=-1, type=click.UNPROCESSED, metavar="INPUT...")
@click.option("--out", metavar="DIR", required=True, help="Folder or URL of the hypotheses.")
@click.option(
    "--recognizer",
    metavar="NAME[:k=v,...]",
    required=True,
    help="As pocketsphinx or whisper:model=FOLDER; `wavemill recognizers` lists them.",
)
@click.option("--n", "count", type=int, default=5, show_default=True, help="Hypotheses of each.")
@click.option(
    "--segment",
    default="none",
    show_default=True,
    metavar="HOW",
    help="Cuts recordings as `prepare` does: vad, fixed:SECONDS, manifest or none.",
)
@click.option("--language", metavar="CODE", help="Where the input does not say it: en, fr, ...")
@click.option(
    "--normalizer",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="english and basic (Whisper's), plain, or auto: by language.",
)
@click.option("--noise", type=float, metavar="SNR_DB", help="Add noise before it is heard.")
@click.option(
    "--noise-kind",
    default="white",
    show_default=True,
    metavar="KIND",
    help="white, pink or babble.",
)
@click.option("--noise-from", metavar="INPUT", help="Speech that babble is made of.")
@click.option("--reverb", type=float, metavar="SECONDS", help="Put it into a room that echoes.")
@click.option(
    "--split-by",
    default="recording",
    show_default=True,
    metavar="WHAT",
    help="recording, speaker or text: what lies in one split as a whole.",
)
@click.option(
    "--splits",
    default="1,0,0",
    show_default=True,
    metavar="SHARES",
    help="Of train, validation and test, as 0.8,0.1,0.1.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of noise, draws and splits.")
@click.option("--licence", metavar="ID", help="For the card, as cc-by-4.0.")
@max_rejected_option("Fail, and publish nothing, if more than this share does not come through.")
@unit_mb_option
@as_job
@config_option
@as_json
@click.pass_context
def hypotheses(context: click.Context, /, *, json_: bool, **options: Any) -> None:
    r"""Write down what a recognizer may have heard: N different hypotheses of each utterance.

    INPUT is what `prepare` takes, or one prepared dataset. DIR holds Parquet files, a card, and
    rejected.jsonl. Utterances of which fewer hypotheses came are marked, none is repeated.

    \b
    wavemill hypotheses speech/ --out nbest --recognizer pocketsphinx --n 5
    wavemill hypotheses prepared --out nbest --recognizer whisper:model=FOLDER
    wavemill hypotheses speech/ --out noisy --recognizer pocketsphinx --noise 10
    wavemill hypotheses speech/ --out nbest --recognizer wavemill:run=asr

    With --from-text INPUT holds texts, and what might be heard is drawn, without audio: see
    `wavemill hypotheses --from-text --help`.

    A job that was stopped goes on where it stood: give the same command again.
    """
    from wavemill.pipelines.progress import Reporter

    beam, given = split_arguments(context, options["inputs"])
    settings = _settings({**options, "inputs": given})
    engine = engine_of(options, beam)

    from wavemill.pipelines.hypotheses.job import make_hypotheses_job
    from wavemill.pipelines.hypotheses.run import dry_run, run

    job = make_hypotheses_job(settings, engine, Reporter(quiet=options["quiet"]))
    if options["dry_run"]:
        plan = dry_run(job)
        emit(plan, _dry_lines(plan), json_=json_)
        return
    summary = run(job, clean=options["clean"])
    emit(summary, _lines(summary), json_=json_)


def _settings(options: dict[str, Any]) -> Any:
    from wavemill import storage
    from wavemill.hypotheses.splits import Splitting
    from wavemill.pipelines.hypotheses.conditions import Conditions
    from wavemill.pipelines.hypotheses.job import find_dataset
    from wavemill.pipelines.hypotheses.settings import HypothesesSettings
    from wavemill.pipelines.segmenters import parse_segmenter
    from wavemill.specs import Spec

    return HypothesesSettings(
        inputs=tuple(options["inputs"]),
        out=storage.folder_url(options["out"]),
        segmenter=parse_segmenter(options["segment"]),
        recognizer=Spec.parse(options["recognizer"]),
        conditions=Conditions(
            noise_db=options["noise"],
            noise_kind=options["noise_kind"],
            noise_from=options["noise_from"],
            reverb_seconds=options["reverb"],
        ),
        splitting=Splitting.parse(options["split_by"], options["splits"], options["seed"]),
        of_dataset=find_dataset(options["inputs"]) is not None,
        **{
            name: options[name]
            for name in ("count", "language", "normalizer", "licence", "seed", "max_rejected",
                         "unit_mb")
        },
    )  # fmt: skip


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{summary['recordings']:,} recordings -> {summary['utterances']:,} utterances,"
        f" {summary['hours']:.2f} hours, {summary['hypotheses']:.2f} hypotheses each, in"
        f" {summary['out']} ({summary['seconds']:.1f} s)"
    )
    if summary["wer"] is not None:
        yield (
            f"1-best WER {summary['wer']:.2%}, n-best oracle {summary['o_nb']:.2%}, compositional"
            f" oracle {summary['o_cp']:.2%}"
        )
    if summary["short"]:
        yield f"{summary['short']:,} utterances have fewer hypotheses than asked for"
    if summary["rejected"]:
        yield (
            f"{summary['rejected']:,} recordings did not come through whole:"
            f" {summary['out']}/rejected.jsonl says why"
        )
    if len(summary["splits"]) > 1:
        yield ", ".join(f"{split} {count:,}" for split, count in summary["splits"].items())


def _dry_lines(plan: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{plan['recordings']:,} recordings ({plan['hours']:.2f} hours where rows state it),"
        f" {plan['rejected']:,} rejected so far, in {plan['units']:,} units; {plan['out']}:"
    )
    yield from stage_lines(plan)
    yield NOTHING_WRITTEN
