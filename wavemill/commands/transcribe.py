"""`wavemill transcribe`: texts of audio, by a model that was trained here."""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.running import NOTHING_WRITTEN

if TYPE_CHECKING:
    from wavemill.models.asr.recognizer import Recognized, Recognizer
    from wavemill.models.asr.scoring import Scores
    from wavemill.pipelines.progress import Show


@click.command(short_help="Write down what is said, with a trained model.")
@click.argument("run", metavar="RUN")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--n", "count", type=int, default=5, show_default=True, help="Texts of each at most.")
@click.option("--beam", type=int, default=8, show_default=True, help="Hypotheses searched at once.")
@click.option(
    "--method",
    metavar="NAME",
    help="greedy, ctc, attention or joint; the last that the model can, if left out.",
)
@click.option(
    "--ctc-weight", type=float, help="Of CTC in joint search; as in training, if left out."
)
@click.option(
    "--chunk-seconds",
    type=float,
    default=30.0,
    show_default=True,
    help="Longer audio is cut, where it is quietest.",
)
@click.option("--out", metavar="FILE", help="JSON lines; printed if left out.")
@click.option("--score", is_flag=True, help="Word error rate, where the input has texts.")
@click.option("--best", is_flag=True, help="The checkpoint that was best on what was held out.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:1.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def transcribe(run: str, inputs: tuple[str, ...], *, json_: bool, **options: Any) -> None:
    r"""Transcribe any audio that `prepare` takes, or a prepared dataset.

    RUN is the folder of `wavemill train asr`. Each recording becomes a row
    {"id", "text", "score", "nbest": [{"text", "score"}]}, and "reference" where the input says it.
    A score is the log probability by the number of units.

    \b
    wavemill transcribe run speech/ --out texts.jsonl
    wavemill transcribe run prepared --score --method greedy
    """
    from wavemill import storage
    from wavemill.models.asr.decoding import DecodingConfig
    from wavemill.models.asr.recognizer import Recognizer
    from wavemill.models.asr.scoring import Scores
    from wavemill.models.training.run import load_run
    from wavemill.pipelines.hear import check_input
    from wavemill.pipelines.progress import Reporter
    from wavemill.specs import check_range
    from wavemill.tokenizers.device import Place

    check_range("--chunk-seconds", options["chunk_seconds"], 0.5, 3600)
    Place(device=options["device"]).check("transcribe")
    config = DecodingConfig(
        **{name: options[name] for name in ("method", "beam", "count", "ctc_weight")}
    )
    trained = load_run(storage.folder_url(run), best=options["best"])
    recognizer = Recognizer(trained, config, device=options["device"])
    for url in inputs:
        check_input(url, recognizer.recipe)
    out = options["out"]
    if options["dry_run"]:
        emit(*_plan(run, trained.step, inputs, recognizer, out), json_=json_)
        return
    if out:
        storage.check_writable(out)
    reporter = Reporter(quiet=options["quiet"])
    scores, rejected, rows = Scores(), [0], []

    def tell(line: str) -> None:
        rejected[0] += 1
        reporter.say(f"not heard: {line}")

    started = time.monotonic()
    with reporter.stage("transcribe", None) as show:
        found = _recognized(inputs, recognizer, options["chunk_seconds"], tell, scores, show)
        lines = (json.dumps(row, ensure_ascii=False) for row in found)
        if out:
            storage.write_text(out, lines)
        else:
            rows = list(lines)
    summary = {
        **scores.summary(),
        "rejected": rejected[0],
        "seconds": round(time.monotonic() - started, 3),
        "method": recognizer.config.method,
        "out": out,
    }
    if not options["score"]:
        for name in ("wer", "inputs"):
            summary.pop(name)
    if json_ and not out:
        summary["rows"] = [json.loads(row) for row in rows]
    emit(summary, [*rows, *_lines(summary)], json_=json_)
    _check_heard(scores.recordings, rejected[0])


def _recognized(
    inputs: tuple[str, ...],
    recognizer: "Recognizer",
    chunk_seconds: float,
    tell: Callable[[str], None],
    scores: "Scores",
    show: "Show",
) -> Iterator[dict[str, Any]]:
    """Yield a row a recording."""
    from wavemill.pipelines.hear import pieces

    for url in inputs:
        heard = pieces(url, recognizer.recipe, chunk_seconds, tell)
        for found in recognizer.recognize(heard):
            scores.add(url, found)
            show(scores.recordings, f"{scores.seconds / 60:.1f} minutes of audio")
            yield _row(found)


def _row(found: "Recognized") -> dict[str, Any]:
    nbest = [{"text": one.text, "score": round(one.score, 6)} for one in found.best]
    row = {"id": found.id, **nbest[0], "nbest": nbest}
    if found.reference is not None:
        row["reference"] = found.reference
    return row


def _plan(
    run: str, step: int, inputs: tuple[str, ...], recognizer: "Recognizer", out: str | None
) -> tuple[dict[str, Any], list[str]]:
    config = recognizer.config
    plan = {
        "run": run,
        "step": step,
        "inputs": list(inputs),
        "method": config.method,
        "beam": config.beam,
        "n": config.count,
        "out": out,
    }
    lines = [
        f"{run}, step {step:,}: {config.method} search, beam {config.beam}, of {' '.join(inputs)}",
        NOTHING_WRITTEN,
    ]
    return plan, lines


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    where = f" -> {summary['out']}" if summary["out"] else ""
    speed = summary["audio_seconds"] / max(summary["seconds"], 1e-3)
    yield (
        f"{summary['recordings']:,} recordings, {summary['audio_seconds'] / 60:.1f} minutes"
        f" ({speed:.1f} times real time), {summary['rejected']} not heard{where}"
    )
    for url, each in summary.get("inputs", {}).items():
        rate = "no texts" if each["wer"] is None else f"{each['wer']:.2%}"
        yield f"WER of {url}: {rate} of {each['words']:,} words"


def _check_heard(recordings: int, rejected: int) -> None:
    from wavemill.errors import JobError

    if not recordings:
        raise JobError(
            f"nothing was heard: {rejected} recordings could not be used, see the lines above;"
            " give other inputs"
        )
