"""A corrector that `wavemill train` made, at work."""

from pathlib import Path

import pytest

from tests.hypotheses.drawn import make_folder
from tests.models.corrector.misheard import utterances
from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.correctors import CorrectorSettings, open_corrector
from wavemill.hypotheses.records import Utterance
from wavemill.models.ranks import Ranks
from wavemill.models.training.job import TrainJob, prepare, train


def _train(data: str, out: Path, *training: str, **more: object) -> None:
    job = TrainJob(recipe="corrector", data=[data], out=str(out), training=training, **more)  # type: ignore[arg-type]
    train(
        prepare(job),
        device="cpu",
        ranks=Ranks(),
        say=lambda _: None,
        show=lambda *_: None,
        stop=lambda: None,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_folder(utterances(), tmp_path_factory.mktemp("data")).url


@pytest.fixture(scope="module")
def run(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    _train(data, out, "steps=60", "learning_rate=0.02")
    return out


def test_it_puts_right_what_it_never_saw(run: Path) -> None:
    corrector = open_corrector(str(run), CorrectorSettings(batch_size=3))
    new = [one for one in utterances() if one.split == "test"]
    silent = Utterance(id="silent", recording_id="prompts", hypotheses=())
    found = list(corrector.correct([*new, silent]))
    assert [one.id for one in found] == [*(one.id for one in new), "silent"]
    assert [one.text for one in found] == [*(one.reference for one in new), ""]
    assert corrector.facts["step"] == 60


def test_a_run_that_goes_on_ends_as_one_that_never_stopped(data: str, tmp_path: Path) -> None:
    for steps in ("steps=5", "steps=12"):
        _train(data, tmp_path, steps, "learning_rate=0.02", "schedule=constant")
    _train(data, tmp_path / "whole", "steps=12", "learning_rate=0.02", "schedule=constant")
    ends = [
        next((folder / "checkpoints").glob("*12/model.safetensors")).read_bytes()
        for folder in (tmp_path, tmp_path / "whole")
    ]
    assert ends[0] == ends[1]


def test_it_learns_from_hypotheses_alone(data: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="token-lm: the dataset has no token stream"):
        prepare(TrainJob(recipe="token-lm", data=[data], out=str(tmp_path)))
    with pytest.raises(UsageError, match="asr learns from prepared datasets"):
        prepare(TrainJob(recipe="asr", data=[data], out=str(tmp_path)))
    with pytest.raises(UsageError, match="no seconds to count"):
        _train(data, tmp_path, "batch_seconds=10")


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(JobError, match="train it anew"):
        open_corrector(str(tmp_path), CorrectorSettings())
