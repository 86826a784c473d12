"""`wavemill fit`: make what a tokenizer needs from audio of your own."""

from typing import Any

import click

from wavemill.commands.output import as_json, emit


@click.group(short_help="Fit a tokenizer's quantizer to audio.")
def fit() -> None:
    """Fit a tokenizer's quantizer to audio."""


@fit.command(short_help="Multi-codebook vector quantization of log-mel frames.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="DIR", required=True, help="Folder of the model.")
@click.option("--codebooks", type=int, default=4, show_default=True, help="Bytes a frame.")
@click.option(
    "--iterations", type=int, default=3000, show_default=True, help="Of each of the two phases."
)
@click.option(
    "--max-frames", type=int, default=200_000, show_default=True, help="Drawn from the audio."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def mvq(inputs: tuple[str, ...], *, out: str, json_: bool, quiet: bool, **options: Any) -> None:
    r"""Fit `mvq` to the log-mel frames of any audio that `prepare` takes.

    \b
    wavemill fit mvq speech/ --out mvq8 --codebooks 8
    wavemill prepare speech/ --out prepared --tokenizer mvq:model=mvq8
    """
    from wavemill import storage
    from wavemill.pipelines.clips import Clips
    from wavemill.pipelines.progress import Reporter
    from wavemill.tokenizers.features import SAMPLE_RATE
    from wavemill.tokenizers.fit_mvq import FitMvqConfig, fit_from_clips, save_model
    from wavemill.tokenizers.quantizer_files import CONFIG_FILE

    config = FitMvqConfig(
        codebooks=options["codebooks"],
        iterations=(options["iterations"], options["iterations"]),
        max_frames=options["max_frames"],
        seed=options["seed"],
    )
    storage.check_writable(storage.join(out, CONFIG_FILE))
    reporter = Reporter(quiet=quiet)
    clips = Clips(inputs, SAMPLE_RATE)
    with reporter.stage("fit mvq", 2 * options["iterations"]) as show:
        fitted = fit_from_clips(clips, config, lambda done, _, __: show(done))
    save_model(out, fitted)
    errors = fitted.report["relative_error"]
    lines = [
        (
            f"{out}: {config.codebooks} codebooks of 256, from {clips.seconds / 3600:.2f} hours"
            f" ({clips.rejected} recordings could not be used)"
        ),
        "relative error on held-out frames: "
        + ", ".join(f"{error:g} after {count} refinements" for count, error in errors.items()),
        f"next: wavemill prepare INPUT --out OUT --tokenizer mvq:model={out}",
    ]
    summary = {
        **fitted.report,
        "out": out,
        "hours": round(clips.seconds / 3600, 6),
        "rejected": clips.rejected,
    }
    emit(summary, lines, json_=json_)
