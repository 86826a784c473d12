"""`wavemill score`."""

import json
from pathlib import Path

import pytest

from tests.hypotheses.drawn import make_folder
from wavemill.cli import main
from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.records import FAR, Correction, Hypothesis, Utterance

SAID = "the <script>alert(1)</script> cat & mat"


def run(*arguments: object) -> None:
    main(args=[str(word) for word in arguments], standalone_mode=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of two speakers, with a correction that is right."""
    utterances = [
        Utterance(
            id=f"u{at}", recording_id=f"r{at}", speaker="anna" if at % 2 else "bo", split="test",
            hypotheses=(Hypothesis(text="the cat <b>mat", score=0.0),), reference=SAID,
        )
        for at in range(6)
    ]  # fmt: skip
    made = make_folder(utterances, tmp_path / "folder")
    flags: tuple[str, ...] = (FAR,)
    rows = [Correction(id=f"u{at}", text=SAID, flags=flags[: at == 0]) for at in range(6)]
    made.write_corrections("by-hand", rows, {"kind": "correction"})
    return tmp_path / "folder"


def test_json_is_the_last_line_and_has_all(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("score", folder, "--group-by", "speaker", "--group-by", "split", "--json")
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["utterances"], found["words"], found["splits"]) == (6, 30, [])
    systems = {one["name"]: one for one in found["systems"]}
    assert list(systems) == ["1-best", "o_nb", "o_cp", "vote", "by-hand"]
    assert systems["1-best"]["wer"] == 0.6
    assert systems["by-hand"]["verdict"] == "below"
    assert [(one["by"], one["value"]) for one in found["groups"]] == [
        ("speaker", "anna"), ("speaker", "bo"), ("split", "test")
    ]  # fmt: skip
    assert found["flags"] == {"by-hand": {FAR: 1}}


def test_people_are_told_whether_a_correction_is_better(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("score", folder, "--split", "test", "--group-by", "speaker")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("6 utterances, 30 words")
    assert any(line.split()[:2] == ["1-best", "60.00"] for line in lines)
    [told] = [line for line in lines if line.startswith("by-hand:")]
    assert "below the 1-best's, by 60.00 points (95 %: -60.00 to -60.00)" in told
    assert f"1 {FAR}" in told
    assert any(line.split()[0] == "anna" for line in lines if line)


def test_what_cannot_be_scored_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        run("score", tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"hypotheses\.json"):
        run("score", tmp_path)
    with pytest.raises(DatasetError, match="no utterance has a reference"):
        run("score", folder, "--split", "train")
