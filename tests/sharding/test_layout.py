import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lhotse import MonoCut, MultiCut
from lhotse.array import TemporalArray, seconds_to_frames
from lhotse.serialization import deserialize_item

from wavemill.sharding import layout
from wavemill.tokenizers.base import TokenizerFacts

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
FACTS = TokenizerFacts(
    name="toy", kind="toy", sample_rate=16_000, frame_rate=25.0, num_codebooks=4,
    codebook_size=256, weights_digest="0",
)  # fmt: skip
VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
NAMES = st.sampled_from([*sorted(layout.CUT_FIELDS | layout.NEMO_FIELDS), "origin", "toy", "age"])


def row(**fields: Any) -> dict[str, Any]:
    return {
        "id": "talk@0003", "recording_id": "talk", "start_seconds": 12.5, "num_samples": 24_000,
        "sample_rate": 16_000, "num_channels": 1, "text": "hello", "language": "en",
        "speaker": "s1", "custom": {}, "extension": "flac", **fields,
    }  # fmt: skip


def read_back(value: dict[str, Any]) -> Any:
    line = layout.json_line(value)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return deserialize_item(json.loads(line))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 60_000_000),
    RATES,
    st.sampled_from([12.5, 25.0, 49.95, 50.0, 6.25, 75.0, 86.1328125, 100.0, 16_000 / 320]),
    st.integers(-3, 3),
)
def test_lhotse_loads_all_tokens_of_a_clip(
    num_samples: int, rate: int, frame_rate: float, off: int
) -> None:
    duration = num_samples / rate
    num_tokens = max(1, round(duration * frame_rate) + off)
    shift = layout.frame_shift(frame_rate, num_tokens, duration)
    assert seconds_to_frames(duration, shift, max_index=num_tokens) == num_tokens


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60_000_000), RATES, st.integers(1, 200_000))
def test_lhotse_loads_all_tokens_of_an_irregular_clock(
    num_samples: int, rate: int, num_tokens: int
) -> None:
    duration = num_samples / rate
    shift = layout.frame_shift(None, num_tokens, duration)
    assert seconds_to_frames(duration, shift) == num_tokens


def test_the_frame_shift_is_the_nominal_one_where_it_can_be() -> None:
    assert layout.frame_shift(50.0, 100, 2.0) == 0.02
    assert layout.frame_shift(50.0, 99, 2.0) == 0.02
    assert layout.frame_shift(50.0, 100, 1.991) == 0.02
    assert layout.frame_shift(50.0, 1, 0.001) == 0.001


@settings(deadline=None)
@given(st.integers(1, 10**8), RATES, st.integers(1, 8))
def test_a_cut_is_read_by_lhotse_as_its_whole_recording(
    num_samples: int, rate: int, num_channels: int
) -> None:
    about = row(num_samples=num_samples, sample_rate=rate, num_channels=num_channels)
    cut = read_back(layout.cut_json(about, ["toy"]))
    assert isinstance(cut, MonoCut if num_channels == 1 else MultiCut)
    assert cut.num_channels == num_channels
    assert (cut.id, cut.num_samples, cut.sampling_rate) == ("talk@0003", num_samples, rate)
    assert cut.recording.num_samples == num_samples
    assert cut.duration == cut.recording.duration == num_samples / rate
    (said,) = cut.supervisions
    assert (said.text, said.language, said.speaker) == ("hello", "en", "s1")
    assert (said.start, said.duration, said.recording_id) == (0.0, cut.duration, cut.id)
    assert cut.custom == {"origin": {"recording": "talk", "start": 12.5}}


def test_a_sample_of_which_nothing_is_known_has_no_supervision() -> None:
    cut = read_back(layout.cut_json(row(text=None, language=None, speaker=None), []))
    assert cut.supervisions == []
    only_text = read_back(layout.cut_json(row(text="", language=None, speaker=None), []))
    assert [said.text for said in only_text.supervisions] == [""]


def test_a_token_array_is_read_by_lhotse() -> None:
    array = read_back(layout.array_json(row(), FACTS, 37))
    assert isinstance(array, TemporalArray)
    assert array.shape == [37, 4]
    assert (array.temporal_dim, array.start, array.frame_shift) == (0, 0.0, 0.04)
    assert array.is_placeholder


def test_a_recording_is_read_by_lhotse() -> None:
    recording = read_back(layout.recording_json(row(num_channels=2)))
    assert (recording.num_samples, recording.num_channels) == (24_000, 2)
    assert recording.is_placeholder


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_custom_fields_never_cover_the_layouts_own(custom: dict[str, Any]) -> None:
    cut = layout.cut_json(row(custom=custom), ["toy"])
    plain = layout.cut_json(row(), ["toy"])
    assert {**cut, "custom": None} == {**plain, "custom": None}
    assert cut["custom"]["origin"] == plain["custom"]["origin"]
    assert "toy" not in cut["custom"]
    assert len(cut["custom"]) == len(custom) + 1
    assert read_back(cut).custom == cut["custom"]
    nemo = layout.nemo_json(row(custom=custom), 3)
    fixed = layout.nemo_json(row(), 3)
    assert {name: nemo[name] for name in fixed} == fixed
    assert len(nemo) == len(fixed) + len(custom)


@settings(deadline=None)
@given(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False))
def test_lines_hold_any_text_and_number(text: str, number: float) -> None:
    line = layout.json_line({"text": text, "number": number})
    assert json.loads(line) == {"text": text, "number": number}
    assert len(line.splitlines()) == 1


def test_a_nemo_row_names_the_member_and_the_shard() -> None:
    found = layout.nemo_json(row(custom={"age": 3, "lang": "xx"}), 7)
    assert found == {
        "audio_filepath": "talk@0003.flac", "duration": 1.5, "text": "hello", "shard_id": 7,
        "lang": "en", "speaker": "s1", "age": 3, "input_lang": "xx",
    }  # fmt: skip
    unknown = layout.nemo_json(row(text=None, language=None, speaker=None), 7)
    assert unknown["text"] == ""
    assert not {"lang", "speaker"} & unknown.keys()


@pytest.mark.parametrize("shard", [0, 42, 123_456])
def test_names_are_those_that_readers_match(shard: int) -> None:
    assert layout.tar_name("audio", shard) == f"audio_{shard:06d}.tar"
    assert layout.cuts_name(shard) == f"cuts.{shard:06d}.jsonl"
    assert layout.manifest_name(shard) == f"sharded_manifests/manifest_{shard:06d}.json"


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=3), VALUES), max_size=4))
def test_equal_objects_give_equal_lines(pairs: list[tuple[str, Any]]) -> None:
    assume(len({name for name, _ in pairs}) == len(pairs))
    assert layout.json_line(dict(pairs)) == layout.json_line(dict(reversed(pairs)))


@pytest.mark.parametrize("key", ["width", "array", "shape", "sources"])
def test_a_custom_object_that_lhotse_would_take_for_its_own_survives(key: str) -> None:
    custom = {"mine": {key: 1, "id": "x", "sampling_rate": 1}}
    cut = deserialize_item(layout.cut_json(row(custom=custom), []))
    assert cut.custom["mine"] == {"value": custom["mine"]}
