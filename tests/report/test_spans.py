"""Words and the like are read from what manifests hold, and lie on the sample's clock."""

from typing import Any

import pytest

from wavemill.report.spans import Mark, marks_of


def cut(start: float = 0.0, duration: float = 2.0, **custom: Any) -> dict[str, Any]:
    origin = {"recording": "r", "start": start}
    return {"duration": duration, "custom": {**custom, "origin": origin}}


HELLO = Mark(start=0.5, end=1.0, label="hello")


@pytest.mark.parametrize(
    "custom",
    [
        {"words": [["hello", 0.5, 1.0]]},
        {"words": [[0.5, 1.0, "hello"]]},
        {"word": [{"start": 0.5, "end": 1, "text": "hello"}]},
        {"words": [{"start": 0.5, "duration": 0.5, "label": "hello"}]},
        {"alignment": {"word": [["hello", 0.5, 0.5, 0.93]]}},
    ],
)
def test_every_way_to_write_words_is_read(custom: dict[str, Any]) -> None:
    assert marks_of(cut(**custom), whole_recording=False) == {"words": [HELLO]}


@pytest.mark.parametrize(
    "words",
    [
        "hello", 7, None, [], ["hello"], [["hello", 0.5]], [["hello", 1.0, 0.5]],
        [["hello", 0.5, float("nan")]], [{"start": "0.5", "end": 1}], [["hello", None, 1.0]],
        [HELLO.label, ["hello", 0.5, 1.0]], [[[0.5, 1.0], 1.0, 2.0]],
    ],
)  # fmt: skip
def test_what_is_none_is_not_drawn(words: Any) -> None:
    assert marks_of(cut(words=words, alignment=words), whole_recording=False) == {}


def test_levels_come_from_the_coarse_to_the_fine() -> None:
    spans = [[0.0, 1.0]]
    found = marks_of(cut(phonemes=spans, syllables=spans, segments=spans), whole_recording=False)
    assert list(found) == ["segments", "syllables", "phonemes"]


def test_times_of_a_recording_are_moved_to_the_sample() -> None:
    words = [["before", 0.0, 1.0], ["hello", 10.5, 11.0], ["late", 11.5, 14.0]]
    late = Mark(start=1.5, end=2.0, label="late")
    of_recording = cut(start=10.0, words=words)
    assert marks_of(of_recording, whole_recording=False) == {"words": [HELLO, late]}
    assert marks_of(cut(start=10.0, words=words[:1]), whole_recording=True) == {}
    assert marks_of(cut(start=10.0, words=[["hello", 0.5, 1.0]]), whole_recording=False) == {
        "words": [HELLO]
    }
