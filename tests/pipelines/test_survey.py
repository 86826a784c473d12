from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.digest import digest
from wavemill.pipelines.survey import (
    SAMPLE_BYTES,
    SurveyConfig,
    drop_copies,
    later_copies,
    survey,
)
from wavemill.records import (
    DUPLICATE_AUDIO,
    NO_SPEECH,
    SEGMENT_SCHEMA,
    TOKEN_SCHEMA,
    TOKENIZER_FAILED,
)
from wavemill.spool import unit_url, write_unit


def segment(
    name: str, recording: str, *, seconds: float = 1.0, audio: bytes = b""
) -> dict[str, Any]:
    audio = audio or name.encode()
    return {
        "id": name, "recording_id": recording, "start_seconds": 0.0,
        "num_samples": round(seconds * 16_000), "sample_rate": 16_000, "num_channels": 1,
        "num_audio_bytes": len(audio), "audio_digest": int(digest(audio), 16), "custom": "{}",
        "audio": audio,
    }  # fmt: skip


def reject(name: str, recording: str) -> dict[str, Any]:
    return {
        "id": name, "recording_id": recording, "start_seconds": 0.0, "num_samples": 0,
        "sample_rate": 0, "num_channels": 0, "num_audio_bytes": 0, "custom": "{}",
        "reject_reason": NO_SPEECH, "reject_detail": "silence", "reject_source": "x.wav",
    }  # fmt: skip


UNITS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "u1": (
        [segment("a@0", "a", seconds=2.0), reject("b", "b"), segment("a@1", "a", audio=b"same")],
        [{"num_tokens": 50}, {"num_tokens": 0},
         {"num_tokens": 0, "reject_reason": TOKENIZER_FAILED, "reject_detail": "shape"}],
    ),
    "u2": (
        [segment("c", "c", audio=b"same"), segment("d", "d", audio=b"same"), segment("e", "e")],
        [{"num_tokens": 25}, {"num_tokens": 26}, {"num_tokens": 27}],
    ),
    "u3": ([], []),
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> SurveyConfig:
    for unit, (segments, tokens) in UNITS.items():
        for stage, rows, schema in (
            ("segments", segments, SEGMENT_SCHEMA),
            ("tokens", tokens, TOKEN_SCHEMA),
        ):
            with write_unit(unit_url(str(tmp_path), stage, unit), schema) as writer:
                for row in rows:
                    writer.add(row)
    return SurveyConfig(spool=str(tmp_path), segments="segments", streams=(("tokens", "toy"),))


def test_a_survey_counts_what_came_through_and_why_the_rest_did_not(config: SurveyConfig) -> None:
    ticks: list[int] = []
    found = survey(list(UNITS), config, lambda: ticks.append(1))
    assert len(ticks) == 3
    lengths = found.lengths
    assert (lengths.unit.tolist(), lengths.row.tolist()) == ([0, 1, 1, 1], [0, 0, 1, 2])
    assert lengths.seconds.tolist() == [2.0, 1.0, 1.0, 1.0]
    assert lengths.tokens.tolist() == [50, 25, 26, 27]
    assert lengths.num_bytes[0] == 3 + 50 + SAMPLE_BYTES
    assert lengths.key.tolist() == [int(digest(name), 16) for name in ("a@0", "c", "d", "e")]
    assert found.audio_keys[1] == found.audio_keys[2] != found.audio_keys[3]
    about = [(row["id"], row["stage"], row["reason"], row["detail"]) for row in found.rejects]
    assert about == [
        ("b", "segment", NO_SPEECH, "silence"),
        ("a@1", "tokenize:toy", TOKENIZER_FAILED, "shape"),
    ]
    assert found.rejects[0]["source"] == "x.wav"
    assert (found.rejected_segments, found.lost_recordings) == (2, 1)


def test_audio_that_is_not_stored_takes_no_room(config: SurveyConfig) -> None:
    without = SurveyConfig(
        spool=config.spool, segments="segments", streams=config.streams, with_audio=False
    )
    assert survey(list(UNITS), without).lengths.num_bytes[0] == 50 + SAMPLE_BYTES


def test_no_units_give_an_empty_survey(config: SurveyConfig) -> None:
    found = survey([], config)
    assert len(found.lengths) == len(found.audio_keys) == found.lost_recordings == 0
    assert found.rejects == []
    assert drop_copies(found, [], config).rejects == []


def test_of_equal_audio_the_first_sample_stays(config: SurveyConfig) -> None:
    units = list(UNITS)
    left = drop_copies(survey(units, config), units, config)
    assert left.lengths.row.tolist() == [0, 0, 2]
    assert left.lengths.tokens.tolist() == [50, 25, 27]
    assert len(left.audio_keys) == 3
    dropped = left.rejects[-1]
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
