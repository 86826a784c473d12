"""Lines by template are those that the JSON encoder makes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wavemill.sharding import layout, lines
from wavemill.tokenizers.base import TokenizerFacts

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
NAMES = TEXT | st.sampled_from(sorted({*layout.CUT_FIELDS, *layout.NEMO_FIELDS, "origin", "codec"}))
ROWS = st.fixed_dictionaries(
    {
        "id": st.from_regex(r"[A-Za-z0-9_@-]{1,90}", fullmatch=True) | TEXT,
        "recording_id": TEXT,
        "start_seconds": st.floats(0, 1e9),
        "num_samples": st.integers(1, 10**9),
        "sample_rate": st.integers(1, 192_000),
        "num_channels": st.integers(1, 3),
        "text": st.none() | TEXT,
        "language": st.none() | TEXT,
        "speaker": st.none() | TEXT,
        "custom": st.dictionaries(NAMES, JSON | st.just({"shape": [1]}), max_size=3),
        "extension": st.sampled_from(["flac", "opus"]),
    }
)
FACTS = st.builds(
    TokenizerFacts,
    name=st.just("codec"),
    kind=st.just("codec"),
    sample_rate=st.just(16_000),
    frame_rate=st.none() | st.sampled_from([12.5, 50.0, 75.0]),
    num_codebooks=st.integers(1, 32),
    codebook_size=st.just(1024),
    weights_digest=st.just(""),
)


@given(row=ROWS, shard=st.integers(0, 10**7))
def test_lines_of_a_sample(row: dict[str, Any], shard: int) -> None:
    streams = ("codec", "codec_times")
    assert lines.recording_line(row) == layout.json_line(layout.recording_json(row))
    assert lines.cut_line(row, streams) == layout.json_line(layout.cut_json(row, streams))
    assert lines.nemo_line(row, shard) == layout.json_line(layout.nemo_json(row, shard))


@given(pairs=st.lists(st.tuples(ROWS, st.integers(0, 10**6)), max_size=3), facts=FACTS)
def test_lines_of_arrays(pairs: list[tuple[dict[str, Any], int]], facts: TokenizerFacts) -> None:
    arguments = [row for row, _ in pairs], facts, [length for _, length in pairs]
    about = [layout.array_json(row, facts, length) for row, length in pairs]
    times = [layout.times_json(row, facts, length) for row, length in pairs]
    assert lines.array_lines(*arguments) == list(map(layout.json_line, about))
    assert lines.times_lines(*arguments) == list(map(layout.json_line, times))
