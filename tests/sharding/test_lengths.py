"""The lengths of a shard's samples: as the cuts and the arrays have them, and read strictly."""

import io
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SPEECH, read_jsonl, wavemill
from tests.sharding.damage import EFFECTS, assert_named, checked, read_content, write_content
from tests.sharding.drawn import clip_samples, make_dataset, stream
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lengths import lengths_dtype, make_lengths, pack_lengths, read_lengths
from wavemill.sharding.lookup import Found, read_codes

STREAMS = (stream("seconds", 50.0, 2, 1000), stream("syllables", None, 1, 300))
NAMES = [facts.name for facts in STREAMS]
SMALL = pack_lengths(make_lengths([1.5, 2.0], {"units": [75, 100]}))


@pytest.mark.parametrize("audio", ["flac", "opus", "none"])
def test_every_shard_has_the_lengths_of_its_cuts_and_arrays(audio: str, tmp_path: Path) -> None:
    samples = clip_samples(SPEECH / "audio", 24, STREAMS)
    out = make_dataset(samples, tmp_path, audio, 0.2, STREAMS)
    assert checked(out).problems == []
    shards = Dataset.open(str(out)).content["shards"]
    assert len(shards) >= 2
    for shard in shards:
        folder, number = out / shard["bucket"], shard["number"]
        data = (folder / layout.lengths_name(number)).read_bytes()
        found = read_lengths(data, NAMES, shard["samples"])
        for position, cut in enumerate(read_jsonl(folder / layout.cuts_name(number))):
            place = Found(folder=str(folder), shard=number, position=position, cut=cut)
            tokens = [len(read_codes(place, name)) for name in NAMES]
            assert found[position].tolist() == (cut["duration"], *tokens)


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        max_size=40,
    )
)
def test_what_was_packed_is_read_again_by_us_and_by_numpy(rows: list[Any]) -> None:
    seconds, ones, others = [[row[part] for row in rows] for part in range(3)]
    data = pack_lengths(make_lengths(seconds, {"seconds": ones, "units": others}))
    found = read_lengths(data, ["seconds", "units"], len(rows))
    assert found.tolist() == rows
    saved = io.BytesIO()
    np.save(saved, found, allow_pickle=False)
    assert saved.getvalue() == data
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    assert loaded.dtype.names == ("seconds", "tokens_seconds", "tokens_units")
    assert np.array_equal(loaded, found)


def test_rows_are_little_endian_and_as_wide_as_stated() -> None:
    assert SMALL[-12:] == np.float64(2).tobytes() + (100).to_bytes(4, "little")
    assert lengths_dtype(["a", "b"]).itemsize == 16


def _pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}, {}], object), allow_pickle=True)
    return buffer.getvalue()


def _saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _zipped() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, np.zeros(2))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SMALL[:40],
        SMALL[:-1],
        SMALL + b"\0",
        SMALL.replace(b"<f8", b">f8"),
        SMALL.replace(b"<u4", b"<i4"),
        SMALL.replace(b"(2,)", b"(3,)"),
        SMALL.replace(b"False", b"True "),
        SMALL.replace(b"tokens_units", b"tokens_other"),
        SMALL.replace(b"NUMPY\x01", b"NUMPY\x02"),
        pack_lengths(make_lengths([1.5, 2.0], {})),
        pack_lengths(make_lengths([1.5, 2.0], {"units": [75, 100], "more": [1, 1]})),
        pack_lengths(make_lengths([1.5], {"units": [75]})),
        _saved(np.zeros((2, 1), lengths_dtype(["units"]))),
        _saved(np.zeros(2)),
        _pickled(),
        _zipped(),
        pickle.dumps([1.5, 2.0]),
    ],
)
def test_what_is_not_the_lengths_of_the_shard_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"lengths (of|for) 2 samples"):
        read_lengths(data, ["units"], 2)


def test_what_was_read_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_lengths(SMALL, ["units"], 2)["seconds"][0] = 0


def test_more_tokens_than_a_row_holds_are_refused() -> None:
    with pytest.raises(OverflowError):
        make_lengths([1.0], {"units": [2**32]})


@pytest.fixture
def old(labelled: Path, tmp_path: Path) -> Path:
    """A dataset as it was written before there were lengths."""
    out = tmp_path / "old"
    shutil.copytree(labelled, out)
    content = read_content(out)
    for shard in content["shards"]:
        (named,) = [file for file in shard["files"] if "/lengths_" in file["path"]]
        shard["files"].remove(named)
        content["totals"]["bytes"] -= named["bytes"]
        (out / named["path"]).unlink()
    write_content(out, content)
    return out


def test_a_dataset_of_before_is_told_and_mended_by_the_same_prepare(old: Path) -> None:
    assert_named(checked(old), "lengths_000000.npy is not listed in dataset.json; give the same")
    assert wavemill("prepare", EFFECTS, "--out", old, "--buckets", 1).code == 0
    assert checked(old).problems == []


def test_a_dataset_of_before_is_merged_with_others(old: Path, labelled: Path) -> None:
    out = old.parent / "both"
    done = wavemill("merge", old, labelled, "--out", out, "--prefix", "old-,new-")
    assert done.code == 0, done.err
    assert checked(out).problems == []
    assert len(list(out.glob("bucket-*/lengths_*.npy"))) == len(list(out.glob("bucket-*/cuts.*")))
