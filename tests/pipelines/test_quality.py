"""Filters: what they leave out and how it is told."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from tests.pipelines.spool_files import Units, reject, segment, write_spool
from wavemill import records
from wavemill.commands.filters import FILTERS as OPTIONS
from wavemill.commands.filters import filter_options
from wavemill.errors import UsageError
from wavemill.pipelines.filters import FILTERS, check_bounds
from wavemill.pipelines.quality import PERCENTILES, _percentile, drop_filtered, quality
from wavemill.pipelines.survey import Survey, SurveyConfig, survey

SEGMENTS = [
    segment("short", "a", seconds=0.5, num_characters=5),
    segment("long", "a", seconds=40.0),
    reject("bad", "b"),
    segment("clipped", "c", seconds=4.0, clipping=0.02),
    segment("silent", "d", seconds=4.0, silence=0.9),
    segment("noisy", "e", seconds=4.0, snr_db=-3.0),
    segment("slow", "f", seconds=4.0, num_characters=2),
    segment("fast", "g", seconds=4.0, num_characters=200),
    segment("good", "h", seconds=4.0, num_characters=50),
]
UNITS: Units = {
    "u1": (SEGMENTS[:4], [{"num_tokens": 1}] * 4),
    "u2": (SEGMENTS[4:], [{"num_tokens": 1}] * 5),
}
CASES = [
    ("min_seconds", 1.0, "short", records.TOO_SHORT, "seconds 0.5, less than --min-seconds 1"),
    ("max_seconds", 30.0, "long", records.TOO_LONG, "seconds 40, more than --max-seconds 30"),
    ("max_clipping", 0.01, "clipped", records.CLIPPED,
     "clipping 0.02, more than --max-clipping 0.01"),
    ("max_silence", 0.5, "silent", records.SILENT, "silence 0.9, more than --max-silence 0.5"),
    ("min_snr", 10.0, "noisy", records.NOISY, "snr db -3, less than --min-snr 10"),
    ("min_chars_per_second", 2.0, "slow", records.SLOW_TEXT,
     "characters per second 0.5, less than --min-chars-per-second 2"),
    ("max_chars_per_second", 20.0, "fast", records.FAST_TEXT,
     "characters per second 50, more than --max-chars-per-second 20"),
]  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> SurveyConfig:
    return write_spool(tmp_path, UNITS)


@pytest.fixture
def found(config: SurveyConfig) -> Survey:
    return survey(list(UNITS), config)


@pytest.mark.parametrize(("name", "bound", "id_", "reason", "detail"), CASES)
def test_a_filter_leaves_out_what_is_beyond_its_bound(
    name: str, bound: float, id_: str, reason: str, detail: str,
    found: Survey, config: SurveyConfig,
) -> None:  # fmt: skip
    left = drop_filtered(found, list(UNITS), config, ((name, bound),))
    about = [*left.rejects][-1]
    assert (about["id"], about["stage"], about["reason"]) == (id_, "filter", reason)
    assert about["detail"] == detail
    assert len(left.lengths) == len(left.audio_keys) == len(found.lengths) - 1
    assert len(left.rejects) == len(found.rejects) + 1
    assert {len(values) for values in left.measures.values()} == {len(left.lengths)}
    assert left.rejected_segments == found.rejected_segments == 1


def test_all_filters_together_leave_the_good_one(found: Survey, config: SurveyConfig) -> None:
    bounds = tuple((name, bound) for name, bound, *_ in CASES)
    left = drop_filtered(found, list(UNITS), config, bounds)
    assert left.lengths.seconds.tolist() == [4.0]
    order = ["short", "long", "clipped", "silent", "noisy", "slow", "fast"]
    assert [about["id"] for about in [*left.rejects][1:]] == order


def test_a_value_at_its_bound_comes_through(found: Survey, config: SurveyConfig) -> None:
    bounds = (("min_seconds", 0.5), ("max_seconds", 40.0), ("max_silence", 0.9), ("min_snr", -3.0),
              ("max_clipping", 0.02), ("max_chars_per_second", 50.0))  # fmt: skip
    left = drop_filtered(found, list(UNITS), config, bounds)
    assert [*left.rejects] == [*found.rejects]


def test_quality_counts_what_the_same_bounds_leave_out(found: Survey, config: SurveyConfig) -> None:
    described = quality(found)
    assert described["seconds"]["samples"] == 8
    assert described["characters_per_second"]["samples"] == 4
    assert described["seconds"]["p50"] == np.median(found.lengths.seconds)
    for one in FILTERS:
        would = described[one.measure]["would_drop"][one.name]
        left = drop_filtered(found, list(UNITS), config, ((one.name, would["bound"]),))
        assert would["samples"] == len(found.lengths) - len(left.lengths) > 0


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60))
def test_percentiles_are_numpy_s(values: list[float]) -> None:
    ordered = np.sort(np.array(values, np.float64))
    expected = np.percentile(ordered, PERCENTILES)
    assert np.allclose([_percentile(ordered, q) for q in PERCENTILES], expected, rtol=1e-12)


def test_what_no_sample_has_is_not_described(tmp_path: Path) -> None:
    config = write_spool(tmp_path, {"u": ([segment("a", "a")], [{"num_tokens": 1}])})
    assert "characters_per_second" not in quality(survey(["u"], config))
    assert quality(survey([], config)) == {}


def test_every_filter_has_its_option_and_its_reason() -> None:
    names = [one.name for one in FILTERS]
    assert list(OPTIONS) == names == [name for name, *_ in CASES]
    assert len({one.reason for one in FILTERS}) == len(FILTERS)
    command = filter_options(lambda: None)
    options = [option.opts[0] for option in reversed(command.__click_params__)]  # type: ignore[attr-defined]
    assert options == [one.option for one in FILTERS]


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((("max_silence", 1.5),), "--max-silence 1.5: give 0 to 1"),
        ((("min_snr", float("nan")),), "--min-snr nan: give"),
        ((("min_seconds", 3.0), ("max_seconds", 2.0)), "--max-seconds 2 is below the minimum, 3"),
    ],
)
def test_bounds_that_make_no_sense_are_wrong_usage(
    bounds: tuple[tuple[str, float], ...], words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        check_bounds(bounds)


def test_a_job_with_filters_redoes_no_audio_and_fails_for_none_of_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    plain = wavemill("prepare", UTTERANCES, "--out", out, "--json")
    assert plain.code == 0, plain.err
    about = wavemill("inspect", out, "--json").json["quality"]["seconds"]
    bound = about["p50"]
    done = wavemill("prepare", UTTERANCES, "--out", out, "--min-seconds", bound, "--json")
    assert done.code == 0, done.err
    units = len(list(out.glob("_work/segments-*/*.arrow")))
    assert done.json["reused_units"] == units
    rejects = read_jsonl(out / "rejected.jsonl")
    seconds = [row["duration"] for row in read_jsonl(UTTERANCES)]
    expected = sum(value < bound for value in seconds)
    assert len(rejects) == done.json["left_out"] == done.json["rejected"] == expected > 20
    assert done.json["recordings"] == done.json["segments"] + expected == len(seconds)
    facts = wavemill("inspect", out, "--json").json
    assert facts["rejected"] == {"too-short": expected}
    assert facts["quality"]["seconds"]["samples"] == done.json["segments"]
    shown = wavemill("inspect", out).out
    assert "--min-seconds 1: 0" in shown
    assert f"too-short {expected}" in shown
    assert wavemill("lint", out).code == 0


def test_filters_that_leave_nothing_fail_and_say_where_to_look(tmp_path: Path) -> None:
    sound = SPEECH / "audio/hello-world.flac"
    job = tmp_path / "job.yaml"
    job.write_text(json.dumps({"min_seconds": 100}))
    done = wavemill("prepare", sound, "--out", tmp_path / "out", "--config", job)
    assert done.code == 1
    assert "nothing came through" in done.err
    (about,) = read_jsonl(tmp_path / "out/_work/rejected.jsonl")
    assert about["reason"] == "too-short"
