"""A training job: its settings checked, its loaders made, its run begun or gone on with."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import wavemill
from wavemill import storage
from wavemill.errors import UsageError
from wavemill.loader import Batch, Crop, ShardLoader
from wavemill.loader.split import Split
from wavemill.models.facts import check_audio, data_facts
from wavemill.models.ranks import Ranks
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.table import make_recipe
from wavemill.models.training.checkpoints import Checkpoints, load_model
from wavemill.models.training.log import Log
from wavemill.models.training.loop import Outcome, Show, Trainer
from wavemill.models.training.run import FORMAT, differences, load_run, read_run
from wavemill.models.training.settings import TrainSettings
from wavemill.sharding.dataset import Dataset
from wavemill.specs import Spec, configure
from wavemill.tokenizers.trained import CHECKPOINTS, RUN

LIMITS = ("batch_seconds", "batch_tokens", "batch_size")


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What is trained, on what, and where it goes."""

    recipe: str
    data: Sequence[str]
    """Folders of prepared datasets."""
    out: str
    """A local folder."""
    preset: str = "small"
    settings: Sequence[str] = ()
    """`key=value` each, of the recipe, in place of the preset's."""
    training: Sequence[str] = ()
    """`key=value` each, of the training, in place of the preset's."""
    weights: Sequence[float] = ()
    """Of the datasets; by their sizes if none are given."""
    validation: str | None = None
    """A dataset to validate with, in place of a share that is held out."""
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
    data: DataFacts
    training: TrainSettings
    content: dict[str, Any]
    """Of `run.json`."""


def prepare(job: TrainJob) -> Prepared:
    """Check the settings of a job; nothing is written.

    Raises:
        DatasetError: a folder is no dataset.
        UsageError: settings are wrong, or the data lacks what the recipe needs.

    """
    if not storage.is_local(job.out):
        raise UsageError(f"--out {job.out}: a run is a local folder; copy it to the store after")
    datasets = [Dataset.open(url) for url in job.data]
    data = data_facts(datasets[0])
    recipe = make_recipe(job.recipe, job.preset, job.settings, data)
    check_audio(job.recipe, recipe, data, job.data[0])
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
            "data": {"urls": list(job.data), "digests": [one.content["digest"] for one in datasets],
                     "weights": list(job.weights)},
            "facts": {name: asdict(facts) for name, facts in data.streams.items()},
            "has_audio": data.has_audio,
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
        prepared.recipe.begin(model, _first_batches(prepared, device))
    trainer = Trainer(
        prepared.recipe,
        model,
        training,
        _loader(prepared, ranks, device),
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


def _loader(prepared: Prepared, ranks: Ranks, device: str) -> ShardLoader:
    job, training = prepared.job, prepared.training
    return _make_loader(
        dict(zip(job.data, job.weights, strict=True)) if job.weights else list(job.data),
        prepared,
        device,
        accumulate=(training.batches or ranks.world_size) // ranks.world_size,
        split=Split(share=training.held_out) if training.held_out else None,
        seed=training.seed,
    )


def _first_batches(prepared: Prepared, device: str) -> Iterator[Batch]:
    """Give an epoch's batches, the same ones on all ranks."""
    split = Split(share=prepared.training.held_out) if prepared.training.held_out else None
    yield from _make_loader(
        list(prepared.job.data),
        prepared,
        device,
        split=split,
        seed=prepared.training.seed,
        rank=0,
        world_size=1,
    )


def _validation(prepared: Prepared, device: str) -> ShardLoader | None:
    if prepared.job.validation:
        return _make_loader([prepared.job.validation], prepared, device, crops_begin=True)
    if not prepared.training.held_out:
        return None
    split = Split(share=prepared.training.held_out, held_out=True)
    return _make_loader(list(prepared.job.data), prepared, device, split=split, crops_begin=True)


def _make_loader(
    data: Any, prepared: Prepared, device: str, *, crops_begin: bool = False, **settings: Any
) -> ShardLoader:
    needs, training = prepared.recipe.needs, prepared.training
    crop = needs.crop_seconds and Crop(seconds=needs.crop_seconds, random=not crops_begin)
    return ShardLoader(
        data,
        streams=list(needs.streams),
        audio=needs.sample_rate is not None,
        sample_rate=needs.sample_rate,
        cuts=needs.text,
        crop=crop or None,
        batch_seconds=training.batch_seconds,
        batch_tokens=training.batch_tokens,
        batch_size=training.batch_size,
        profile=prepared.job.profile,
        device=device,
        **settings,
    )
