import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SPEECH
from tests.pipelines.spool_files import UNITS, write_spool
from tests.sharding.drawn import clip_samples, make_dataset, stream
from wavemill.columns import pieces_of
from wavemill.digest import digest
from wavemill.pipelines import survey_blocks
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job
from wavemill.pipelines.outdir import MARK
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.run_notes import RunNotes
from wavemill.pipelines.survey import (
    MEASURES,
    SurveyConfig,
    count_distinct,
    count_recordings,
    survey,
)
from wavemill.pipelines.survey_unit import LINE_BYTES, TAR_BYTES
from wavemill.records import NO_SPEECH, TOKENIZER_FAILED
from wavemill.sharding.dataset import Dataset


class Spooled:
    """What the survey needs of a job."""

    finished, count_finished, run = Job.finished, Job.count_finished, Job.run

    def __init__(self, spool: str) -> None:
        self.spool, self.engine = spool, Engine()
        self.reporter, self.notes = Reporter(quiet=True), RunNotes()
        self.settings = SimpleNamespace(out=spool)


@pytest.fixture
def config(tmp_path: Path) -> SurveyConfig:
    return write_spool(tmp_path, UNITS)


def test_a_survey_counts_what_came_through_and_why_the_rest_did_not(config: SurveyConfig) -> None:
    ticks: list[int] = []
    found = survey(list(UNITS), config, lambda: ticks.append(1))
    assert len(ticks) == 3
    lengths = found.lengths
    assert (lengths.unit.tolist(), lengths.row.tolist()) == ([0, 1, 1, 1], [0, 0, 1, 2])
    assert lengths.seconds.tolist() == [2.0, 1.0, 1.0, 1.0]
    assert lengths.tokens.tolist() == [50, 25, 26, 27]
    assert lengths.num_bytes[0] == 3 + 2 * TAR_BYTES + LINE_BYTES
    assert lengths.key.tolist() == [int(digest(name), 16) for name in ("a@0", "c", "d", "e")]
    assert found.audio_keys[1] == found.audio_keys[2] != found.audio_keys[3]
    about = [(row["id"], row["stage"], row["reason"], row["detail"]) for row in found.rejects]
    assert about == [
        ("b", "segment", NO_SPEECH, "silence"),
        ("a@1", "tokenize:toy", TOKENIZER_FAILED, "shape"),
    ]
    assert next(iter(found.rejects))["source"] == "x.wav"
    assert (found.rejected_segments, found.lost_recordings) == (2, 1)
    assert found.measures["snr_db"].tolist() == [20.0] * 4
    assert found.measures["num_characters"][0] == 5
    assert np.isnan(found.measures["num_characters"][1])


def test_audio_that_is_not_stored_takes_no_room(config: SurveyConfig) -> None:
    without = replace(config, audio="none")
    assert survey(list(UNITS), without).lengths.num_bytes[0] == TAR_BYTES + LINE_BYTES


@pytest.mark.parametrize("audio", ["flac", "opus", "none"])
def test_shards_are_about_as_large_as_was_asked_for(audio: str, tmp_path: Path) -> None:
    streams = [stream("syllables", None, 1, 5000), stream("many", 75.0, 32, 1024)]
    samples = clip_samples(SPEECH / "audio", 60, streams)
    content = Dataset.open(str(make_dataset(samples, tmp_path, audio, 0.5, streams))).content
    assert len(content["shards"]) > 2
    for bucket in content["buckets"]:
        sizes = [
            sum(file["bytes"] for file in shard["files"])
            for shard in content["shards"]
            if shard["bucket"] == bucket["name"]
        ]
        assert max(sizes) < 0.65 * 2**20
        assert len(sizes) == 1 or min(sizes) > 0.2 * 2**20


def test_no_units_give_an_empty_survey(config: SurveyConfig) -> None:
    found = survey([], config)
    assert len(found.lengths) == len(found.audio_keys) == found.lost_recordings == 0
    assert not len(found.rejects)
    assert set(found.measures) == set(MEASURES)


def test_a_survey_by_blocks_is_the_one_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = {f"{name}{copy}": held for copy in range(3) for name, held in UNITS.items()}
    config = write_spool(tmp_path, units)
    (tmp_path / MARK).touch()
    monkeypatch.setattr(survey_blocks, "BLOCK_UNITS", 2)
    job: Any = Spooled(str(tmp_path))
    expected = survey(list(units), config)
    for _ in range(2):
        found = survey_blocks.survey_units(job, list(units), config)
        for name, values in vars(expected.lengths).items():
            assert getattr(found.lengths, name).tolist() == values.tolist()
        assert found.audio_keys.tolist() == expected.audio_keys.tolist()
        for name, values in expected.measures.items():
            assert np.array_equal(found.measures[name], values, equal_nan=True)
        assert [*found.rejects] == [*expected.rejects]
        assert (found.rejected_segments, found.lost_recordings) == (6, 3)
        for unit in tmp_path.glob("segments/*"):
            unit.unlink()  # the second time from the blocks alone


def test_recordings_are_counted_once_but_those_of_ingest_a_row_each() -> None:
    rows = [
        {"stage": stage, "recording": recording}
        for stage, recording in (("segment", "a"), ("filter", "a"), ("dedup", "b"), ("ingest", "b"),
                                 ("ingest", "b"))
    ]  # fmt: skip
    assert count_recordings(rows) == 4
    assert count_recordings([]) == 0


@given(st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=9))
def test_different_values_are_counted(pieces: list[list[int]]) -> None:
    arrays = [np.array(piece, np.uint64) for piece in pieces]
    assert count_distinct(arrays) == len({value for piece in pieces for value in piece})


def test_what_is_counted_of_millions_can_be_written_as_json() -> None:
    values = np.arange(5_000_000, dtype=np.uint64) // 2
    assert json.dumps(count_distinct(pieces_of(values))) == "2500000"
