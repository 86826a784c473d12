"""`wavemill correct --fuse`: a writer that also hears."""

from pathlib import Path

import pytest

from tests.commands.test_transcribe import run, summary, train
from tests.conftest import UTTERANCES
from tests.hypotheses.drawn import make_folder
from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.records import UNHEARD, Hypothesis, Utterance
from wavemill.pipelines.ingest import read_inputs
from wavemill.records import Recording

SIZES = ("width=16", "heads=1", "layers=1", "decoder_layers=1", "beam=1")


def utterance(name: str, text: str, split: str) -> Utterance:
    hypotheses = tuple(Hypothesis(text=one, score=-1.0) for one in (text, f"{text} so"))
    return Utterance(id=name, recording_id=name, hypotheses=hypotheses, reference=text, split=split)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> HypothesesFolder:
    rows = [row for row in read_inputs([str(UTTERANCES)]) if isinstance(row, Recording)]
    splits = ["train"] * 4 + ["validation"] * 3 + ["test"] * 2
    made = [utterance(row.id, "hello", split) for row, split in zip(rows, splits, strict=False)]
    silent = Utterance(id="silent", recording_id="silent", hypotheses=(), split="test")
    made += [utterance("elsewhere", "what no file has", "test"), silent]
    return make_folder(made, tmp_path_factory.mktemp("hypotheses"))


@pytest.fixture(scope="module")
def runs(
    prepared: Path, folder: HypothesesFolder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A writer and a recognizer that learnt next to nothing."""
    out = tmp_path_factory.mktemp("runs")
    sizes = [word for size in SIZES for word in ("--set", size)]
    run("train", "corrector", "--preset", "writer", "--data", folder.url, "--out", out / "writer",
        "--steps", 2, "--device", "cpu", "--quiet", *sizes)  # fmt: skip
    return out / "writer", train(prepared, out / "asr")


def test_what_has_audio_is_written_by_both_and_the_rest_is_flagged(
    runs: tuple[Path, Path], folder: HypothesesFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    writer, asr = runs
    run("correct", folder.url, "--model", writer, "--fuse", asr, "--audio", UTTERANCES,
        "--name", "fused", "--quiet", "--json")  # fmt: skip
    found = summary(capsys)
    assert found["calibrated_on"] == 3
    assert found["flags"] == {UNHEARD: 1}
    made = list(folder.read_corrections("fused"))
    assert [one.id for one in made] == [one.id for one in folder.utterances("test")]
    assert made[-2].text == "what no file has"
    assert (made[-1].text, made[-1].flags) == ("", ())
    facts = folder.correction_facts("fused")
    for name in ("writer", "recognizer"):
        assert 0.1 <= facts[name]["temperature"] <= 10
        assert facts[name]["reached"] == (abs(facts[name]["gap"]) <= 0.01)


def test_what_does_not_go_together_is_told(
    runs: tuple[Path, Path], folder: HypothesesFolder, tmp_path: Path
) -> None:
    writer, asr = runs
    other = make_folder([utterance("elsewhere", "hello", "test")], tmp_path / "other")
    fuse = ("--fuse", asr, "--audio", UTTERANCES, "--quiet")
    with pytest.raises(JobError, match="give --audio what the hypotheses were made of"):
        run("correct", other.url, "--model", writer, *fuse)
    with pytest.raises(UsageError, match="go together"):
        run("correct", folder.url, "--model", writer, "--fuse", asr)
    with pytest.raises(UsageError, match="no run of `wavemill train corrector --preset writer`"):
        run("correct", folder.url, "--model", asr, *fuse)
    with pytest.raises(UsageError, match="shares its vocabulary"):
        run("correct", folder.url, "--model", "http://localhost:1/v1#m", *fuse)
