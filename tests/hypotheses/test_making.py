"""A folder that is written in this process: parts, counts, the card."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.drawn import UTTERANCES, make_folder
from wavemill.hypotheses import making
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.making import About, write_all
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.scoring.scores import score
from wavemill.hypotheses.splits import Splitting

ABOUT = About(
    digest="0", inputs=["texts.jsonl"], normalizer="none",
    recognizer={"name": "hand", "digest": "0"},
    settings={"n": 5, "recognizer": "hand", "split_by": "text", "seed": 0}, licence="cc0-1.0",
)  # fmt: skip


@given(utterances=st.lists(UTTERANCES, min_size=1, max_size=6, unique_by=lambda one: one.id))
@settings(max_examples=15)
def test_rates_are_those_of_scoring(
    utterances: Sequence[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("made")
    content = write_all(str(out), utterances, ABOUT, Splitting(by="text", shares=(0.5, 0.0, 0.5)))
    whole = score(HypothesesFolder.open(str(out)), resamples=0).whole
    for name, system in (("wer", "1-best"), ("o_nb", "o_nb"), ("o_cp", "o_cp")):
        assert content["totals"][name] == pytest.approx(whole.score(system).wer, abs=1e-6)
    assert sum(row["utterances"] for row in content["splits"].values()) == len(utterances)


def test_parts_follow_each_other_and_those_of_before_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PART_UTTERANCES", 2)
    ones = [Utterance(id=str(n), recording_id="r", hypotheses=()) for n in range(5)]
    make_folder(ones, tmp_path)
    content = write_all(str(tmp_path), ones, ABOUT, Splitting(by="text", shares=(0.0, 0.0, 1.0)))
    assert [part["utterances"] for part in content["parts"]] == [2, 2, 1]
    folder = HypothesesFolder.open(str(tmp_path))
    assert list(folder.utterances()) == [replace(one, split="test") for one in ones]
    assert (content["totals"]["wer"], content["totals"]["empty"]) == (None, 5)
    write_all(str(tmp_path), ones[:1], ABOUT, Splitting())
    assert sorted(path.name for path in tmp_path.glob("part-*")) == ["part-00000.parquet"]
    assert json.loads((tmp_path / "hypotheses.json").read_text())["licence"] == "cc0-1.0"
    assert "license: cc0-1.0" in (tmp_path / "README.md").read_text()
