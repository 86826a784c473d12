"""Published rows are read, and what is written is read back."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.drawn import UTTERANCES
from wavemill.errors import DatasetError
from wavemill.hypotheses.exports.hyporadise import HyporadiseFile, read, write
from wavemill.hypotheses.records import Utterance
from wavemill.hypotheses.scoring.scores import score

PUBLISHED = [
    {
        "input": [
            "it was formed by floyd soil liu",
            "it was formed by floyd soil lu",
            "it was formed by floyd soilu",
            "it was formed by floyd soil liu",
            "it was formed by floyd soylu",
        ],
        "output": "it was formed by floyd soileau",
        "input1": "it was formed by floyd soil liu.",
        "input2": "it was formed by floyd soil lu. it was formed by floyd soilu."
        " it was formed by floyd soil liu. it was formed by floyd soylu. ",
    },
    {
        "input": [
            "one of the sides created was the traumas or the wetkin is traumas",
            "one of the sides created was the strongmers or the wetkin strongmers",
            "one of the sides created was the traumas or the wetkin traumas",
            "one of the sites created was the strongmers or the wetkin strongmers",
            "one of the sides created was the strongmers or the western strongmers",
        ],
        "output": "one of the sides created was the stormers or the western stormers",
        "input1": "one of the sides created was the traumas or the wetkin is traumas.",
        "input2": "one of the sides created was the strongmers or the wetkin strongmers."
        " one of the sides created was the traumas or the wetkin traumas."
        " one of the sites created was the strongmers or the wetkin strongmers."
        " one of the sides created was the strongmers or the western strongmers. ",
    },
]
"""Rows 0 and 2 of `test_cv.json` of HyPoradise (MIT), of sentences of Common Voice (CC0)."""
SCORED = {
    "id": "a07",
    "input": ["what is the fair", "what is the fare", "what is the fair"],
    "output": "what is the fare",
    "am_score": [-0.25, -0.3, -0.5],
    "noise": "cafe",
}
"""Of the form that `test_atis.json` has, with a field more."""


def saved(rows: Any, at: Path) -> str:
    file = at / "test_rows.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    return str(file)


def test_published_rows_are_read_without_the_repeats(tmp_path: Path) -> None:
    first, second = read(saved(PUBLISHED, tmp_path))
    assert first.texts == tuple(dict.fromkeys(PUBLISHED[0]["input"]))
    assert (len(first.texts), first.is_short, second.is_short) == (4, True, False)
    assert first.reference == PUBLISHED[0]["output"]
    assert (first.id, first.split) == ("test_rows-000000", "test")


def test_the_form_of_the_trainer_holds_the_same(tmp_path: Path) -> None:
    trainer = [{key: row[key] for key in ("input1", "input2", "output")} for row in PUBLISHED]
    both = [list(read(saved(rows, tmp_path))) for rows in (PUBLISHED, trainer)]
    assert both[0] == both[1]


def test_scores_and_names_and_other_fields_are_kept(tmp_path: Path) -> None:
    [one] = read(saved([SCORED], tmp_path))
    assert (one.id, one.custom) == ("a07", {"noise": "cafe"})
    assert [(each.text, each.score) for each in one.hypotheses] == [
        ("what is the fair", -0.25),
        ("what is the fare", -0.3),
    ]


def test_a_published_file_is_scored_as_a_folder_is(tmp_path: Path) -> None:
    found = score(HyporadiseFile(saved([*PUBLISHED, SCORED], tmp_path)), keys=["custom.noise"])
    errors = {one.name: one.errors for one in found.whole.systems}
    assert errors == {"1-best": 7, "o_nb": 3, "o_cp": 3, "vote": 5}
    assert [group.value for group in found.groups] == ["(none)", "cafe"]


@pytest.mark.parametrize("trainer", [False, True])
@settings(max_examples=30)
@given(utterances=st.lists(UTTERANCES, max_size=4))
def test_what_is_written_is_read_back(
    utterances: Sequence[Utterance], trainer: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = str(tmp_path_factory.mktemp("file") / "rows.json")
    assert write(file, utterances, trainer=trainer) == len(utterances)
    found = list(read(file))
    assert [one.reference for one in found] == [one.reference for one in utterances]
    said = [tuple(filter(None, one.texts)) for one in utterances]
    assert [tuple(filter(None, one.texts)) for one in found] == said
    if not trainer:
        assert [one.hypotheses[0].score for one in found] == [0.0] * len(found)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"input": []}, "is no list"),
        ([{"input": ["a"]}], "row 0 .* no 'output'"),
        ([SCORED, {"output": "a"}], "row 1 .* no 'input1'"),
        ([{"input": ["a"], "output": 3}], "its output is no text"),
        ([{"input": ["a"], "output": "a", "score": [1, 2]}], "row 0 "),
        ([{"input": "a", "output": "a"}], "row 0 .* no list of texts"),
        ([{"input": ["a", 1], "output": "a"}], "no list of texts"),
        ([{"input1": "a.", "input2": None, "output": "a"}], "no list of texts"),
        (["a"], "row 0 "),
    ],
)
def test_what_is_not_of_the_form_is_named(rows: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=words):
        list(read(saved(rows, tmp_path)))


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text("[{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"rows\.json is not JSON"):
        list(read(str(tmp_path / "rows.json")))
