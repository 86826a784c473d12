"""What a loader does when files are damaged."""

import errno
import gc
import io
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.loader.test_loader import flat
from wavemill.errors import DatasetError, JobError
from wavemill.loader import ShardLoader
from wavemill.loader.making import without_gaps

Damage = Callable[[Path], None]
TAR, CUTS, LENGTHS = "codec_000000.tar", "cuts.000000.jsonl", "lengths_000000.npy"


def shard(out: Path, name: str) -> Path:
    return out / "bucket-00" / name


def overwrite(name: str, offset: int, data: bytes) -> Damage:
    def damage(out: Path) -> None:
        with shard(out, name).open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return damage


def truncate(name: str) -> Damage:
    def damage(out: Path) -> None:
        path = shard(out, name)
        os.truncate(path, path.stat().st_size // 2)

    return damage


def remove(name: str) -> Damage:
    return lambda out: shard(out, name).unlink()


ONE_SAMPLE = {
    "a header": overwrite(TAR, 0, b"\xff" * 512),
    "a name": overwrite(TAR, 0, b"x" * 100),
    "a size": overwrite(TAR, 124, b"00000077777"),
    "the head of an array": overwrite(TAR, 512, b"\x00" * 8),
    "a pickled array": overwrite(TAR, 530, b"'|O', "),
    "ids over the codebook": overwrite(TAR, 512 + 128, b"\xff\xff"),
    "ids below 0": overwrite(TAR, 512 + 10, b"{'descr': '<i2'"),
}
WHOLE_SHARD = {
    "a tar that ends early": truncate(TAR),
    "a tar that vanished": remove(TAR),
    "an index that vanished": remove(f"{TAR}.idx"),
    "an index of zeros": overwrite(f"{TAR}.idx", 0, b"\x00" * 64),
    "lengths that vanished": remove(LENGTHS),
    "damaged lengths": overwrite(LENGTHS, 0, b"\x00" * 16),
    "lengths that end early": truncate(LENGTHS),
    "a duration that is no number": overwrite(LENGTHS, 128, b"\xff" * 8),
    "more tokens than there can be": overwrite(LENGTHS, 128 + 8, b"\xff" * 4),
}


@pytest.mark.parametrize("what", [*ONE_SAMPLE, *WHOLE_SHARD])
@pytest.mark.parametrize("options", [{}, {"threads": 2}, {"workers": 1}])
def test_what_is_damaged_is_named(damaged: Path, what: str, options: dict[str, int]) -> None:
    {**ONE_SAMPLE, **WHOLE_SHARD}[what](damaged)
    with pytest.raises(DatasetError, match=r"bucket-00") as caught:
        list(ShardLoader(damaged, batch_seconds=60, **options))  # type: ignore[arg-type]
    words = str(caught.value)
    assert "\n" not in words
    assert "wavemill" in words
    assert "000000" in words or "shard 0" in words
    if what in ("the head of an array", "a pickled array", "ids over the codebook"):
        assert "'sample0" in words


@pytest.mark.parametrize("what", ONE_SAMPLE)
def test_a_damaged_sample_is_skipped_and_counted_when_asked(
    damaged: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    ONE_SAMPLE[what](damaged)
    loader = ShardLoader(damaged, batch_seconds=60, skip_damaged=True)
    with caplog.at_level(logging.WARNING):
        seen = flat(loader)
    if what == "a name":  # which nothing contradicts where there is but one stream
        return
    assert len(seen) == len(set(seen)) == 399
    assert loader.statistics.skipped == 1
    assert "1 skipped" in str(loader.statistics)
    assert any("codec_000000" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("what", WHOLE_SHARD)
def test_a_damaged_shard_is_skipped_when_asked_and_ranks_keep_in_step(
    damaged: Path, what: str
) -> None:
    size = len(shard(damaged, f"{TAR}.idx").read_bytes()) // 8 - 1
    WHOLE_SHARD[what](damaged)
    ranks = [
        ShardLoader(damaged, batch_seconds=60, rank=rank, world_size=2, skip_damaged=True)
        for rank in range(2)
    ]
    batches = [list(loader) for loader in ranks]
    assert len(batches[0]) == len(batches[1])
    seen = {key for own in batches for key in flat(own)}
    assert len(seen) == 400 - size


def test_a_batch_of_which_nothing_is_left_gives_way_to_another(damaged: Path) -> None:
    truncate(TAR)(damaged)
    for seed in range(3):
        loader = ShardLoader(damaged, batch_size=1, skip_damaged=True, seed=seed)
        got = flat(loader)
        assert len(got) == 400
        assert len(set(got)) == 400 - loader.statistics.skipped < 400


def test_what_comes_again_is_a_copy_with_a_state_and_bucket_of_its_own(damaged: Path) -> None:
    truncate(TAR)(damaged)
    loader = ShardLoader(damaged, batch_size=1, skip_damaged=True)
    expected = [made.bucket for made in loader.work()]
    batches, states = [], []
    for batch in loader:
        batches.append(batch)
        states.append(loader.state_dict())
    assert [batch.state for batch in batches] == states
    assert [batch.bucket for batch in batches] == expected
    places = {batch.tokens["codec"].data_ptr() for batch in batches}
    assert len(places) == len(states) == 400


def test_a_process_of_which_nothing_can_be_read_takes_what_others_have(damaged: Path) -> None:
    truncate(TAR)(damaged)
    for worker in range(400):
        loader = ShardLoader(damaged, batch_size=1, skip_damaged=True)
        if next(loader.work(worker, 400)).missing:
            break
    (filled,) = without_gaps(loader.work(worker, 400), loader._all)
    assert len(filled.value) == 1


def test_where_nothing_at_all_can_be_read_it_says_so(damaged: Path) -> None:
    for path in damaged.glob("bucket-*/codec_*.tar"):
        path.unlink()
    with pytest.raises(DatasetError, match="no sample can be read"):
        list(ShardLoader(damaged, batch_seconds=60, skip_damaged=True))


def test_damaged_cuts_are_named(damaged: Path) -> None:
    overwrite(CUTS, 0, b"}}}}")(damaged)
    with pytest.raises(DatasetError, match=r"cuts\.000000\.jsonl: line 1, of 'sample"):
        list(ShardLoader(damaged, batch_seconds=60, cuts=True))
    path = shard(damaged, CUTS)
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:3]))
    with pytest.raises(DatasetError, match=r"cuts\.000000\.jsonl has"):
        list(ShardLoader(damaged, batch_seconds=60, cuts=True))


def test_keys_that_differ_between_tars_are_told(clips: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(clips, copy)
    path = shard(copy, "syllables_000000.tar")
    data = path.read_bytes()
    index = int.from_bytes(path.with_name(f"{path.name}.idx").read_bytes()[8:16], "little")
    path.write_bytes(data[:index].replace(b"sample0", b"sample9") + data[index:])
    with pytest.raises(DatasetError, match="unlike in other tars"):
        list(ShardLoader(copy, batch_seconds=60))


def test_damaged_audio_is_named(clips: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(clips, copy)
    overwrite("audio_000000.tar", 512, b"\x00" * 64)(copy)
    for options in ({}, {"threads": 0}):
        with pytest.raises(DatasetError, match=r"'sample.*cannot be decoded"):
            list(ShardLoader(copy, audio=True, batch_seconds=60, **options))  # type: ignore[arg-type]
    loader = ShardLoader(copy, audio=True, batch_seconds=60, skip_damaged=True)
    assert len(flat(loader)) == 39


def test_a_sample_longer_than_its_shard_says_is_told(damaged: Path) -> None:
    path = shard(damaged, LENGTHS)
    data = path.read_bytes()
    rows = np.load(io.BytesIO(data))
    rows["tokens_codec"] = 1
    path.write_bytes(data[: -rows.nbytes] + rows.tobytes())
    with pytest.raises(DatasetError, match=r"tokens of codec, and its shard's lengths file says"):
        list(ShardLoader(damaged, batch_tokens=4000))


def test_a_collate_may_give_none(tokens: Path) -> None:
    given = list(ShardLoader(tokens, batch_size=100, collate=lambda _: None))
    assert given == [None] * len(given)


def test_epochs_leave_no_file_open(clips: Path) -> None:
    loader = ShardLoader(clips, audio=True, cuts=True, batch_seconds=30, threads=3)
    gc.collect()
    gc.disable()
    try:
        flat(loader)
        process = psutil.Process()
        before = process.num_fds()
        for _ in range(3):
            flat(loader)
            next(iter(loader))
        assert process.num_fds() <= before
    finally:
        gc.enable()


def test_too_many_open_files_are_no_damage(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    loader = ShardLoader(tokens, batch_seconds=60, skip_damaged=True)
    monkeypatch.setattr("mmap.mmap", full)
    with pytest.raises(JobError, match="ulimit -n") as caught:
        list(loader)
    assert not isinstance(caught.value, DatasetError)
