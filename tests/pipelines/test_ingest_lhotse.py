import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.ingest_files import names, read, touch, write_lines
from wavemill.errors import UsageError
from wavemill.records import INVALID_ROW, MISSING_FILE, UNSUPPORTED, Span, path_id


def recording(name: str, path: str | None = None, **more: Any) -> dict[str, Any]:
    source = {"type": "file", "channels": [0], "source": path or f"{name}.wav"}
    return {"id": name, "sources": [source], "sampling_rate": 8000, "num_samples": 80000,
            "duration": 10.0, **more}  # fmt: skip


def supervision(name: str, of: str, start: float, duration: float, **more: Any) -> dict[str, Any]:
    return {"id": name, "recording_id": of, "start": start, "duration": duration, "channel": 0,
            **more}  # fmt: skip


def cut(name: str, of: str, *supervisions: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "start": 2.0, "duration": 3.0, "channel": 1, "type": "MonoCut",
            "supervisions": list(supervisions), "recording": recording(of), **more}  # fmt: skip


def test_recordings_are_joined_with_their_supervisions(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    recs = write_lines(tmp_path / "r_recordings.jsonl", [recording("a"), recording("b")])
    sups = write_lines(
        tmp_path / "r_supervisions.jsonl",
        [
            supervision("s2", "b", 5, 1, text="late", language="en", gender="F"),
            supervision("s1", "b", 1, 2, text="early", speaker="p", custom={"snr": 3}),
            supervision("s0", "a", 0.05, 9.9, text="whole", language="de", speaker="q"),
        ],
    )
    for order in ([recs, sups], [sups, recs]):
        recordings, rejects = read(*order)
        assert not rejects
        a, b = recordings
        assert (a.id, a.url, a.explicit_window) == ("a", str(tmp_path / "a.wav"), False)
        assert a.window == Span(
            start_seconds=0, duration_seconds=10, text="whole", language="de", speaker="q",
            custom={"supervision_id": "s0"},
        )  # fmt: skip
        assert b.window == Span(start_seconds=0, duration_seconds=10, text="early late")
        assert b.spans == (
            Span(start_seconds=1, duration_seconds=2, text="early", speaker="p",
                 custom={"snr": 3, "supervision_id": "s1"}),
            Span(start_seconds=5, duration_seconds=1, text="late", language="en",
                 custom={"gender": "F", "supervision_id": "s2"}),
        )  # fmt: skip


def test_a_recording_that_lacks_a_rejected_supervision_has_no_text_with_a_gap(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    recs = write_lines(tmp_path / "r_recordings.jsonl", [recording("a"), recording("b")])
    sups = write_lines(
        tmp_path / "r_supervisions.jsonl",
        [
            supervision("s0", "a", -0.5, 2, text="never begins"),
            supervision("s1", "a", 2, 2, text="one"),
            supervision("s2", "b", 2, 2, text="two"),
        ],
    )
    (a, b), (reject,) = read(recs, sups)
    assert (a.window.text, b.window.text) == (None, "two")
    assert [span.text for span in a.spans] == ["one"]
    assert reject.reason == INVALID_ROW


def test_a_supervision_of_no_recording_is_rejected(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    write_lines(tmp_path / "recordings.jsonl", [recording("a")])
    write_lines(
        tmp_path / "supervisions.jsonl",
        [supervision("s", "zz", 0, 1), supervision("t", "a", 0, 0), supervision("u", "a", -1, 3)],
    )
    recordings, rejects = read(tmp_path)
    assert len(recordings) == 1
    assert [(reject.id, reject.reason) for reject in rejects] == [
        ("t", INVALID_ROW),
        ("u", INVALID_ROW),
        ("s", INVALID_ROW),
    ]
    assert "'zz' is not among the inputs" in rejects[2].detail
    assert rejects[2].source == str(tmp_path / "supervisions.jsonl")


def test_supervisions_alone_are_wrong_usage(tmp_path: Path) -> None:
    sups = write_lines(tmp_path / "supervisions.jsonl", [supervision("s", "a", 0, 1)])
    with pytest.raises(UsageError, match="give the recordings manifest"):
        read(sups)


def test_a_cut_becomes_a_window_and_its_supervision_its_text(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    inner = supervision("s", "a", 0.5, 2.0, text="hi", language="en", speaker="p", custom={"x": 1})
    path = write_lines(tmp_path / "cuts.jsonl", [cut("c", "a", inner, custom={"y": 2})])
    recordings, rejects = read(path)
    assert not rejects
    found = recordings[0]
    assert (found.id, found.explicit_window) == ("c", True)
    assert found.window == Span(
        start_seconds=2.0, duration_seconds=3.0, channels=(1,), text="hi", language="en",
        speaker="p", custom={"x": 1, "y": 2, "supervision_id": "s"},
    )  # fmt: skip
    assert found.spans[0].start_seconds == 2.5
    assert found.spans[0].duration_seconds == 2.0


def test_several_supervisions_say_of_the_whole_what_they_say_together(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    inner = [
        supervision("s", "a", 2.0, 1.0, text="there", language="en", speaker="p"),
        supervision("t", "a", 0.0, 1.0, text="hello", language="en", speaker="q"),
        supervision("u", "a", 1.5, 0.1, language="en"),
    ]
    row = cut("c", "a", *inner, custom={"y": 2}, score=0.5)
    row["recording"] |= {"custom": {"room": "big"}, "corpus": "c"}
    (found,), _ = read(write_lines(tmp_path / "cuts.jsonl", [row]))
    assert (found.window.text, found.window.language) == ("hello there", "en")
    assert found.window.speaker is None
    assert found.window.custom == {"room": "big", "corpus": "c", "score": 0.5, "y": 2}
    assert [span.custom for span in found.spans] == [{"supervision_id": name} for name in "stu"]


def test_custom_fields_of_a_recording_travel(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    row = recording("a", custom={"room": "big"}, corpus="c", channel_ids=[0])
    (found,), _ = read(write_lines(tmp_path / "recordings.jsonl", [row]))
    assert found.window.custom == {"room": "big", "corpus": "c"}


def stereo(ids: list[int]) -> list[dict[str, Any]]:
    return [{"type": "file", "channels": ids, "source": "a.wav"}]


def test_channels_become_positions_in_the_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    recordings = [recording("a", sources=stereo([4, 2, 7]))]
    said = [supervision("s", "a", 0, 1, channel=2), supervision("t", "a", 1, 1, channel=[7, 4]),
            supervision("u", "a", 2, 1, channel=[2, 4, 7]), supervision("v", "a", 3, 1, channel=0),
            supervision("w", "a", 4, 1, channel="left")]  # fmt: skip
    (found,), rejects = read(
        write_lines(tmp_path / "recordings.jsonl", recordings),
        write_lines(tmp_path / "supervisions.jsonl", said),
    )
    assert [span.channels for span in found.spans] == [(1,), (0, 2), (), ()]
    assert [span.problem for span in found.spans] == [None] * 3 + [
        "supervision 'v': channel 0 is not among the recording's [4, 2, 7]"
    ]
    assert [(reject.id, reject.reason) for reject in rejects] == [("w", INVALID_ROW)]


def test_a_cut_of_some_channels_takes_its_supervisions_from_them(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    row = cut(
        "c", "a", supervision("s", "a", 0, 1, channel=2), supervision("t", "a", 0, 1, channel=0),
        supervision("u", "a", 1, 1, channel=[0, 1, 2]), type="MultiCut", channel=[2, 1],
    )  # fmt: skip
    row["recording"]["sources"] = stereo([0, 1, 2])
    (found,), _ = read(write_lines(tmp_path / "cuts.jsonl", [row]))
    assert found.window.channels == (1, 2)
    assert [span.channels for span in found.spans] == [(2,), (), ()]
    assert [span.problem for span in found.spans] == [
        None, "supervision 't', from 0 s on, in channels [0], lies outside its cut of 3 s", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (supervision("t", "a", 7, 2, text="far"), "supervision 't', from 7 s on"),
        (supervision("t", "a", 0, 0), "supervision 2 of 2: duration is '0', expected"),
        (supervision("t", "a", 0, 1, channel=-1), "supervision 2 of 2: channel is -1"),
        ({"id": "t", "text": "hm"}, "supervision 2 of 2: a supervision needs start and"),
        (7, "supervision 2 of 2: '7', expected an object"),
    ],
)
def test_a_supervision_that_makes_no_sense_says_so_and_its_cut_comes_in(
    tmp_path: Path, bad: Any, words: str
) -> None:
    touch(tmp_path, "a.wav")
    row = cut("c", "a", supervision("s", "a", 0, 1, text="hi"), bad)
    recordings, rejects = read(write_lines(tmp_path / "cuts.jsonl", [row]))
    assert not rejects
    good, span = recordings[0].spans
    assert good.problem is None
    assert (span.problem or "").startswith(words)
    assert recordings[0].window.text is None


def test_supervisions_are_clipped_to_their_cut(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    inner = [supervision("s", "a", -1.0, 2.0), supervision("t", "a", 2.0, 9.0)]
    recordings, _ = read(write_lines(tmp_path / "cuts.jsonl", [cut("c", "a", *inner)]))
    spans = recordings[0].spans
    assert [(s.start_seconds, s.duration_seconds) for s in spans] == [(2.0, 1.0), (4.0, 1.0)]
    assert recordings[0].window.text is None


def test_cuts_win_over_the_recordings_beside_them_and_nothing_vanishes(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav", "c.wav")
    write_lines(tmp_path / "cuts.jsonl", [cut("c1", "a"), cut("c2", "a", start=6.0)])
    write_lines(tmp_path / "recordings.jsonl", [recording("a"), recording("b")])
    write_lines(tmp_path / "supervisions.jsonl", [supervision("s", "a", 0, 10)])
    recordings, rejects = read(tmp_path)
    assert not rejects
    assert [found.id for found in recordings] == ["c1", "c2", "b", path_id("c.wav")]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("cuts", {"type": "MixedCut", "id": "m", "tracks": []}),
        ("cuts", {"type": "PaddingCut", "id": "m", "start": 0, "duration": 1, "supervisions": []}),
        ("cuts", {**cut("m", "a"), "recording": recording("a", sources=[{"type": "shar"}])}),
        ("recordings", recording("m", sources=[{"type": "command", "source": "sox"}])),
        ("recordings", recording("m", sources=[{"type": "memory", "source": "AAAA"}])),
        ("recordings", recording("m", sources=[{"type": "file", "source": "a.wav"}] * 2)),
        ("recordings", recording("m", "a.wav", transforms=[{"name": "Speed", "kwargs": {}}])),
    ],
)
def test_what_has_no_file_of_its_own_is_rejected_as_unsupported(
    tmp_path: Path, name: str, row: Any
) -> None:
    touch(tmp_path, "a.wav")
    recordings, rejects = read(write_lines(tmp_path / f"{name}.jsonl", [row]))
    assert not recordings
    assert [(reject.id, reject.reason) for reject in rejects] == [("m", UNSUPPORTED)]


@pytest.mark.parametrize(
    "row",
    [
        {**recording("m"), "id": None},
        recording("m", sources=[]),
        recording("m", sources=[{"type": "file"}]),
        recording("m", sources=[3]),
        recording("m", duration=-1),
    ],
)
def test_a_broken_recording_is_rejected_and_the_rest_goes_on(tmp_path: Path, row: Any) -> None:
    touch(tmp_path, "m.wav", "ok.wav")
    path = write_lines(tmp_path / "recordings.jsonl", [recording("ok"), row])
    recordings, rejects = read(path)
    assert [found.id for found in recordings] == ["ok"]
    assert len(rejects) == 1


def test_relative_paths_count_from_here_else_from_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "here/x.wav", "there/x.wav", "there/y.wav")
    rows = [recording("x"), recording("y"), recording("z")]
    path = write_lines(tmp_path / "there/recordings.jsonl", rows)
    monkeypatch.chdir(tmp_path / "here")
    recordings, rejects = read(path)
    assert [found.url for found in recordings] == [
        str(tmp_path / "here/x.wav"),
        str(tmp_path / "there/y.wav"),
    ]
    assert [reject.reason for reject in rejects] == [MISSING_FILE]


def test_the_kind_is_told_by_content_whatever_the_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    packed = gzip.compress(json.dumps(recording("a")).encode())
    (tmp_path / "data.jsonl.gz").write_bytes(packed)
    recordings, _ = read(tmp_path / "data.jsonl.gz")
    assert [found.id for found in recordings] == ["a"]


def test_what_lhotse_writes_is_read(tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse")
    touch(tmp_path, "a.wav", "b.wav")
    recordings = [
        lhotse.Recording(
            id=name, sampling_rate=8000, num_samples=80000, duration=10.0,
            sources=[lhotse.AudioSource("file", [0], str(tmp_path / f"{name}.wav"))],
        )
        for name in "ab"
    ]  # fmt: skip
    supervisions = [
        lhotse.SupervisionSegment(id="s", recording_id="a", start=1.0, duration=2.0, text="hi")
    ]
    cuts = lhotse.CutSet.from_manifests(
        lhotse.RecordingSet.from_recordings(recordings),
        lhotse.SupervisionSet.from_segments(supervisions),
    )
    cuts.trim_to_supervisions().to_file(tmp_path / "x_cuts.jsonl.gz")
    found, rejects = read(tmp_path / "x_cuts.jsonl.gz")
    assert not rejects
    assert names(found) == ["a.wav"]
    assert (found[0].window.start_seconds, found[0].window.text) == (1.0, "hi")
    assert found[0].spans[0].start_seconds == 1.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = ["id", "type", "start", "duration", "supervisions", "recording", "channel", "custom",
        "sources", "recording_id", "text", "transforms"]  # fmt: skip


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.sampled_from(["recordings", "cuts"]),
       st.lists(st.dictionaries(st.sampled_from(keys), json_values), max_size=5))  # fmt: skip
def test_every_line_comes_out_as_one_row_whatever_its_fields_hold(
    tmp_path: Path, name: str, changes: list[Any]
) -> None:
    touch(tmp_path, "a.wav")
    whole = cut("c", "a") if name == "cuts" else recording("a")
    first = [whole] if name == "cuts" else [{**whole, "id": "first"}]
    rows = first + [{**whole, **change} for change in changes]
    recordings, rejects = read(write_lines(tmp_path / f"{name}.jsonl", rows))
    assert len(recordings) + len(rejects) == len(rows)
