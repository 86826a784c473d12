"""What is written to a folder of hypotheses is read back from it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hypotheses.drawn import UTTERANCES, make_folder
from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.folder import FACTS, HypothesesFolder, part_name, write_part
from wavemill.hypotheses.records import FAR, Correction, Hypothesis, Utterance

ONE = Utterance(id="a", recording_id="r", hypotheses=(Hypothesis(text="he said so", score=-0.5),))


@given(utterances=st.lists(UTTERANCES, max_size=5))
def test_utterances_are_read_as_they_were_written(
    utterances: Sequence[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_folder(utterances, tmp_path_factory.mktemp("folder"))
    assert list(folder.utterances()) == list(utterances)
    tested = [one for one in utterances if one.split == "test"]
    assert list(folder.utterances("test")) == tested


def test_the_same_utterances_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_part(str(tmp_path / name), [ONE] * 5000)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_corrections_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = make_folder([ONE], tmp_path)
    given = [Correction(id="a", text="he said so", answer="Sure! Here it is", flags=(FAR,))]
    assert folder.write_corrections("by-hand", given, {"kind": "correction"}) == 1
    assert folder.corrections() == ["by-hand"]
    assert list(folder.read_corrections("by-hand")) == given
    assert folder.correction_facts("by-hand") == {"kind": "correction"}


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot name"):
        make_folder([ONE], tmp_path).write_corrections("../x", [], {})


def test_a_folder_that_is_not_whole_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=FACTS):
        HypothesesFolder.open(str(tmp_path))


def test_a_damaged_part_is_told(tmp_path: Path) -> None:
    folder = make_folder([ONE], tmp_path)
    (tmp_path / part_name(0)).write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(DatasetError, match=part_name(0)):
        list(folder.utterances())


def test_a_format_that_is_not_known_is_told(tmp_path: Path) -> None:
    (tmp_path / FACTS).write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(DatasetError, match="99"):
        HypothesesFolder.open(str(tmp_path))
