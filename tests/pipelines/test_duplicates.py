from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipelines.spool_files import UNITS, write_spool
from wavemill.pipelines.duplicates import drop_copies, later_copies
from wavemill.pipelines.survey import SurveyConfig, survey
from wavemill.records import DUPLICATE_AUDIO


@pytest.fixture
def config(tmp_path: Path) -> SurveyConfig:
    return write_spool(tmp_path, UNITS)


def test_nothing_has_no_copies(config: SurveyConfig) -> None:
    assert not len(drop_copies(survey([], config), [], config).rejects)


def test_of_equal_audio_the_first_sample_stays(config: SurveyConfig) -> None:
    units = list(UNITS)
    left = drop_copies(survey(units, config), units, config)
    assert left.lengths.row.tolist() == [0, 0, 2]
    assert left.lengths.tokens.tolist() == [50, 25, 27]
    assert len(left.audio_keys) == 3
    dropped = [*left.rejects][-1]
    assert (dropped["id"], dropped["recording"], dropped["stage"]) == ("d", "d", "dedup")
    assert dropped["reason"] == DUPLICATE_AUDIO
    assert "the same audio as c," in dropped["detail"]
    assert left.rejected_segments == 2  # a copy is no failure


@settings(deadline=None)
@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=60))
def test_every_later_copy_points_at_the_first(keys: list[int]) -> None:
    first: dict[int, int] = {}
    expected = {}
    for position, key in enumerate(keys):
        if key in first:
            expected[position] = first[key]
        else:
            first[key] = position
    assert later_copies(np.array(keys, np.uint64)) == expected
