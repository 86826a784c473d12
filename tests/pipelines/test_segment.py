import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.cut_files import (
    RATE,
    channels,
    cut,
    ramp,
    rejects,
    segments,
    stated,
    values,
    window,
)
from wavemill.audio import flac_to_float, open_recording
from wavemill.errors import RejectedError, UsageError
from wavemill.pipelines import segment
from wavemill.pipelines.segment import AudioForm, segment_row, segment_unit
from wavemill.pipelines.segmenters import parse_segmenter
from wavemill.pipelines.segmenters.base import OpenAudio
from wavemill.records import (
    INVALID_ROW,
    MISSING_FILE,
    NO_SEGMENTS,
    NO_SPEECH,
    OFFSET_PAST_END,
    SEGMENT_SCHEMA,
    SHORTER_THAN_STATED,
    TRUNCATED,
    UNSUPPORTED,
    Recording,
    Reject,
    Segment,
    Span,
)

HELLO = Path(__file__).parents[2] / "examples/speech/audio/hello-world.flac"


def test_none_keeps_a_recording_bit_for_bit() -> None:
    about = Span(start_seconds=0.0, text="hello", language="en", speaker="s", custom={"a": [1]})
    (found,) = segments(cut("none", Recording(id="a", url=str(HELLO), window=about)))
    samples, rate = soundfile.read(HELLO, dtype="float32", always_2d=True)
    assert np.array_equal(flac_to_float(found.audio)[0], samples)
    assert (found.id, found.recording_id, found.start_seconds) == ("a", "a", 0.0)
    assert (found.sample_rate, found.num_samples) == (rate, len(samples))
    assert (found.text, found.language, found.speaker) == ("hello", "en", "s")
    assert found.custom == {"a": [1]}
    assert found.duration_seconds == len(samples) / rate


def test_none_and_manifest_cut_the_window_that_a_row_gives(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    row = Recording(id="a", url=url, **window(0.2, 0.3, text="x"))
    for how in ("none", "manifest"):
        (found,) = segments(cut(how, row))
        assert values(found) == list(range(200, 500))
        assert (found.id, found.start_seconds, found.text) == ("a", 0.2, "x")
    rest = Recording(id="a", url=url, **window(0.7, None))
    assert values(cut("none", rest)[0]) == list(range(700, 1000))


def test_a_stated_duration_is_checked_and_cuts_only_for_manifest(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    shorter = Recording(id="a", url=url, **stated(0.5))
    assert values(cut("none", shorter)[0]) == list(range(1000))
    assert values(cut("manifest", shorter)[0]) == list(range(500))
    rounded = Recording(id="a", url=url, **stated(0.95))
    assert values(cut("manifest", rounded)[0]) == list(range(1000))


@pytest.mark.parametrize("how", ["none", "manifest", "fixed:0.3"])
def test_a_file_much_shorter_than_stated_is_rejected(tmp_path: Path, how: str) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    assert not rejects(cut(how, Recording(id="a", url=url, **stated(1.09))))
    (found,) = cut(how, Recording(id="a", url=url, **stated(1.2)))
    assert rejects([found]) == [("a", SHORTER_THAN_STATED)]
    assert isinstance(found, Reject)
    assert "states 1.2 s, the file holds 1.000 s" in found.detail
    assert found.source == url


def test_one_percent_of_a_long_file_may_be_missing(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 20_000)
    assert not rejects(cut("none", Recording(id="a", url=url, **stated(20.19))))
    assert rejects(cut("none", Recording(id="a", url=url, **stated(20.25))))


@pytest.mark.parametrize("how", ["none", "manifest", "fixed:0.3"])
def test_a_window_past_the_end_is_rejected_beyond_the_tolerance(tmp_path: Path, how: str) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    near = cut(how, Recording(id="a", url=url, **window(0.5, 0.55)))
    assert [value for piece in near for value in values(piece)] == list(range(500, 1000))
    for start, duration in ((0.5, 0.65), (1.0, None), (1.0, 0.05), (3.0, 1.0)):
        far = cut(how, Recording(id="a", url=url, **window(start, duration)))
        assert rejects(far) == [("a", OFFSET_PAST_END)]


def test_a_window_too_short_for_a_sample_is_rejected(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    found = cut("none", Recording(id="a", url=url, **window(0.5, 0.0001)))
    assert rejects(found) == [("a", INVALID_ROW)]


def test_fixed_cuts_equal_pieces_and_keeps_what_remains(tmp_path: Path) -> None:
    about = Span(
        start_seconds=0.0, text="all of it", language="en", speaker="s",
        custom={"age": 3, "alive": True, "none": None, "words": [["a", 0.1]], "at": {"x": 1}},
    )  # fmt: skip
    url = ramp(tmp_path / "a.wav", 1000)
    found = segments(cut("fixed:0.4", Recording(id="a", url=url, window=about)))
    assert [piece.id for piece in found] == ["a@0000", "a@0001", "a@0002"]
    assert [piece.start_seconds for piece in found] == pytest.approx([0.0, 0.4, 0.8])
    assert [piece.num_samples for piece in found] == [400, 400, 200]
    for piece in found:
        assert piece.text is None
        assert (piece.language, piece.speaker) == ("en", "s")
        assert piece.custom == {"age": 3, "alive": True}


def test_a_recording_in_one_piece_keeps_its_text(tmp_path: Path) -> None:
    about = Span(start_seconds=0.0, text="all of it", custom={"words": [["a", 0.1]]})
    url = ramp(tmp_path / "a.wav", 1000)
    (found,) = segments(cut("fixed:5", Recording(id="a", url=url, window=about)))
    assert (found.text, found.custom) == ("all of it", about.custom)
    assert found.id == "a@0000"


def test_fixed_leaves_no_empty_piece_at_the_end(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 900)
    assert len(cut("fixed:0.3", Recording(id="a", url=url))) == 3
    assert len(cut("fixed:0.3", Recording(id="a", url=url, **window(0.0, 0.9)))) == 3


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.floats(0.01, 0.5) | st.sampled_from([0.01, 0.03, 0.07, 0.1]),
    st.sampled_from([1000, 8000, 11_025, 22_050, 44_100]),
    st.integers(1, 20_000),
    st.none() | st.floats(0, 0.9),
)
def test_fixed_pieces_put_together_are_the_file(
    tmp_path: Path, seconds: float, rate: int, num_samples: int, offset: float | None
) -> None:
    url = ramp(tmp_path / "a.wav", num_samples, rate=rate)
    start = 0 if offset is None else round(offset * num_samples / rate * rate)
    row = (
        Recording(id="a", url=url)
        if offset is None
        else Recording(id="a", url=url, **window(offset * num_samples / rate, None))
    )
    found = cut(f"fixed:{seconds}", row)
    if start < num_samples:
        assert [v for piece in found for v in values(piece)] == list(range(start, num_samples))


def test_manifest_cuts_the_spans_of_a_row_in_the_order_of_their_starts(tmp_path: Path) -> None:
    spans = (
        Span(start_seconds=0.5, duration_seconds=0.2, text="b", language="de", custom={"k": [1]}),
        Span(start_seconds=0.1, duration_seconds=0.2, text="a", speaker="t"),
        Span(start_seconds=0.6, duration_seconds=0.4),
    )
    about = Span(start_seconds=0.0, text="a b", language="en", speaker="s", custom={"all": 1})
    row = Recording(id="r", url=ramp(tmp_path / "a.wav", 1000), window=about, spans=spans)
    found = segments(cut("manifest", row))
    assert [piece.id for piece in found] == ["r@0000", "r@0001", "r@0002"]
    assert [values(piece)[0] for piece in found] == [100, 500, 600]
    assert [piece.num_samples for piece in found] == [200, 200, 400]
    assert [piece.text for piece in found] == ["a", "b", None]
    assert [piece.language for piece in found] == ["en", "de", "en"]
    assert [piece.speaker for piece in found] == ["t", "s", "s"]
    assert [dict(piece.custom) for piece in found] == [{"all": 1}, {"all": 1, "k": [1]}, {"all": 1}]
    (whole,) = segments(cut("none", row))
    assert (whole.id, whole.text, whole.num_samples) == ("r", "a b", 1000)


def test_a_span_past_the_end_is_rejected_and_the_others_are_cut(tmp_path: Path) -> None:
    spans = tuple(
        Span(start_seconds=start, duration_seconds=duration, text=f"{start}")
        for start, duration in ((0.0, 0.5), (0.9, 0.15), (0.9, 0.3), (1.5, 0.1), (0.5, 0.00001))
    )
    row = Recording(id="r", url=ramp(tmp_path / "a.wav", 1000), spans=spans)
    found = cut("manifest", row)
    assert sorted(rejects(found)) == [
        ("r@0001", INVALID_ROW), ("r@0003", OFFSET_PAST_END), ("r@0004", OFFSET_PAST_END),
    ]  # fmt: skip
    kept = {result.id: len(values(result)) for result in found if isinstance(result, Segment)}
    assert kept == {"r@0000": 500, "r@0002": 100}


def test_a_channel_is_cut_out_alone(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 100, 3)
    (found,) = segments(cut("none", Recording(id="a", url=url, window=channels(2))))
    assert found.num_channels == 1
    assert values(found) == list(range(20_000, 20_100))
    (every,) = segments(cut("none", Recording(id="a", url=url)))
    assert every.num_channels == 3
    assert values(every, channel=1) == list(range(10_000, 10_100))


def test_a_bad_row_does_not_touch_the_others_of_its_file(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000, 2)
    rows = [
        Recording(id="good", url=url, **window(0.1, 0.2)),
        Recording(id="far", url=url, **window(5.0, 1.0)),
        Recording(id="channel", url=url, window=channels(2)),
        Recording(id="empty", url=url, **window(0.5, 0.0001)),
        Recording(id="long", url=url, **stated(9.0)),
        Recording(id="last", url=url, **window(0.8, 0.2)),
    ]
    found = cut("none", *rows)
    assert rejects(found) == [
        ("far", OFFSET_PAST_END), ("channel", UNSUPPORTED), ("empty", INVALID_ROW),
        ("long", SHORTER_THAN_STATED),
    ]  # fmt: skip
    assert [result.id for result in found if isinstance(result, Segment)] == ["good", "last"]
    assert values(found[0]) == list(range(100, 300))
    assert values(found[-1]) == list(range(800, 1000))


class Picky:
    """Finds nothing in recordings called quiet."""

    stated = False
    numbered = True

    def spans(self, recording: Recording, open_audio: OpenAudio) -> Iterable[Span]:
        with open_audio() as stream:
            assert stream.info.sample_rate == RATE
        if recording.id == "quiet":
            raise RejectedError(NO_SPEECH, "silence")
        return [] if recording.id == "none" else [Span(start_seconds=0.2, duration_seconds=0.1)]


def test_a_segmenter_refuses_one_recording_and_not_its_neighbours(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    rows = [Recording(id=name, url=url) for name in ("quiet", "a", "none", "b")]
    found = list(segment_unit(rows, Picky(), AudioForm()))
    assert rejects(found) == [("quiet", NO_SPEECH), ("none", NO_SEGMENTS)]
    assert [r.id for r in found if isinstance(r, Segment)] == ["a@0000", "b@0000"]


def test_of_a_broken_file_every_row_is_rejected_and_other_files_go_on(tmp_path: Path) -> None:
    good = ramp(tmp_path / "good.wav", 1000)
    cut_short = tmp_path / "cut.wav"
    cut_short.write_bytes((tmp_path / "good.wav").read_bytes()[:1500])
    rows = [
        Recording(id="a", url=good),
        Recording(id="b", url=str(cut_short), **window(0.0, 0.1)),
        Recording(id="c", url=str(cut_short)),
        Recording(id="d", url=str(tmp_path / "gone.wav")),
        Recording(id="e", url=good),
    ]
    found = cut("fixed:10", *rows)
    assert rejects(found) == [("b", TRUNCATED), ("c", TRUNCATED), ("d", MISSING_FILE)]
    assert [r.id for r in found if isinstance(r, Segment)] == ["a@0000", "e@0000"]


def test_members_of_a_tar_are_cut_each_from_its_own_bytes(tmp_path: Path) -> None:
    ramp(tmp_path / "a.wav", 100)
    ramp(tmp_path / "b.wav", 50)
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in ("a.wav", "b.wav"):
            tar.add(tmp_path / name, name)
    with tarfile.open(tmp_path / "x.tar") as tar:
        rows = [
            Recording(id=member.name[0], url=str(tmp_path / "x.tar"), member=member.name,
                      byte_offset=member.offset_data, num_bytes=member.size)
            for member in tar
        ]  # fmt: skip
    assert [piece.num_samples for piece in segments(cut("none", *rows))] == [100, 50]


def test_a_file_of_many_rows_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = ramp(tmp_path / "a.wav", 1000)
    opened = []

    def counted(recording: Recording) -> Any:
        opened.append(recording.url)
        return open_recording(recording)

    monkeypatch.setattr(segment, "open_recording", counted)
    rows = [Recording(id=f"{n}", url=url, **window(n / 10, 0.1)) for n in (5, 3, 9, 0)]
    found = segments(cut("manifest", *rows))
    assert [(piece.id, values(piece)[0]) for piece in found] == [
        ("5", 500), ("3", 300), ("9", 900), ("0", 0),
    ]  # fmt: skip
    assert opened == [url]


def test_the_form_changes_rate_and_channels(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 1000, 2, rate=16_000)
    row = Recording(id="a", url=url, **window(0.01, 0.05))
    (found,) = segments(cut("none", row, form=AudioForm(sample_rate=8000, mono=True)))
    assert (found.sample_rate, found.num_channels, found.num_samples) == (8000, 1, 400)
    assert found.duration_seconds == 0.05
    (mono,) = segments(cut("none", row, form=AudioForm(mono=True)))
    assert values(mono)[:3] == [5160, 5161, 5162]


def test_deep_sources_stay_deep(tmp_path: Path) -> None:
    samples = np.array([[2**23 - 1], [-(2**23)], [12_345]], np.int32) << 8
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="PCM_24")
    (found,) = segments(cut("none", Recording(id="a", url=str(tmp_path / "a.wav"))))
    again = (flac_to_float(found.audio)[0] * 2.0**31).astype(np.int32)
    assert np.array_equal(again, samples)


def test_the_same_recordings_give_the_same_bytes(tmp_path: Path) -> None:
    row = Recording(id="a", url=ramp(tmp_path / "a.wav", 1000))
    assert cut("fixed:0.3", row) == cut("fixed:0.3", row)


def results(tmp_path: Path) -> Iterator[Segment | Reject]:
    url = ramp(tmp_path / "a.wav", 1000)
    about = Span(start_seconds=0.0, text="x", custom={"b": [1, None], "a": "\u00e9"})
    yield from cut("none", Recording(id="a", url=url, window=about), Recording(id="b", url=url))
    yield Reject(id="c@0001", stage="segment", reason=NO_SPEECH, detail="d", source="s")


def test_rows_fit_the_schema_and_equal_audio_has_equal_digests(tmp_path: Path) -> None:
    rows: list[Mapping[str, Any]] = [segment_row(result) for result in results(tmp_path)]
    table = pa.RecordBatch.from_pylist(rows, schema=SEGMENT_SCHEMA).to_pylist()
    assert [row["id"] for row in table] == ["a", "b", "c@0001"]
    assert table[0]["custom"] == '{"a":"\u00e9","b":[1,null]}'
    assert table[0]["num_audio_bytes"] == len(table[0]["audio"])
    assert table[0]["audio_digest"] == table[1]["audio_digest"]
    assert table[2]["recording_id"] == "c"
    assert (table[2]["reject_reason"], table[2]["audio"]) == (NO_SPEECH, None)
    assert table[0]["reject_reason"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fixed", "needs seconds"),
        ("fixed:0.001", "at least 0.01 s"),
        ("fixed:nan", "at least 0.01 s"),
        ("fixed:inf", "at least 0.01 s"),
        ("fixed:-1", "at least 0.01 s"),
        ("vda", "did you mean 'vad'"),
        ("none:x=1", "no setting 'x'"),
        ("vad:threshold=1.5", "between 0 and 1"),
        ("vad:padding=-1", "cannot be negative"),
        ("vad:padding=nan", "cannot be negative"),
        ("vad:merge_gap=inf", "cannot be negative"),
        ("vad:max_seconds=nan", "cannot be negative"),
        ("vad:threshold=nan", "between 0 and 1"),
        ("vad:max_seconds=0.1", "under min_seconds"),
    ],
)
def test_settings_of_segmenters_are_checked(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_segmenter(text)


def test_fixed_has_a_short_form() -> None:
    assert parse_segmenter("fixed:2.5") == parse_segmenter("fixed:seconds=2.5")


def test_a_remainder_of_less_than_a_sample_is_no_reject(tmp_path: Path) -> None:
    url = ramp(tmp_path / "a.wav", 4000)
    window = Span(start_seconds=0.0, duration_seconds=2.0001)
    row = Recording(id="r", url=url, window=window, explicit_window=True)
    assert all(isinstance(piece, Segment) for piece in cut("fixed:1", row))
