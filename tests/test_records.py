import json
import re
import string
from typing import Any

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wavemill.records import (
    MAX_KEY,
    RECORDING_SCHEMA,
    Recording,
    Span,
    path_id,
    recording_from_row,
    recording_row,
    safe_key,
    span_to_json,
    to_json,
)

KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
SAFE = string.ascii_letters + string.digits + "_-"
AWKWARD = st.text(st.sampled_from("ab.-_/ 0é\n"), max_size=100)
NAMES = st.one_of(st.text(max_size=120), AWKWARD, st.from_regex(r"[a-b.]{0,3}-sub[0-9]{1,3}"))

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SPANS = st.builds(
    Span,
    start_seconds=st.floats(0, 1e5),
    duration_seconds=st.none() | st.floats(0, 1e5),
    channels=st.lists(st.integers(0, 7), max_size=3).map(tuple),
    text=st.none() | st.text(),
    language=st.none() | st.text(),
    speaker=st.none() | st.text(),
    custom=st.dictionaries(st.text(), JSON, max_size=3),
    problem=st.none() | st.text(),
)
RECORDINGS = st.builds(
    Recording,
    id=st.text(),
    url=st.text(),
    version=st.text(),
    byte_offset=st.integers(0, 2**60),
    num_bytes=st.none() | st.integers(0, 2**60),
    member=st.none() | st.text(),
    window=SPANS,
    explicit_window=st.booleans(),
    spans=st.lists(SPANS, max_size=3).map(tuple),
)


@settings(deadline=None)
@given(NAMES)
@example("a b" * 50)
@example("a" * 81)
def test_a_key_is_what_every_reader_takes(name: str) -> None:
    key = safe_key(name)
    assert KEY.fullmatch(key)
    assert not re.search(r"-sub\d+$", key)


@settings(deadline=None)
@given(st.text(SAFE, min_size=1, max_size=MAX_KEY).filter(lambda name: name == name.strip("_")))
def test_a_safe_name_stays_unless_nemo_would_cut_it(name: str) -> None:
    assert (safe_key(name) == name) == (not re.search(r"-sub\d+$", name))


@settings(deadline=None)
@given(NAMES, NAMES)
def test_different_ids_give_different_keys(one: str, other: str) -> None:
    assert (safe_key(one) == safe_key(other)) == (one == other)


def test_names_that_clean_up_alike_stay_apart() -> None:
    names = ["a b", "a.b", "a/b", "a_b", "a b ", "_a_b", "a__b", "a:b", "", ".", "_", "a" * 81]
    assert len({safe_key(name) for name in [*names, "a" * 80, "a" * 82]}) == len(names) + 2


@settings(deadline=None)
@given(NAMES | st.text(SAFE + ". /é", max_size=120))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert safe_key(safe_key(name)) == safe_key(name)


def test_a_key_keeps_what_can_be_read_of_the_name() -> None:
    assert safe_key("take.2 final").startswith("take_2_final-")
    assert safe_key("talk-sub3").startswith("talk-sub3-")


@settings(deadline=None)
@given(NAMES, NAMES)
def test_the_id_of_a_path_is_a_key_of_its_own(one: str, other: str) -> None:
    assert KEY.fullmatch(path_id(one))
    assert (path_id(one) == path_id(other)) == (one == other)
    assert safe_key(path_id("a/" + one)) == path_id("a/" + one)


def test_the_id_of_a_path_starts_with_its_stem() -> None:
    assert path_id("a/b c.v1.wav").startswith("b_c_v1-")
    assert path_id("a/x.wav") != path_id("b/x.wav")


@settings(deadline=None)
@given(RECORDINGS)
def test_a_recording_comes_back_from_its_row(recording: Recording) -> None:
    assert recording_from_row(recording_row(recording)) == recording


@settings(deadline=None)
@given(RECORDINGS)
def test_a_recording_comes_back_from_arrow(recording: Recording) -> None:
    batch = pa.RecordBatch.from_pylist([recording_row(recording)], schema=RECORDING_SCHEMA)
    assert recording_from_row(batch.to_pylist()[0]) == recording


@settings(deadline=None)
@given(JSON)
def test_json_is_one_line_and_does_not_depend_on_the_order_of_names(value: Any) -> None:
    written = to_json({"a": value, "b": 1})
    assert written == to_json({"b": 1, "a": value})
    assert "\n" not in written
    assert json.loads(written) == {"a": value, "b": 1}


def test_empty_fields_are_left_out_and_empty_text_is_not() -> None:
    assert span_to_json(Span(start_seconds=1.0)) == {"start_seconds": 1.0}
    assert span_to_json(Span(start_seconds=0.0, text=""))["text"] == ""


def test_a_source_names_the_tar_and_the_member() -> None:
    assert Recording(id="a", url="x.tar", member="a.wav").source == "x.tar#a.wav"
    assert Recording(id="a", url="x.wav").source == "x.wav"
