"""A training job: its settings checked, its loaders made, its run begun or gone on with."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import wavemill
from wavemill import storage
from wavemill.errors import UsageError
from wavemill.models.facts import check_data
from wavemill.models.ranks import Ranks
from wavemill.models.recipe import Recipe
from wavemill.models.table import make_recipe
from wavemill.models.training.checkpoints import Checkpoints, load_model
from wavemill.models.training.data import Data, Loader, open_data
from wavemill.models.training.log import Log
from wavemill.models.training.loop import Outcome, Show, Trainer
from wavemill.models.training.run import FORMAT, differences, load_run, read_run
from wavemill.models.training.settings import TrainSettings
from wavemill.specs import Spec, configure
from wavemill.tokenizers.trained import CHECKPOINTS, RUN

LIMITS = ("batch_seconds", "batch_tokens", "batch_size")


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What is trained, on what, and where it goes."""

    recipe: str
    data: Sequence[str]
    """Folders of prepared datasets, or of hypotheses."""
    out: str
    """A local folder."""
    preset: str = "small"
    settings: Sequence[str] = ()
    """`key=value` each, of the recipe, in place of the preset's."""
    training: Sequence[str] = ()
    """`key=value` each, of the training, in place of the preset's."""
    weights: Sequence[float] = ()
    """Of the folders; by their sizes if none are given."""
    validation: str | None = None
    """A folder to validate with, in place of a share that is held out."""
    profile: str | None = None
    """A YAML file of batch sizes, as `wavemill profile` writes it."""
    init: str | None = None
    """A run whose weights this one begins with."""
    restart: bool = False
    """Forget what was trained before."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A job whose settings are checked."""

    job: TrainJob
    recipe: Recipe
    data: Data
    training: TrainSettings
    content: dict[str, Any]
    """Of `run.json`."""


def prepare(job: TrainJob) -> Prepared:
    """Check the settings of a job; nothing is written.

    Raises:
        DatasetError: a folder is neither a dataset nor one of hypotheses.
        UsageError: settings are wrong, or the data lacks what the recipe needs.

    """
    if not storage.is_local(job.out):
        raise UsageError(f"--out {job.out}: a run is a local folder; copy it to the store after")
    data = open_data(job.data)
    recipe = make_recipe(job.recipe, job.preset, job.settings, data.facts)
    check_data(job.recipe, recipe, data.facts, job.data[0])
    training = _training(job, recipe)
    return Prepared(
        job=job,
        recipe=recipe,
        data=data,
        training=training,
        content={
            "format": FORMAT,
            "recipe": job.recipe,
            "config": asdict(recipe.config),
            "training": asdict(training),
            "data": {"urls": list(job.data), "digests": data.digests,
                     "weights": list(job.weights)},
            "facts": {name: asdict(facts) for name, facts in data.facts.streams.items()},
            "has_audio": data.facts.has_audio,
            "has_hypotheses": data.facts.has_hypotheses,
            "wavemill": wavemill.__version__,
        },
    )  # fmt: skip


def train(
    prepared: Prepared,
    *,
    device: str,
    ranks: Ranks,
    say: Callable[[str], None],
    show: Show,
    stop: Callable[[], object],
) -> Outcome:
    """Train, from where the folder's last checkpoint stands.

    Raises:
        UsageError: the folder is of another run.
        JobError: the training failed; checkpoints are kept.

    """
    job, training = prepared.job, prepared.training
    if (training.batches or ranks.world_size) % ranks.world_size:
        raise UsageError(
            f"--train batches={training.batches} cannot be dealt evenly to {ranks.world_size} ranks"
        )
    out = Path(storage.local_path(job.out))
    checkpoints = Checkpoints(storage.join(job.out, CHECKPOINTS), training.keep)
    if ranks.is_first:
        _open(prepared, checkpoints, say)
    ranks.wait()
    torch.manual_seed(training.seed)
    model = prepared.recipe.build().to(device)
    last = checkpoints.load_last(say if ranks.is_first else lambda _: None)
    if last is None and job.init:
        load_model(model, load_run(job.init).weights)
    elif last is None:
        # An epoch's batches, the same ones on all ranks.
        first = _trained_on(prepared, device, rank=0, world_size=1)
        prepared.recipe.begin(model, iter(first))
    trainer = Trainer(
        prepared.recipe,
        model,
        training,
        _trained_on(
            prepared,
            device,
            weights=job.weights,
            accumulate=(training.batches or ranks.world_size) // ranks.world_size,
        ),
        validation=_validation(prepared, device),
        device=device,
        ranks=ranks,
    )
    if last is not None:
        trainer.resume(last)
        if ranks.is_first:
            say(f"going on from step {last.step}")
    if not ranks.is_first:
        return trainer.run(None, None, stop=stop)
    show(trainer.step, "")
    with Log(out, trainer.step) as log:
        outcome = trainer.run(log, checkpoints, show, stop)
    if not outcome.is_stopped:
        for name, content in prepared.recipe.export(model).items():
            storage.write_bytes(storage.join(job.out, name), content)
    return outcome


def _training(job: TrainJob, recipe: Recipe) -> TrainSettings:
    spec = Spec.parse(f"--train:{','.join(job.training)}" if job.training else "--train")
    base = asdict(recipe.training[job.preset])
    if job.profile or any(key in LIMITS for key, _ in spec.settings):
        base |= dict.fromkeys(LIMITS)  # those of the preset do not hold beside others
    table = {"--train": (TrainSettings, TrainSettings)}
    settings: TrainSettings = configure(spec, table, "training", base)[1]
    if not job.profile and not any(getattr(settings, name) for name in LIMITS):
        raise UsageError("give --batch-seconds, --batch-tokens, --batch-size or --profile")
    return settings


def _open(prepared: Prepared, checkpoints: Checkpoints, say: Callable[[str], None]) -> None:
    """Write `run.json`, or see that it is of the same run."""
    job = prepared.job
    place = storage.join(job.out, RUN)
    if job.restart:
        storage.remove(place)
        checkpoints.remove()
    if storage.is_file(place):
        known = read_run(job.out)
        different = differences(known, prepared.content)
        if different:
            raise UsageError(
                f"{job.out} holds a run of other settings ({'; '.join(different)}): give those"
                " again, another --out, or --restart to begin anew"
            )
        if known["wavemill"] != wavemill.__version__:
            say(f"the run was begun by wavemill {known['wavemill']}")
    storage.write_text(place, json.dumps(prepared.content, indent=1).splitlines())


def _trained_on(prepared: Prepared, device: str, **more: Any) -> Loader:
    training, profile = prepared.training, prepared.job.profile
    return prepared.data.train(
        prepared.recipe.needs, training, device=device, profile=profile, seed=training.seed, **more
    )


def _validation(prepared: Prepared, device: str) -> Loader | None:
    job, training, needs = prepared.job, prepared.training, prepared.recipe.needs
    if job.validation:
        other = open_data([job.validation])
        return other.validate(needs, training, device=device, profile=job.profile)
    return prepared.data.held_out(needs, training, device=device, profile=job.profile)
