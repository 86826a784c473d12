from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.pipelines.cut_files import cut, ramp, rejects, segments, values, window
from wavemill.pipelines.segmenters.base import whole_of
from wavemill.records import (
    INVALID_ROW,
    NO_SEGMENTS,
    OFFSET_PAST_END,
    Recording,
    Segment,
    Span,
)

EVERY = ["none", "manifest", "fixed:0.3", "vad", "vad:min_seconds=0"]
REASONS = {"none": INVALID_ROW, "manifest": INVALID_ROW}


def span(start: float, duration: float | None, **about: Any) -> Span:
    return Span(start_seconds=start, duration_seconds=duration, **about)


@pytest.mark.parametrize("how", EVERY)
@pytest.mark.parametrize("duration", [1e-4, 1e-10])
def test_a_window_of_less_than_a_sample_is_rejected(
    tmp_path: Path, how: str, duration: float
) -> None:
    row = Recording(id="a", url=ramp(tmp_path / "a.wav", 1000), **window(0.5, duration))
    assert rejects(cut(how, row)) == [("a", REASONS.get(how, NO_SEGMENTS))]


@pytest.mark.parametrize("how", EVERY)
@pytest.mark.parametrize("start", [0.9999, 1.0, 5.0])
def test_a_window_that_begins_where_the_file_ends_is_rejected(
    tmp_path: Path, how: str, start: float
) -> None:
    row = Recording(id="a", url=ramp(tmp_path / "a.wav", 1000), **window(start, None))
    (found,) = rejects(cut(how, row))
    no_segments = start < 1 and how not in REASONS
    assert found == ("a", NO_SEGMENTS if no_segments else OFFSET_PAST_END)


def test_a_span_that_begins_where_the_file_ends_is_rejected(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    found = cut("manifest", Recording(id="a", url=url, spans=(span(0.9999, 0.05),)))
    assert rejects(found) == [("a@0000", OFFSET_PAST_END)]


def test_a_whole_piece_and_less_than_a_sample_are_one_piece(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 4000)
    found = cut("fixed:1", Recording(id="a", url=url, **window(0.0, 1.0001, text="all of it")))
    assert [piece.text for piece in segments(found)] == ["all of it"]


def test_spans_with_a_problem_are_rejected_and_the_others_cut(tmp_path: Path) -> None:
    bad = span(0.0, None, problem="segment 1 of 4: why")
    spans = (bad, span(0.5, 0.2), span(3.0, 1.0), span(0.0, 0.2))
    row = Recording(id="a", url=ramp(tmp_path / "a.wav", 1000), spans=spans)
    found = cut("manifest", row)
    assert rejects(found) == [("a@0002", OFFSET_PAST_END), ("a@0003", INVALID_ROW)]
    assert [r.id for r in found if isinstance(r, Segment)] == ["a@0000", "a@0001"]
    for how in ("none", "fixed:0.3"):
        pieces = segments(cut(how, row))
        assert [v for piece in pieces for v in values(piece)] == list(range(1000))


def test_of_spans_that_all_have_a_problem_each_is_rejected(tmp_path: Path) -> None:
    spans = tuple(span(0.0, None, problem=why) for why in ("this", "that"))
    row = Recording(id="a", url=ramp(tmp_path / "a.wav", 1000), spans=spans)
    assert rejects(cut("manifest", row)) == [("a@0000", INVALID_ROW), ("a@0001", INVALID_ROW)]


def test_spans_are_cut_from_their_own_channels_or_their_windows(tmp_path: Path) -> None:
    about = Span(start_seconds=0.0, channels=(1, 2))
    spans = (span(0.0, 0.1, channels=(2,)), span(0.1, 0.1), span(0.2, 0.1, channels=(0, 2)))
    url = ramp(tmp_path / "a.wav", 1000, 3)
    found = segments(cut("manifest", Recording(id="a", url=url, window=about, spans=spans)))
    starts = [[values(piece, c)[0] for c in range(piece.num_channels)] for piece in found]
    assert starts == [[20_000], [10_100, 20_100], [200, 20_200]]
    (whole,) = segments(cut("none", Recording(id="a", url=url, window=about, spans=spans)))
    assert [entry.get("channel") for entry in whole.custom["segments"]] == [1, None, [0, 1]]


def test_a_whole_recording_lists_its_annotations_from_the_samples_start() -> None:
    spans = (
        span(2.1, 0.5, text="hi", speaker="s", custom={"snr": 3, "supervision_id": "x"}),
        span(3.0, 1.0, language="en", channels=(1,)),
        span(0.0, None, text="hm", problem="why", custom={"a": 1}),
    )
    row = Recording(id="a", url="a.wav", spans=spans, **window(2.0, 5.0, custom={"y": [1]}))
    assert whole_of(row, 2.0).custom == {
        "y": [1],
        "segments": [
            {"start": 0.1, "end": 0.6, "text": "hi", "speaker": "s", "snr": 3,
             "supervision_id": "x"},
            {"start": 1.0, "end": 2.0, "language": "en", "channel": 1},
            {"a": 1, "text": "hm", "problem": "why"},
        ],
    }  # fmt: skip
    assert whole_of(row, 2.05).custom["segments"][0]["start"] == 0.05


@pytest.mark.parametrize(
    ("spans", "custom"),
    [
        ((), {}),
        ((span(0.05, 4.9),), {}),  # it speaks of the whole, and the window says it
        ((span(0.0, 1.0), span(1.0, 4.0)), {"segments": [[0, 1], [1, 5]]}),  # as the row wrote
    ],
)
def test_what_the_window_says_already_is_not_listed(
    spans: tuple[Span, ...], custom: dict[str, Any]
) -> None:
    about = span(0.0, 5.0, text="hi", custom=custom)
    assert whole_of(Recording(id="a", url="a.wav", window=about, spans=spans), 0.0) is about


def test_no_window_is_heard_as_silence_where_the_file_is_silent(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000, np.int16), 16_000)
    past = Recording(id="a", url=str(tmp_path / "a.wav"), **window(2.0, 1.0))
    assert rejects(cut("vad", past)) == [("a", OFFSET_PAST_END)]
