"""What is written of shards one by one is what would be written of all of them at once."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.digest import digest
from wavemill.pipelines.shard_rows import ShardRows
from wavemill.sharding.buckets import Bucket
from wavemill.sharding.dataset import SEAL, content_sha256

FILES = st.lists(
    st.fixed_dictionaries(
        {"path": st.text(), "bytes": st.integers(0, 2**40), "sha256": st.text("0123abc")}
    ),
    max_size=3,
)
SHARDS = st.lists(
    st.fixed_dictionaries(
        {
            "bucket": st.sampled_from(["bucket-00", "bucket-01"]),
            "number": st.integers(0, 99),
            "samples": st.integers(0, 99),
            "seconds": st.floats(0, 1e6),
            "files": FILES,
        }
    ),
    max_size=5,
)
TEXT = st.text(st.characters(exclude_characters="\x85\u2028", exclude_categories=["Cs"]))
CONTENT = st.dictionaries(
    TEXT.filter(lambda name: name not in ("shards", SEAL)),
    st.none() | TEXT | st.integers() | st.lists(TEXT, max_size=3),
    min_size=1,
    max_size=6,
)


def rows_of(shards: list[dict[str, Any]]) -> ShardRows:
    rows = ShardRows()
    for shard in shards:
        rows.add(shard)
    return rows


@settings(deadline=None)
@given(CONTENT, SHARDS)
def test_a_dataset_is_written_by_shards_as_it_is_at_once(
    content: dict[str, Any], shards: list[dict[str, Any]]
) -> None:
    whole = {**content, "shards": shards}
    sealed = {**whole, SEAL: content_sha256(whole)}
    written = "\n".join(rows_of(shards).dataset_lines(content))
    assert json.loads(written) == sealed
    if shards and all(shard["files"] for shard in shards):
        assert written == json.dumps(sealed, ensure_ascii=False, indent=1)


@settings(deadline=None)
@given(SHARDS)
def test_digests_and_sums_are_those_of_all_shards(shards: list[dict[str, Any]]) -> None:
    rows = rows_of(shards)
    files = [file for shard in shards for file in shard["files"]]
    assert rows.digest({"b": 1}) == digest([{"b": 1}, [file["sha256"] for file in files]])
    assert rows.num_bytes == sum(file["bytes"] for file in files)
    assert [*rows] == shards
    for name in ("bucket-00", "bucket-01"):
        own = [shard for shard in shards if shard["bucket"] == name]
        found = rows.bucket(Bucket(name=name, max_seconds=1.0, max_tokens=2))
        assert found["samples"] == sum(shard["samples"] for shard in own)
        assert found["hours"] == round(sum(shard["seconds"] for shard in own) / 3600, 6)
        assert (found["shards"], found["max_tokens"]) == (len(own), 2)
