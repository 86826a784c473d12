from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SPEECH
from tests.pipelines.spool_files import UNITS, write_spool
from tests.sharding.drawn import clip_samples, make_dataset, stream
from wavemill.digest import digest
from wavemill.pipelines.survey import LINE_BYTES, MEASURES, TAR_BYTES, SurveyConfig, survey
from wavemill.records import NO_SPEECH, TOKENIZER_FAILED
from wavemill.sharding.dataset import Dataset


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
    assert found.rejects[0]["source"] == "x.wav"
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
    assert found.rejects == []
    assert set(found.measures) == set(MEASURES)
