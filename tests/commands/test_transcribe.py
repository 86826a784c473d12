"""`wavemill transcribe` and `wavemill fit pieces`."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.conftest import SPEECH, UTTERANCES, read_jsonl
from wavemill.cli import main
from wavemill.errors import DatasetError, JobError, UsageError
from wavemill.hypotheses.recognizers import Request, make_recognizer
from wavemill.models.asr.pieces import Pieces
from wavemill.models.training.run import load_run
from wavemill.specs import Spec

SETTINGS = ("width=16", "heads=2", "channels=4", "encoder_layers=1")
HELLO = SPEECH / "audio" / "hello.flac"


def run(*arguments: object) -> None:
    main(args=[str(word) for word in arguments], standalone_mode=False)


def train(data: Path, out: Path, *settings: str) -> Path:
    more = [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]
    run("train", "asr", "--data", data, "--out", out, "--steps", 2, "--device", "cpu", "--quiet",
        *more)  # fmt: skip
    return out


@pytest.fixture(scope="module")
def trained(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learnt next to nothing; not to be changed."""
    return train(prepared, tmp_path_factory.mktemp("asr") / "run")


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_each_recording_has_a_row_of_different_texts_the_best_first(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "texts.jsonl"
    run("transcribe", trained, UTTERANCES, "--out", out, "--n", 3, "--beam", 3, "--method", "ctc",
        "--score", "--json")  # fmt: skip
    rows, found = read_jsonl(out), summary(capsys)
    manifest = read_jsonl(UTTERANCES)
    assert (found["recordings"], found["rejected"], len(rows)) == (60, 0, 60)
    assert found["audio_seconds"] == pytest.approx(
        sum(row["duration"] for row in manifest), rel=1e-3
    )
    assert sorted(row["reference"] for row in rows) == sorted(row["text"] for row in manifest)
    for row in rows:
        best = row["nbest"]
        assert {"text": row["text"], "score": row["score"]} == best[0]
        assert 1 <= len(best) <= 3
        assert len({one["text"] for one in best}) == len(best)
        assert [one["score"] for one in best] == sorted(
            (one["score"] for one in best), reverse=True
        )
    assert found["inputs"][str(UTTERANCES)]["words"] > 200
    assert found["wer"] == found["inputs"][str(UTTERANCES)]["wer"]


def test_the_recognizer_of_hypotheses_hears_what_transcribe_hears(
    trained: Path, tmp_path: Path
) -> None:
    run("transcribe", trained, HELLO, "--out", tmp_path / "a", "--n", 3, "--beam", 3)
    heard, _ = soundfile.read(HELLO, dtype="float32")
    one = make_recognizer(Spec.parse(f"wavemill:run={trained},beam=3"))
    found = list(one.hear(heard, Request(count=3)))
    assert [(each.text, round(each.score, 6)) for each in found] == [
        (each["text"], each["score"]) for each in read_jsonl(tmp_path / "a")[0]["nbest"]
    ]
    other = make_recognizer(Spec.parse(f"wavemill:run={trained},beam=4"))
    assert one.facts.digest != other.facts.digest


def test_a_dataset_is_recognized_as_the_files_that_it_was_prepared_from(
    trained: Path, prepared: Path, tmp_path: Path
) -> None:
    for name, given in (("files", UTTERANCES), ("dataset", prepared)):
        run("transcribe", trained, given, "--out", tmp_path / name, "--method", "greedy")
    files, dataset = (
        sorted(read_jsonl(tmp_path / name), key=lambda row: str(row["id"]))
        for name in ("files", "dataset")
    )
    assert [row["reference"] for row in files] == [row["reference"] for row in dataset]
    assert [row["text"] for row in files] == [row["text"] for row in dataset]
    assert [row["score"] for row in files] == pytest.approx(
        [row["score"] for row in dataset], rel=1e-3
    )


def test_long_audio_is_recognized_in_pieces(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = SPEECH / "long" / "manifest.jsonl"
    run("transcribe", trained, long, "--chunk-seconds", 3, "--method", "greedy", "--json")
    found = summary(capsys)
    seconds = sum(soundfile.info(path).duration for path in (SPEECH / "long").glob("*.flac"))
    assert found["audio_seconds"] == pytest.approx(seconds, rel=1e-3)
    assert len(found["rows"]) == found["recordings"] == 2


def test_a_run_on_tokens_hears_datasets_alone(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = train(prepared, tmp_path / "run", "stream=mvq", "decoder_layers=0", "ctc_weight=1")
    run("transcribe", out, prepared, "--json", "--score", "--beam", 2, "--n", 2)
    found = summary(capsys)
    assert (found["recordings"], found["method"]) == (60, "ctc")
    with pytest.raises(UsageError, match=r"hears tokens 'mvq'; give a prepared dataset"):
        run("transcribe", out, HELLO)


def test_audio_that_cannot_be_heard_is_told_and_the_rest_goes_on(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF of nothing")
    (tmp_path / "cut.flac").write_bytes(HELLO.read_bytes()[:-2000])
    (tmp_path / "good.flac").write_bytes(HELLO.read_bytes())
    run("transcribe", trained, tmp_path, "--method", "greedy", "--json")
    printed = capsys.readouterr()
    found = json.loads(printed.out.splitlines()[-1])
    assert (found["recordings"], found["rejected"]) == (1, 2)
    assert [row["id"].split("-")[0] for row in found["rows"]] == ["good"]
    assert "not heard" in printed.err
    assert "bad.wav" in printed.err
    (tmp_path / "good.flac").unlink()
    with pytest.raises(JobError, match="nothing was heard: 2 recordings"):
        run("transcribe", trained, tmp_path, "--quiet")


def test_a_dry_run_says_what_would_be_done(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("transcribe", trained, HELLO, "--out", tmp_path / "texts", "--dry-run")
    assert "step 2: joint search, beam 8" in capsys.readouterr().out
    assert not (tmp_path / "texts").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--beam", 0), "--beam 0: give 1 to 1000"),
        (("--n", 9), "--n 9: give 1 to 8"),
        (("--method", "best"), "--method best: give greedy, ctc, attention, joint"),
        (("--chunk-seconds", 0), "--chunk-seconds 0.0: give 0.5 to 3600"),
        (("--ctc-weight", 2), "--ctc-weight 2.0: give 0 to 1"),
    ],
)
def test_settings_that_are_none_are_refused(
    trained: Path, arguments: tuple[object, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run("transcribe", trained, HELLO, *arguments)


def test_what_is_no_run_or_another_one_is_refused(
    trained: Path, prepared: Path, tmp_path: Path
) -> None:
    with pytest.raises(JobError, match="there is no run"):
        run("transcribe", tmp_path, HELLO)
    with pytest.raises(UsageError, match=r"nowhere"):
        run("transcribe", trained, tmp_path / "nowhere")
    other = tmp_path / "lm"
    run("train", "token-lm", "--data", prepared, "--out", other, "--steps", 1, "--device", "cpu",
        "--quiet", "--set", "layers=1", "--set", "width=16", "--set", "stream=mvq")  # fmt: skip
    with pytest.raises(UsageError, match="the run is one of token-lm; give one of"):
        run("transcribe", other, HELLO)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "dataset.json").write_text("{}")
    with pytest.raises(DatasetError):
        run("transcribe", trained, tmp_path / "half")


def test_pieces_are_fitted_and_go_along_with_the_run(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pieces.json"
    run("fit", "pieces", UTTERANCES, "--out", file, "--size", 100, "--json")
    found = summary(capsys)
    assert found["texts"] == 60
    assert found["pieces"] <= 100
    known = Pieces(file.read_text())
    assert known.decode(known.encode("goodbye")) == "goodbye"
    out = train(prepared, tmp_path / "run", f"vocabulary={file}")
    file.unlink()
    recipe = load_run(str(out)).recipe
    assert recipe.config.vocabulary is not None
    run("transcribe", out, HELLO, "--beam", 2, "--n", 2, "--json")
    assert summary(capsys)["recordings"] == 1
