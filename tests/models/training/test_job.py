from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from tests.models.training.runs import MODEL, SETTINGS
from wavemill.commands.train import train as train_command
from wavemill.errors import JobError, UsageError
from wavemill.models.ranks import Ranks
from wavemill.models.training.checkpoints import Checkpoints
from wavemill.models.training.job import TrainJob, prepare, train
from wavemill.models.training.log import read_log
from wavemill.models.training.loop import Outcome
from wavemill.models.training.run import load_run


def job(data: Path, out: Path, *training: str, **more: Any) -> TrainJob:
    settings = {setting.split("=")[0]: setting for setting in (*SETTINGS, "steps=4", *training)}
    return TrainJob(
        recipe="token-lm",
        data=[str(data)],
        out=str(out),
        settings=more.pop("settings", MODEL),
        training=list(settings.values()),
        **more,
    )


def trained(given: TrainJob, said: list[str] | None = None) -> Outcome:
    lines = [] if said is None else said
    return train(
        prepare(given), device="cpu", ranks=Ranks(), say=lines.append, show=lambda *_: None,
        stop=lambda: None,
    )  # fmt: skip


def test_a_run_can_be_read_and_its_model_built(drawn: Path, tmp_path: Path) -> None:
    trained(job(drawn, tmp_path / "run"))
    found = load_run(str(tmp_path / "run"))
    assert (found.name, found.step) == ("token-lm", 4)
    model = found.build()
    assert not model.training
    codes = torch.zeros((1, 3, 8), dtype=torch.int64)
    assert len(model(codes, torch.tensor([3])).logits) == 8


def test_what_is_held_out_is_validated_with_and_the_best_checkpoint_stays(
    drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = ("steps=20", "held_out=0.2", "validate_every=2", "save_every=2", "keep=1",
                "learning_rate=0.3", "schedule=constant", "max_norm=100")  # fmt: skip
    trained(job(drawn, out, *settings))
    rows = {row["step"]: row["held_out/loss"] for row in read_log(out) if "held_out/loss" in row}
    assert sorted(rows) == list(range(2, 21, 2))
    best = min(rows, key=lambda step: rows[step])
    checkpoints = Checkpoints(str(out / "checkpoints"))
    assert checkpoints.best() == best
    assert checkpoints.steps() == sorted({best, 20})
    assert load_run(str(out), best=True).step == best


def test_a_run_of_other_settings_is_refused_and_restart_begins_anew(
    drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    trained(job(drawn, out))
    with pytest.raises(UsageError, match=r"learning_rate was 0.003, is 0.1.*--restart"):
        trained(job(drawn, out, "learning_rate=0.1"))
    with pytest.raises(UsageError, match="width was 16, is 32"):
        trained(job(drawn, out, settings=[*MODEL[2:], "layers=1", "width=32"]))
    assert Checkpoints(str(out / "checkpoints")).steps() == [4]
    said: list[str] = []
    trained(job(drawn, out, "learning_rate=0.1", "steps=2", restart=True), said)
    assert Checkpoints(str(out / "checkpoints")).steps() == [2]
    assert not said


def test_a_loss_that_is_not_finite_ends_it_and_keeps_the_last_checkpoint(
    drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    trained(job(drawn, out, "schedule=constant"))
    content = Checkpoints(str(out / "checkpoints")).load(4)
    prepared = prepare(job(drawn, out, "schedule=constant", "steps=12"))
    honest = prepared.recipe.loss

    def loss(model: torch.nn.Module, batch: Any) -> Any:
        found = honest(model, batch)
        return type(found)(total=found.total * float("nan"), count=found.count)

    prepared.recipe.loss = loss  # type: ignore[method-assign]
    with pytest.raises(JobError, match=r"loss of step 5 is not finite .* lower --learning-rate"):
        train(prepared, device="cpu", ranks=Ranks(), say=print, show=lambda *_: None,
              stop=lambda: None)  # fmt: skip
    checkpoints = Checkpoints(str(out / "checkpoints"))
    assert checkpoints.steps() == [4]
    for name, weight in checkpoints.load(4).model.items():
        assert torch.equal(weight, content.model[name])


def test_a_damaged_checkpoint_is_passed_over(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    trained(job(drawn, out, "steps=8"))
    model = out / "checkpoints" / "step-000000008" / "model.safetensors"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    said: list[str] = []
    trained(job(drawn, out, "steps=8"), said)
    assert "step-000000008 is damaged" in said[0]
    assert said[1] == "going on from step 4"
    assert [row["step"] for row in read_log(out)] == list(range(1, 9))


def test_another_run_s_weights_are_where_one_begins(drawn: Path, tmp_path: Path) -> None:
    trained(job(drawn, tmp_path / "first", "steps=8"))
    trained(job(drawn, tmp_path / "second", "steps=1", init=str(tmp_path / "first")))
    trained(job(drawn, tmp_path / "third", "steps=1"))
    first, second, third = (read_log(tmp_path / name) for name in ("first", "second", "third"))
    assert second[0]["loss"] < third[0]["loss"] == first[0]["loss"]


def test_a_new_run_begins_with_the_data_and_a_finished_one_leaves_its_files(
    drawn: Path, tmp_path: Path
) -> None:
    begun: list[tuple[int, list[str]]] = []

    def run(steps: int, init: str | None = None, *, is_stopped: bool = False) -> None:
        out = tmp_path / ("other" if init else "run")
        prepared = prepare(job(drawn, out, f"steps={steps}", "held_out=0.2", init=init))

        def begin(model: torch.nn.Module, batches: Any) -> None:
            keys = [key for batch in batches for key in batch.keys]
            begun.append((sum(weight.numel() for weight in model.parameters()), keys))

        prepared.recipe.begin = begin  # type: ignore[method-assign]
        prepared.recipe.export = lambda model: {"own.bin": bytes([len(list(model.parameters()))])}  # type: ignore[method-assign]
        train(prepared, device="cpu", ranks=Ranks(), say=print, show=lambda *_: None,
              stop=lambda: is_stopped)  # fmt: skip

    run(4, is_stopped=True)
    assert not (tmp_path / "run" / "own.bin").exists()
    run(4)
    assert (tmp_path / "run" / "own.bin").exists()
    ((weights, keys),) = begun  # not again where it goes on
    assert weights > 0
    assert len(set(keys)) == len(keys) < 120  # an epoch, of what is not held out
    run(1, str(tmp_path / "run"))
    assert len(begun) == 1


@pytest.mark.parametrize(
    ("training", "words"),
    [
        (["steps=0"], "steps 0: give 1 to"),
        (["schedule=sudden"], "schedule=sudden must be constant"),
        (["precision=half"], "precision=half must be"),
        (["batches=x"], "batches=x: this is no int"),
        (["speed=1"], "no setting 'speed'"),
        (["held_out=0.99"], "held_out 0.99"),
    ],
)
def test_settings_that_are_none_are_refused(
    drawn: Path, tmp_path: Path, training: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        prepare(job(drawn, tmp_path / "run", *training))
    assert not (tmp_path / "run").exists()


def test_batches_that_ranks_cannot_share_are_told(drawn: Path, tmp_path: Path) -> None:
    given = prepare(job(drawn, tmp_path / "run", "batches=3"))
    two = Ranks(rank=0, world_size=2)
    with pytest.raises(UsageError, match=r"batches=3 cannot be dealt evenly to 2 ranks"):
        train(given, device="cpu", ranks=two, say=print, show=lambda *_: None, stop=lambda: None)


def test_a_run_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="there is no run"):
        load_run(str(tmp_path))
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(JobError, match=r"run.json is damaged"):
        load_run(str(tmp_path))


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = ["token-lm", "--data", str(drawn), "--out", str(out), "--dry-run"]
    result = CliRunner().invoke(train_command, given)
    assert result.exit_code == 0, result.output
    assert "million weights" in result.output
    assert "nothing was written" in result.output
    assert not out.exists()
