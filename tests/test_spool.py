import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill import storage
from wavemill.errors import JobError
from wavemill.records import Recording, Span
from wavemill.spool import (
    BATCH_ROWS,
    MAX_UNIT,
    UnitReader,
    group_units,
    unit_url,
    write_unit,
)

MB = 1 << 20
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("note", pa.string()),
        pa.field("data", pa.binary()),
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text(max_size=4),
            "number": st.integers(-(2**63), 2**63 - 1),
            "note": st.none() | st.text(max_size=4),
            "data": st.binary(max_size=20),
        }
    ),
    max_size=5,
)


def recording(name: str, size: int, file: str | None = None) -> Recording:
    return Recording(id=name, url=file or f"/in/{name}.wav", version=f"{size}:1")


def sizes(choose: int, dice: random.Random) -> int:
    return dice.randint(choose // 2, choose) if dice.random() < 0.5 else choose


@pytest.mark.parametrize("file_bytes", [100_000, MB, 3 * MB, 6 * MB, 10 * MB, 40 * MB])
def test_a_recording_put_in_changes_few_units(file_bytes: int) -> None:
    before = [recording(f"r{number:04d}", file_bytes) for number in range(2000)]
    old = dict(group_units(before, 16 * MB))
    for at in (0, 1000, 1999):
        new = dict(group_units([*before[:at], recording("new", file_bytes), *before[at:]], 16 * MB))
        assert 1 <= len(new.keys() - old.keys()) <= 6
        assert sum(map(len, new.values())) == 2001


def test_a_changed_file_changes_its_unit_alone() -> None:
    before = [recording(f"r{number:04d}", 1000) for number in range(500)]
    after = [*before[:250], recording("r0250", 1001), *before[251:]]
    old, new = dict(group_units(before, MB)), dict(group_units(after, MB))
    (changed,) = new.keys() - old.keys()
    assert after[250] in new[changed]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3 * MB)), max_size=400),
    st.integers(0, 4 * MB),
)
@settings(max_examples=40, deadline=None)
def test_every_recording_is_in_one_unit_in_order(
    given_rows: list[tuple[str | None, int]], max_bytes: int
) -> None:
    rows = [recording(f"r{n}", size, file) for n, (file, size) in enumerate(given_rows)]
    units = list(group_units(rows, max_bytes))
    assert [row for _, unit in units for row in unit] == rows
    assert len({name for name, _ in units}) == len(units)
    assert all(unit for _, unit in units)
    for (_, unit), (_, following) in pairwise(units):
        assert unit[-1].url != following[0].url  # the rows of a file are decoded in one go


@given(st.integers(1, 1000), st.integers(1, 5 * MB))
@settings(max_examples=40, deadline=None)
def test_units_of_separate_files_are_bounded(count: int, max_bytes: int) -> None:
    dice = random.Random(count)
    rows = [recording(f"r{number}", sizes(MB, dice)) for number in range(count)]
    for _, unit in group_units(rows, max_bytes):
        assert len(unit) <= MAX_UNIT
        assert sum(int(row.version.split(":")[0]) for row in unit[:-1]) < max_bytes


def test_rows_of_one_file_stay_together_and_members_of_a_tar_need_not() -> None:
    rows = [
        Recording(
            id=f"r{number}", url="/in/long.wav", version="1000:1",
            window=Span(start_seconds=number), explicit_window=True,
        )
        for number in range(3 * MAX_UNIT)
    ]  # fmt: skip
    assert [len(unit) for _, unit in group_units(rows, 10)] == [len(rows)]
    members = [
        Recording(
            id=f"m{n}", url="/in/x.tar", byte_offset=n * 1024, num_bytes=500, member=f"{n}.wav"
        )
        for n in range(3 * MAX_UNIT)
    ]
    assert max(len(unit) for _, unit in group_units(members, 1 << 40)) <= MAX_UNIT


@settings(deadline=None)
@given(ROWS)
def test_rows_come_back_from_memory_as_they_were(rows: list[dict[str, Any]]) -> None:
    url = unit_url("memory://spool", "stage", "unit")
    with write_unit(url, SCHEMA) as writer:
        for row in rows:
            writer.add(row)
    reader = UnitReader(url)
    assert list(reader.rows()) == rows
    assert len(reader) == len(rows)
    assert reader.column("note") == [row["note"] for row in rows]
    assert reader.numbers("number").tolist() == [row["number"] for row in rows]


def test_every_row_is_found_across_batches(tmp_path: Path) -> None:
    url = unit_url(str(tmp_path), "stage", "unit")
    rows = [
        {"id": f"{n}", "number": n, "note": None, "data": bytes([n % 256]) * (n % 7)}
        for n in range(3 * BATCH_ROWS + 5)
    ]
    with write_unit(url, SCHEMA) as writer:
        for row in rows:
            writer.add(row)
        writer.flush()
        writer.flush()  # nothing waits: this writes no empty batch
    reader = UnitReader(url)
    for n, row in enumerate(rows):
        assert reader.row(n, ["id", "number"]) == {"id": f"{n}", "number": n}
        assert bytes(reader.buffer("data", n)) == row["data"]
    assert np.array_equal(reader.numbers("number"), np.arange(len(rows)))
    assert list(reader.rows()) == rows


def test_big_rows_do_not_wait_for_a_full_batch(tmp_path: Path) -> None:
    url = str(tmp_path / "u.arrow")
    with write_unit(url, SCHEMA) as writer:
        for n in range(3):
            writer.add({"id": "x", "number": n, "data": b""}, num_bytes=9 * MB)
    with pa.memory_map(url) as source:
        assert pa.ipc.open_file(source).num_record_batches == 2


def test_an_absent_field_is_null_and_an_empty_unit_has_no_rows(tmp_path: Path) -> None:
    url = str(tmp_path / "u.arrow")
    with write_unit(url, SCHEMA) as writer:
        writer.add({"id": "a", "number": 1})
    assert UnitReader(url).row(0, ["note", "data"]) == {"note": None, "data": None}
    with write_unit(url, SCHEMA):
        pass
    reader = UnitReader(url)
    assert len(reader) == 0
    assert len(reader.numbers("number")) == 0


@pytest.mark.parametrize("folder", ["local", "memory://killed"])
def test_a_killed_write_leaves_no_file(tmp_path: Path, folder: str) -> None:
    root = str(tmp_path) if folder == "local" else folder
    url = unit_url(root, "stage", "unit")

    def write() -> None:
        with write_unit(url, SCHEMA) as writer:
            for n in range(BATCH_ROWS + 1):  # a batch is on the disk already
                writer.add({"id": "a", "number": n})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not storage.exists(url)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("content", [b"", b"no arrow", b"ARROW1\0\0", bytes(5000)])
def test_a_file_that_is_no_arrow_is_a_job_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "u.arrow"
    path.write_bytes(content)
    with pytest.raises(JobError, match=r"u\.arrow of the spool.*remove it"):
        UnitReader(str(path))
    storage.write_bytes("memory://bad/u.arrow", content)
    with pytest.raises(JobError, match=r"u\.arrow of the spool"):
        UnitReader("memory://bad/u.arrow")


def test_a_cut_or_missing_file_is_a_job_error(tmp_path: Path) -> None:
    path = tmp_path / "u.arrow"
    with write_unit(str(path), SCHEMA) as writer:
        for n in range(10):
            writer.add({"id": "a", "number": n, "data": bytes(1000)})
    whole = path.read_bytes()
    for kept in (len(whole) - 1, len(whole) // 2, 20):
        path.write_bytes(whole[:kept])
        with pytest.raises(JobError):
            UnitReader(str(path))
    with pytest.raises(JobError, match="gone"):
        UnitReader(str(tmp_path / "gone"))
