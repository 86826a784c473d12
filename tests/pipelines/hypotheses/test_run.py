"""`wavemill hypotheses`: what comes out of the job, and what is done again."""

import contextlib
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SPEECH, UTTERANCES, read_jsonl
from tests.pipelines.hypotheses.echo import echo
from wavemill.cli import main
from wavemill.errors import JobError, TooManyRejectedError, UsageError
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.records import Correction, Utterance

__all__ = ["echo"]

JOB = ("--quiet", "--workers", 1, "--json", "--unit-mb", 0.1, "--max-rejected", 1)


def run(inputs: object, out: Path, *more: object, recognizer: str = "echo") -> None:
    words = ["hypotheses", inputs, "--out", out, "--recognizer", recognizer, *JOB, *more]
    main(args=[str(word) for word in words], standalone_mode=False)


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def utterances(out: Path) -> list[Utterance]:
    return list(HypothesesFolder.open(str(out)).utterances())


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Twelve utterances, two files that are none, and one that is silent of text."""
    rows = read_jsonl(UTTERANCES)[:12]
    for row in rows:
        row["audio_filepath"] = str(SPEECH / row["audio_filepath"])
    del rows[0]["text"], rows[1]["lang"]
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    bad = [{"audio_filepath": str(tmp_path / name)} for name in ("broken.wav", "missing.wav")]
    return written([*rows, *bad], tmp_path / "in.jsonl")


def written(rows: Sequence[dict[str, Any]], place: Path) -> Path:
    place.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return place


def test_every_recording_is_an_utterance_or_a_reject(
    echo: list[int], manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(manifest, out, "--n", 4, "--split-by", "text", "--splits", "0.5,0,0.5", "--licence", "mit")
    found, content = summary(capsys), json.loads((out / "hypotheses.json").read_text())
    assert (found["recordings"], found["utterances"], found["rejected"]) == (14, 12, 2)
    assert len(read_jsonl(out / "rejected.jsonl")) == 2
    ones = utterances(out)
    assert len(echo) == len(ones)
    normalizer = Normalizer()
    for one in ones:
        assert [text.split()[1] for text in one.texts] == [one.language or "none"] * len(one.texts)
        assert len(set(one.texts)) == len(one.texts)
        assert one.is_short == (len(one.texts) < 4)
        assert one.texts[0] == normalizer(one.hypotheses[0].raw, one.language)
    said = {row.get("text"): row for row in read_jsonl(manifest)[:12]}
    assert {one.reference_raw for one in ones} == set(said)
    assert sum(one.reference is None for one in ones) == 1
    assert found["splits"] == {"train": len([1 for one in ones if one.split == "train"]),
                               "test": len([1 for one in ones if one.split == "test"])}  # fmt: skip
    assert content["totals"]["references"] == 11
    card = (out / "README.md").read_text()
    assert "license: mit" in card
    assert f"| all | 12 | {content['totals']['hours']:.3f} |" in card
    (block,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    names: dict[str, Any] = {}
    with contextlib.chdir(out):
        exec(compile(block, "README.md", "exec"), names)
    assert names["utterance"].split == "train"
    assert 0 <= found["o_cp"] <= found["o_nb"] <= found["wer"]


def test_what_is_there_is_not_heard_again_and_bytes_stay(
    echo: list[int], manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(manifest, out)
    before, heard = digests(out), len(echo)
    units = sorted(out.glob("_work/hypotheses-echo-*/*.arrow"))
    assert len(units) > 2
    max(units, key=lambda path: path.stat().st_size).unlink()
    (out / "part-00000.parquet").write_bytes(b"half of it")
    (out / "hypotheses.json").unlink()
    capsys.readouterr()
    run(manifest, out)
    assert summary(capsys)["reused_units"] == 2 * len(units) - 1
    assert digests(out) == before
    assert 0 < len(echo) - heard < heard
    heard = len(echo)
    run(manifest, out, "--splits", "0,0,1")
    assert len(echo) == heard
    assert {one.split for one in utterances(out)} == {"test"}
    run(manifest, out, "--normalizer", "plain", "--dry-run")
    left = summary(capsys)["units_to_do"]
    assert sorted(left.values()) == [0, len(units)]


def test_a_dataset_gives_what_its_recordings_give(
    echo: list[int], manifest: Path, tmp_path: Path
) -> None:
    del echo
    main(args=["prepare", str(manifest), "--out", str(tmp_path / "prepared"), "--quiet",
               "--workers", "1", "--max-rejected", "1", "--buckets", "2"],
         standalone_mode=False)  # fmt: skip
    run(manifest, tmp_path / "one")
    run(tmp_path / "prepared", tmp_path / "two")
    by_id = [{one.id: one for one in utterances(tmp_path / name)} for name in ("one", "two")]
    assert by_id[0] == by_id[1]
    assert (tmp_path / "two" / "rejected.jsonl").read_text() == ""
    with pytest.raises(UsageError, match="give it alone"):
        run(tmp_path / "prepared", tmp_path / "three", str(manifest))
    with pytest.raises(UsageError, match="holds a dataset"):
        run(manifest, tmp_path / "prepared")
    with pytest.raises(UsageError, match="holds hypotheses"):
        main(args=["prepare", str(manifest), "--out", str(tmp_path / "one"), "--quiet"],
             standalone_mode=False)  # fmt: skip


def test_what_the_recognizer_fails_on_is_rejected_and_too_much_of_it_ends_the_job(
    echo: list[int], manifest: Path, tmp_path: Path
) -> None:
    del echo
    out = tmp_path / "out"
    run(manifest, out, recognizer="echo:fails_at=3")
    failed = [row for row in read_jsonl(out / "rejected.jsonl") if row["stage"] == "hypotheses"]
    assert len(failed) + len(utterances(out)) == 12
    assert {row["reason"] for row in failed} == {"recognizer-failed"}
    with pytest.raises(TooManyRejectedError, match="--max-rejected"):
        run(manifest, tmp_path / "other", "--max-rejected", 0.01, recognizer="echo:fails_at=3")
    assert not (tmp_path / "other" / "hypotheses.json").exists()


def test_corrections_of_other_hypotheses_are_kept_from_harm(
    echo: list[int], manifest: Path, tmp_path: Path
) -> None:
    del echo
    out = tmp_path / "out"
    run(manifest, out, "--clean")
    assert not (out / "_work").exists()
    folder = HypothesesFolder.open(str(out))
    folder.write_corrections("mine", [Correction(id="a", text="b")], {"kind": "correction"})
    before = digests(out)
    with pytest.raises(JobError, match="corrections holds what was made of other hypotheses"):
        run(manifest, out, recognizer="echo:salt=x")
    run(manifest, out)  # the same hypotheses
    assert digests(out) == before
    assert folder.corrections() == ["mine"]


def test_a_dry_run_says_what_is_to_be_done_and_writes_nothing(
    echo: list[int], manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(manifest, tmp_path / "out", "--dry-run")
    found = summary(capsys)
    assert found["recordings"] == 14
    assert sum(found["units_to_do"].values()) == 2 * found["units"]
    assert echo == []
    assert not (tmp_path / "out").exists()
