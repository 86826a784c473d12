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


@fit.command(short_help="Units of Sylber's syllables.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="FILE", required=True, help="The units, a .safetensors file.")
@click.option("--model", metavar="MODEL", help="As in sylber:model=...")
@click.option("--units", type=int, default=10_000, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def sylber(inputs: tuple[str, ...], *, out: str, json_: bool, quiet: bool, **options: Any) -> None:
    r"""Fit units to the syllables of any audio that `prepare` takes.

    \b
    wavemill fit sylber speech/ --out units.safetensors --units 5000
    wavemill prepare speech/ --out prepared --tokenizer sylber:units=units.safetensors
    """
    from wavemill.errors import UsageError
    from wavemill.pipelines.clips import Clips
    from wavemill.pipelines.progress import Reporter
    from wavemill.tokenizers.fit_sylber import FitUnitsConfig, fit_from_clips
    from wavemill.tokenizers.sylber import SylberConfig, SyllableEmbedder
    from wavemill.tokenizers.sylber_encoder import SAMPLE_RATE
    from wavemill.tokenizers.units import save_units

    if not out.endswith(".safetensors"):
        raise UsageError(f"--out {out} must be a .safetensors file")
    config = FitUnitsConfig(units=options["units"], seed=options["seed"])
    model = {"model": options["model"]} if options["model"] else {}
    embedder = SyllableEmbedder(SylberConfig(**model))
    clips = Clips(inputs, SAMPLE_RATE)
    Reporter(quiet=quiet).say(f"fit sylber: {config.units} units")
    fitted = fit_from_clips(clips, embedder.embed, config)
    save_units(out, fitted.centroids)
    summary = {
        "out": out,
        "units": config.units,
        "syllables": fitted.vectors,
        "relative_error": round(fitted.relative_error, 4),
        "hours": round(clips.seconds / 3600, 6),
        "rejected": clips.rejected,
    }
    lines = [
        (
            f"{out}: {config.units} units of {fitted.vectors} syllables, from"
            f" {summary['hours']:.2f} hours ({clips.rejected} recordings could not be used)"
        ),
        f"next: wavemill prepare INPUT --out OUT --tokenizer sylber:units={out}",
    ]
    emit(summary, lines, json_=json_)
