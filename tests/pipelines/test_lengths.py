"""Tables of lengths: the fast way and the slow way agree, whatever a table holds."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.errors import JobError
from wavemill.pipelines.lengths import Lengths, jsonl, read_lengths
from wavemill.pipelines.lengths.ids import IdSpool, digest_ids, to_json_text
from wavemill.pipelines.lengths.write import write_batches
from wavemill.sharding.batches import BatchConfig, plan_epoch
from wavemill.sharding.budget import Budget

ROWS = [
    {"id": "a", "duration": 1, "tokens": 3},
    {"id": 'quoted "b"', "duration": 2.5, "tokens": None},
    {"id": "ü\t", "duration": 12.345, "other": [{}]},
]


def read(path: Path, stream: str | None = None) -> Lengths:
    return read_lengths(str(path), stream=stream, keep_ids=True, show=lambda _: None)


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def ids(table: Lengths) -> list[Any]:
    assert table.ids is not None
    return [json.loads(text) for text in table.ids.mapped().to_pylist()]


def write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst", "t.parquet", "t.arrow"])
def test_a_table_is_read_from_every_kind_of_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    table = pa.table({key: [row.get(key) for row in ROWS] for key in ("tokens", "duration", "id")})
    if name.endswith("parquet"):
        pq.write_table(table, path)
    elif name.endswith("arrow"):
        write_arrow(table, path)
    else:
        data = as_jsonl(ROWS)
        packed = pa.compress(data, "zstd", asbytes=True) if name.endswith("zst") else data
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else packed)
    found = read(path)
    assert found.seconds.tolist() == [1.0, 2.5, 12.345]
    assert found.tokens.tolist() == [3, 0, 0]
    assert ids(found) == [row["id"] for row in ROWS]


@pytest.mark.parametrize(
    "lines",
    [
        b'{"id": 1, "duration": 2}\n{"id": 2, "duration": 1.5, "tokens": 7}\n',
        b'\xef\xbb\xbf\n\n{"id": 1, "duration": 2}\r\n \n{"id": "2","duration": 1.5,"tokens": 7}',
        b'{"id": "1", "duration": 2}\n{"id": 2, "duration": 1.5, "tokens": 7, "tokens": 7}\n',
        b'{"id": "1", "duration": 2, "tokens": 0.0}\n{"id": "2", "duration": 1.5, "tokens": 7.0}\n',
    ],
)
def test_unusual_lines_are_read_as_well(lines: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lengths.jsonl"
    path.write_bytes(lines)
    found = read(path)
    assert (found.seconds.tolist(), found.tokens.tolist()) == ([2.0, 1.5], [0, 7])
    assert ids(found) == ["1", "2"]


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet"])
def test_of_several_token_streams_the_longest_or_a_named_one_counts(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    rows = [{"id": str(n), "duration": 1.0, "tokens": {"text": n, "beats": 3}} for n in range(1, 6)]
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(as_jsonl(rows))
    assert read(path).tokens.tolist() == [3, 3, 3, 4, 5]
    assert read(path, "text").tokens.tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(JobError, match=r"1: tokens has no stream 'mvq' .*beats, text"):
        read(path, "mvq")


def test_tokens_of_a_column_that_had_empty_cells_are_whole_numbers_still(tmp_path: Path) -> None:
    path = tmp_path / "lengths.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "duration": [1, 2], "tokens": [None, 7.0]}), path)
    assert read(path).tokens.tolist() == [0, 7]


@pytest.mark.parametrize("block_bytes", [1, 40, 1 << 20])
def test_a_bad_row_or_an_id_that_comes_twice_is_named_in_any_block(
    block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", block_bytes)
    path = tmp_path / "lengths.jsonl"
    good = [{"id": f"u{n}", "duration": 1.0, "tokens": n} for n in range(9)]
    path.write_bytes(as_jsonl(good) + b"\n" + as_jsonl([{"id": "x", "duration": -1}]))
    with pytest.raises(JobError, match="line 11: duration is -1"):
        read(path)
    path.write_bytes(as_jsonl(good) + b"\n" + as_jsonl(good[3:4]))
    with pytest.raises(JobError, match="line 11: the id of line 4; ids must differ"):
        read(path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": ["a", "b", "a"], "duration": [1, 2, 3]}, "row 3: the id of row 1"),
        ({"id": ["a", None], "duration": [1.0, 2.0]}, "row 2: id is None"),
        ({"id": ["a", "b"], "duration": [1.0, float("nan")]}, "row 2: duration is nan"),
        ({"id": ["a", "b"]}, "row 1: duration is None"),
        ({"id": ["a"], "duration": [1.0], "tokens": [1.5]}, "row 1: tokens is 1.5"),
        ({"id": [], "duration": []}, "holds no rows"),
    ],
)
def test_a_wrong_row_of_a_parquet_file_is_named(
    columns: dict[str, list[Any]], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "lengths.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(JobError, match=words):
        read(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lengths.parquet"
    path.write_bytes(as_jsonl(ROWS))
    with pytest.raises(JobError, match="cannot read"):
        read(path)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), unique=True))
def test_ids_come_back_from_the_spool_and_digest_alike_wherever_they_lie(names: list[str]) -> None:
    array = pa.array(["x", *names], pa.large_string())[1:]
    assert to_json_text(array).to_pylist() == [json.dumps(n, ensure_ascii=False) for n in names]
    spool = IdSpool()
    for part in (array[:3], array[3:]):
        spool.add(part)
    assert [json.loads(text) for text in spool.mapped().to_pylist()] == names
    digests = digest_ids(array)
    assert len(set(digests.tolist())) == len(names)
    alone = [digest_ids(pa.array([name], pa.large_string()))[0] for name in names]
    assert digests.tolist() == alone


def test_a_plan_is_written_as_lists_of_ids(tmp_path: Path) -> None:
    path = tmp_path / "lengths.jsonl"
    path.write_bytes(as_jsonl(ROWS))
    table = read(path)
    plan = plan_epoch(table.seconds, table.tokens, BatchConfig(budget=Budget(seconds=6)))
    assert table.ids is not None
    write_batches(str(tmp_path / "out.jsonl"), plan, table.ids, lambda _: None)
    lines = io.StringIO((tmp_path / "out.jsonl").read_text("utf-8"))
    names = [row["id"] for row in ROWS]
    assert [json.loads(line) for line in lines] == [
        [names[index] for index in plan.batch(number)] for number in range(len(plan))
    ]


def test_the_order_of_rows_does_not_change_the_batches(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    rows = [{"id": f"u{n}", "duration": float(d), "tokens": int(d)}
            for n, d in enumerate(dice.integers(1, 20, 500))]  # fmt: skip
    made = []
    for order in (range(500), dice.permutation(500)):
        path = tmp_path / "lengths.jsonl"
        path.write_bytes(as_jsonl([rows[index] for index in order]))
        table = read(path)
        config = BatchConfig(budget=Budget(seconds=60))
        plan = plan_epoch(table.seconds, table.tokens, config, table.keys)
        names = ids(table)
        made.append([[names[i] for i in plan.batch(number)] for number in range(len(plan))])
    assert made[0] == made[1]
