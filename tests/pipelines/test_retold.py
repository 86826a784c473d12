"""What a shard's JSON tells is what it was written from."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wavemill.pipelines.retold import custom_of, recordings_of, renamed
from wavemill.sharding import layout

STREAMS = ("beats", "sylber", "sylber_times")
NAMES = sorted({*layout.CUT_FIELDS, *layout.NEMO_FIELDS, *STREAMS, layout.ORIGIN, "label", "value"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([*layout.PARSED_BY_LHOTSE, "value", "x"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)
CUSTOM = st.dictionaries(
    st.sampled_from(NAMES) | st.sampled_from(NAMES).map("input_{}".format), VALUES, max_size=6
)


def row_with(custom: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "a", "recording_id": "a", "start_seconds": 0.5, "num_samples": 8000,
        "sample_rate": 16_000, "num_channels": 1, "text": "t", "language": None, "speaker": None,
        "custom": dict(sorted(custom.items())), "extension": "flac",
    }  # fmt: skip


@given(custom=CUSTOM)
def test_custom_fields_give_the_same_cut_and_row_again(custom: dict[str, Any]) -> None:
    row = row_with(custom)
    cut, line = layout.cut_json(row, STREAMS), layout.nemo_json(row, 3)
    plain = {name: value for name, value in cut["custom"].items() if name != layout.ORIGIN}
    again = row_with(custom_of(plain, line, STREAMS))
    assert layout.cut_json(again, STREAMS) == cut
    assert layout.nemo_json(again, 3) == line


@given(custom=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_they_are_those_of_the_input_but_for_names_that_both_layouts_have(
    custom: dict[str, Any],
) -> None:
    row = row_with(custom)
    plain = dict(layout.cut_json(row, STREAMS)["custom"])
    del plain[layout.ORIGIN]
    told = custom_of(plain, layout.nemo_json(row, 3), STREAMS)
    both = layout.CUT_FIELDS & layout.NEMO_FIELDS
    assert told == {f"input_{name}" if name in both else name: custom[name] for name in custom}


def test_a_recording_ends_where_its_last_sample_does() -> None:
    rows = [{**row_with({}), "start_seconds": start} for start in (0.0, 2.5, 1.0)]
    (recording,) = recordings_of([*rows])
    assert (recording.id, recording.url, recording.window.end_seconds) == ("a", "", 3.0)


def test_a_prefix_leaves_the_number_of_a_segment_and_gives_keys_that_readers_take() -> None:
    assert renamed("talk@0003", "") == "talk@0003"
    assert renamed("talk@0003", "new-") == "new-talk@0003"
    long = renamed("x" * 80 + "@0003", "new-")
    assert long.endswith("@0003")
    assert len(long) <= 85
    assert long != renamed("x" * 79 + "y@0003", "new-")
