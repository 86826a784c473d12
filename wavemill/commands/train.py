"""`wavemill train`: train a recipe on prepared datasets."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.running import NOTHING_WRITTEN

if TYPE_CHECKING:
    from wavemill.models.training.job import Prepared
    from wavemill.models.training.loop import Outcome

SHORT = {
    "steps": (int, "Steps of the optimizer."),
    "batch_seconds": (float, "Padded audio that a batch may hold."),
    "batch_tokens": (int, "Padded tokens that a batch may hold."),
    "batch_size": (int, "Samples that a batch may hold."),
    "learning_rate": (float, "At its highest."),
    "precision": (str, "float32, or bfloat16."),
    "held_out": (float, "Share of the samples to validate with, and not to train on."),
    "seed": (int, "Of weights, order and draws."),
}
"""Settings of the training that have an option of their own."""


def _settings(command: Any) -> Any:
    for name, (kind, words) in reversed(SHORT.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, type=kind, help=f"{words} By the preset if left out.")(
            command
        )
    return command


@click.command(short_help="Train a recipe on prepared datasets.")
@click.argument("recipe", metavar="RECIPE")
@click.option(
    "--data",
    metavar="OUT",
    required=True,
    multiple=True,
    help="A dataset, or hypotheses; may come often.",
)
@click.option("--out", metavar="RUN", required=True, help="Folder of the run.")
@click.option("--preset", default="small", show_default=True, help="Settings, by name.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the model."
)
@click.option(
    "--train", "training", multiple=True, metavar="KEY=VALUE", help="One of the training."
)
@_settings
@click.option("--weight", "weights", type=float, multiple=True, help="Of each dataset, in order.")
@click.option("--validation", metavar="OUT", help="A dataset to validate with.")
@click.option("--profile", metavar="FILE", help="Batch sizes, from `wavemill profile --out`.")
@click.option("--init", metavar="RUN", help="Begin with the weights of another run.")
@click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda or cuda:1; auto prefers a GPU."
)
@click.option("--restart", is_flag=True, help="Forget what was trained in RUN before.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def train(
    *, json_: bool, quiet: bool, device: str, dry_run: bool, data: tuple[str, ...], **options: Any
) -> None:
    r"""Train a recipe on the shards of prepared datasets, or `corrector` on folders of hypotheses.

    The same command again goes on where the last checkpoint stands. `wavemill recipes` lists what
    can be trained, and the settings of each preset.

    \b
    wavemill train token-lm --data prepared --out run
    wavemill train token-lm --data prepared --out run --steps 2000 --held-out 0.05
    torchrun --nproc-per-node 8 -m wavemill train token-lm --data OUT --out RUN
    """
    import torch

    from wavemill import storage
    from wavemill.models.ranks import joined
    from wavemill.models.training.job import TrainJob, prepare, train
    from wavemill.pipelines.progress import Reporter
    from wavemill.stopping import asked_to_stop
    from wavemill.tokenizers.device import Place

    own = [f"{name}={options.pop(name)}" for name in SHORT if options[name] is not None]
    for name in set(SHORT) & set(options):
        del options[name]
    job = TrainJob(
        data=[storage.folder_url(url) for url in data],
        training=(*options.pop("training"), *own),
        **options,
    )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    Place(device=device).check("train")
    prepared = prepare(job)
    if dry_run:
        emit(*_plan(prepared, device), json_=json_)
        return
    with joined(device) as (ranks, place):
        reporter = Reporter(quiet=quiet or not ranks.is_first)
        alone = _alone(job.out, reporter.say) if ranks.is_first else contextlib.nullcontext()
        with asked_to_stop() as stop, alone:
            with reporter.stage("train", prepared.training.steps) as show:
                outcome = train(
                    prepared, device=place, ranks=ranks, say=reporter.say, show=show, stop=stop
                )
            code = stop()
        if ranks.is_first:
            emit(*_summary(prepared, outcome), json_=json_)
    if outcome.is_stopped and code:
        raise SystemExit(code)


@contextlib.contextmanager
def _alone(out: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the run's folder."""
    from wavemill import storage
    from wavemill.pipelines.lock import locked
    from wavemill.tokenizers.trained import CHECKPOINTS

    with locked(storage.join(out, CHECKPOINTS), say):
        yield


def _plan(prepared: "Prepared", device: str) -> tuple[dict[str, Any], list[str]]:
    import torch

    with torch.device("meta"):
        weights = sum(weight.numel() for weight in prepared.recipe.build().parameters())
    job, training = prepared.job, prepared.training
    plan = {
        "recipe": job.recipe,
        "config": prepared.content["config"],
        "training": prepared.content["training"],
        "parameters": weights,
        "streams": list(prepared.recipe.needs.streams),
        "device": device,
        "out": job.out,
    }
    lines = [
        f"{job.recipe}: {weights / 1e6:,.2f} million weights, {training.steps:,} steps on {device}",
        *(f"  {name}: {value}" for name, value in plan["config"].items()),
        *(f"  train {name}: {value}" for name, value in plan["training"].items()),
        NOTHING_WRITTEN,
    ]
    return plan, lines


def _summary(prepared: "Prepared", outcome: "Outcome") -> tuple[dict[str, Any], list[str]]:
    job = prepared.job
    summary = {
        "recipe": job.recipe,
        "steps": outcome.steps,
        "stopped": outcome.is_stopped,
        **{name: float(f"{value:.6g}") for name, value in outcome.values.items()},
        "out": job.out,
    }
    losses = [f"{name} {value:.4g}" for name, value in outcome.values.items() if "loss" in name]
    lines = [f"{job.out}: {outcome.steps:,} steps, {', '.join(losses) or 'nothing left to do'}"]
    if outcome.is_stopped:
        lines.append("stopped and saved; the same command goes on")
    return summary, lines
