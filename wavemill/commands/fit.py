"""`wavemill fit`: make what a tokenizer needs from audio of your own."""

from collections.abc import Callable
from typing import Any

import click

from wavemill.commands.fit_confusions import confusions
from wavemill.commands.fit_pieces import pieces
from wavemill.commands.output import as_json, emit


@click.group(short_help="Fit a tokenizer's quantizer to audio, or a vocabulary to texts.")
def fit() -> None:
    r"""Fit a tokenizer's quantizer to audio, or a vocabulary to texts.

    \b
    wavemill fit mvq speech/ --out mvq8 --codebooks 8
    wavemill fit pieces train.jsonl --out pieces.json
    """


fit.add_command(pieces)
fit.add_command(confusions)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the model whose features are fitted runs."""
    options = (
        click.option(
            "--device", default="cpu", show_default=True, help="Of its model: cpu, cuda or cuda:1."
        ),
        click.option(
            "--precision", default="float32", show_default=True, help="Or bfloat16, on a GPU."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def teacher_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a teacher and say where it runs."""
    options = (
        click.option(
            "--teacher",
            default="logmel",
            show_default=True,
            metavar="NAME",
            help="Whose features: logmel, hubert, wavlm, wav2vec2, whisper, beats, ...",
        ),
        click.option("--teacher-model", metavar="MODEL", help="A folder, file or hub name."),
        click.option(
            "--layer", type=int, metavar="K", help="Of the teacher; its last if left out."
        ),
        place_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


@fit.command(short_help="Multi-codebook vector quantization of a teacher's features.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="DIR", required=True, help="Folder of the model.")
@teacher_options
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
    r"""Fit `mvq` to the features of any audio that `prepare` takes.

    \b
    wavemill fit mvq speech/ --out mvq8 --codebooks 8
    wavemill fit mvq speech/ --out m --teacher wavlm --teacher-model DIR
    wavemill prepare speech/ --out prepared --tokenizer mvq:model=mvq8
    """
    from wavemill import storage
    from wavemill.pipelines.clips import Clips
    from wavemill.pipelines.progress import Reporter
    from wavemill.tokenizers.fit_mvq import FitMvqConfig, fit_from_clips, save_model
    from wavemill.tokenizers.quantizer_files import CONFIG_FILE

    config = FitMvqConfig(
        codebooks=options["codebooks"],
        iterations=(options["iterations"], options["iterations"]),
        max_frames=options["max_frames"],
        seed=options["seed"],
    )
    storage.check_writable(storage.join(out, CONFIG_FILE))
    teacher = _teacher(options)
    reporter = Reporter(quiet=quiet)
    clips = Clips(inputs, teacher.facts.sample_rate)
    with reporter.stage("fit mvq", 2 * options["iterations"]) as show:
        fitted = fit_from_clips(clips, config, lambda done, _, __: show(done), teacher)
    save_model(out, fitted)
    errors = fitted.report["relative_error"]
    lines = [
        f"{out}: {config.codebooks} codebooks of 256, from {_heard(clips)}",
        "relative error on held-out frames: "
        + ", ".join(f"{error:g} after {count} refinements" for count, error in errors.items()),
        f"next: wavemill prepare INPUT --out OUT --tokenizer mvq:model={out}",
    ]
    emit(_summary(fitted.report, out, clips), lines, json_=json_)


@fit.command(short_help="K-means units of a teacher's features.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="DIR", required=True, help="Folder of the model.")
@teacher_options
@click.option("--units", type=int, default=500, show_default=True, help="Centroids.")
@click.option("--iterations", type=int, default=25, show_default=True)
@click.option(
    "--restarts", type=int, default=1, show_default=True, help="From other frames; the best stays."
)
@click.option(
    "--max-frames", type=int, default=200_000, show_default=True, help="Drawn from the audio."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def kmeans(inputs: tuple[str, ...], *, out: str, json_: bool, quiet: bool, **options: Any) -> None:
    r"""Fit `kmeans` units to the features of any audio that `prepare` takes.

    \b
    wavemill fit kmeans speech/ --out u --teacher hubert --teacher-model DIR
    wavemill prepare speech/ --out prepared --tokenizer kmeans:model=u
    """
    from wavemill.pipelines.clips import Clips
    from wavemill.pipelines.progress import Reporter
    from wavemill.tokenizers.fit_kmeans import FitKmeansConfig, fit_from_clips, save_model

    names = ("units", "iterations", "restarts", "max_frames", "seed")
    config = FitKmeansConfig(**{name: options[name] for name in names})
    teacher = _teacher(options)
    clips = Clips(inputs, teacher.facts.sample_rate)
    with Reporter(quiet=quiet).stage("fit kmeans", 1):
        fitted = fit_from_clips(clips, config, teacher)
    save_model(out, fitted)
    report = fitted.report
    lines = [
        f"{out}: {config.units} units of teacher {options['teacher']}, from {_heard(clips)}",
        (
            f"relative error on held-out frames: {report['relative_error']:g};"
            f" they use {report['used_units']} of the units"
        ),
        f"next: wavemill prepare INPUT --out OUT --tokenizer kmeans:model={out}",
    ]
    emit(_summary(report, out, clips), lines, json_=json_)


@fit.command(short_help="Units of Sylber's syllables.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="FILE", required=True, help="The units, a .safetensors file.")
@click.option("--model", metavar="MODEL", help="As in sylber:model=...")
@place_options
@click.option("--units", type=int, default=10_000, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def sylber(inputs: tuple[str, ...], *, out: str, json_: bool, quiet: bool, **options: Any) -> None:
    r"""Fit units to the syllables of any audio that `prepare` takes.

    \b
    wavemill fit sylber speech/ --out u.safetensors --units 5000
    wavemill prepare speech/ --out out --tokenizer sylber:units=u.safetensors
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
    place = {name: options[name] for name in ("device", "precision")}
    embedder = SyllableEmbedder(SylberConfig(**model, **place))
    clips = Clips(inputs, SAMPLE_RATE)
    with Reporter(quiet=quiet).stage("fit sylber", 1):
        fitted = fit_from_clips(clips, embedder.embed, config)
    save_units(out, fitted.centroids)
    report = {
        "units": config.units,
        "syllables": fitted.vectors,
        "relative_error": round(fitted.relative_error, 4),
    }
    lines = [
        f"{out}: {config.units} units of {fitted.vectors} syllables, from {_heard(clips)}",
        f"next: wavemill prepare INPUT --out OUT --tokenizer sylber:units={out}",
    ]
    emit(_summary(report, out, clips), lines, json_=json_)


def _teacher(options: dict[str, Any]) -> Any:
    from wavemill.tokenizers.device import PlaceSettings
    from wavemill.tokenizers.teachers.base import TeacherConfig
    from wavemill.tokenizers.teachers.table import make_teacher

    place = PlaceSettings(device=options["device"], precision=options["precision"])
    config = TeacherConfig(
        name=options["teacher"], model=options["teacher_model"], layer=options["layer"]
    )
    return make_teacher(config, place.place("fit"))


def _heard(clips: Any) -> str:
    hours = f"{clips.seconds / 3600:.2f} hours"
    return f"{hours} ({clips.rejected} recordings could not be used)"


def _summary(report: dict[str, Any], out: str, clips: Any) -> dict[str, Any]:
    hours = round(clips.seconds / 3600, 6)
    return {**report, "out": out, "hours": hours, "rejected": clips.rejected}
