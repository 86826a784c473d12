"""The loader on a store: moto's S3, slow and faulty, with and without a cache."""

import contextlib
import errno
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.loader.test_loader import flat, keys
from tests.store_server import KEY, SECRET, StoreServer
from wavemill.errors import DatasetError, JobError, UsageError
from wavemill.loader import ShardLoader
from wavemill.loader.adapters import cut_set, iterable_dataset, web_dataset
from wavemill.loader.stores import cache, fetching, pieces, store_source
from wavemill.storage import retrying

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def running() -> Iterator[StoreServer]:
    """A store that answers a little late."""
    server = StoreServer(0.005)
    yield server
    server.stop()


@pytest.fixture
def server(running: StoreServer, monkeypatch: pytest.MonkeyPatch) -> StoreServer:
    """The store, without faults, where S3 clients find it; what is waited for is short."""
    running.faults()
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retrying, "WAITS", (0.0, 0.05, 0.1))
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 0.3}})
    monkeypatch.setattr(fetching, "PATIENCE_SECONDS", 5.0)
    return running


@pytest.fixture(scope="module")
def url(running: StoreServer, tokens: Path) -> str:
    """Drawn tokens on the store; not to be changed."""
    return running.upload(tokens, "tokens")


@pytest.fixture(scope="module")
def clips_url(running: StoreServer, clips: Path) -> str:
    """Real audio and tokens on the store; not to be changed."""
    return running.upload(clips, "clips")


@pytest.fixture
def ranged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make samples be read by ranges, as large corpora are."""
    monkeypatch.setattr("wavemill.loader.sources.HELD_BYTES", 0)


def cached(folder: Path) -> dict[str, Any]:
    return {"cache": folder / "cache"}


def taken(folder: Path) -> int:
    """Bytes in a cache that others write to meanwhile; a file counts once though it is renamed."""
    sizes = {}
    # No room is made or taken meanwhile: else a file that goes could be counted with its successor.
    with cache.Cache(folder / "cache", 1)._locked():
        for path in files(folder):
            with contextlib.suppress(FileNotFoundError):
                sizes[path.stem] = path.stat().st_size
    return sum(sizes.values())


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "cache").iterdir() if path.name != cache.LOCK)


@pytest.mark.usefixtures("server")
def test_a_store_gives_what_the_disk_gives(url: str, tokens: Path, tmp_path: Path) -> None:
    expected = list(ShardLoader(tokens, batch_seconds=60, window=150))
    ways: list[dict[str, Any]] = [{}, cached(tmp_path), {"threads": 2}]
    for options in ways:
        loader = ShardLoader(url, batch_seconds=60, window=150, **options)
        for _ in range(2):
            loader.set_epoch(0)
            got = list(loader)
            assert keys(got) == keys(expected)
            assert [batch.state for batch in got] == [batch.state for batch in expected]
            assert all(
                (a.tokens["codec"] == b.tokens["codec"]).all()
                for a, b in zip(got, expected, strict=True)
            )


@pytest.mark.usefixtures("server", "ranged")
def test_samples_are_read_by_ranges_where_a_window_is_too_large_to_be_held(
    url: str, tokens: Path
) -> None:
    expected = list(ShardLoader(tokens, batch_seconds=60))
    got = list(ShardLoader(url, batch_seconds=60))
    assert keys(got) == keys(expected)
    assert (got[5].tokens["codec"] == expected[5].tokens["codec"]).all()


@pytest.mark.usefixtures("server")
def test_audio_times_and_cuts_come_from_a_store(
    clips_url: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"audio": True, "cuts": True, "batch_size": 9}
    expected = list(ShardLoader(clips, **options))
    monkeypatch.setattr(pieces, "MAX_PIECE", 100_000)
    monkeypatch.setattr(store_source, "MAX_PIECE", 100_000)
    monkeypatch.setattr(fetching, "PART", 100_000)
    ways: list[dict[str, Any]] = [{}, cached(tmp_path)]
    for more in ways:
        got = list(ShardLoader(clips_url, **options, **more))
        assert keys(got) == keys(expected)
        for a, b in zip(got, expected, strict=True):
            assert a.audio is not None
            assert b.audio is not None
            assert (a.audio == b.audio).all()
            assert (a.times["syllables"] == b.times["syllables"]).all()
            assert a.text == b.text


@pytest.mark.usefixtures("server")
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("with_cache", [False, True])
def test_forked_workers_and_pickled_loaders_read_a_store(
    url: str, tokens: Path, tmp_path: Path, *, with_cache: bool
) -> None:
    expected = keys(ShardLoader(tokens, batch_seconds=60))
    options = cached(tmp_path) if with_cache else {}
    loader = ShardLoader(url, batch_seconds=60, workers=2, **options)
    loader.load_state_dict(loader.state_dict())
    assert loader.count_steps() == len(expected)  # its event loop runs before the fork
    assert keys(loader) == expected
    alone = ShardLoader(url, batch_seconds=60, **options)
    assert keys(alone) == expected
    alone.set_epoch(0)
    assert keys(pickle.loads(pickle.dumps(alone))) == expected


def test_a_window_is_fetched_ahead_in_few_requests(server: StoreServer, url: str) -> None:
    loader = ShardLoader(url, batch_seconds=60)
    before = server.requests()
    list(loader)
    shards = len(loader._corpus.shards)
    assert server.requests() - before == 3 * shards  # lengths, index and tar of each
    list(loader)
    assert server.requests() - before == 3 * shards  # all is held


def test_a_cache_is_read_without_the_store(server: StoreServer, url: str, tmp_path: Path) -> None:
    expected = keys(ShardLoader(url, batch_seconds=60, **cached(tmp_path)))
    before = server.requests()
    loader = ShardLoader(url, batch_seconds=60, **cached(tmp_path))
    opened = server.requests()
    assert keys(loader) == expected
    assert server.requests() == opened
    assert opened - before <= 2  # dataset.json


@pytest.mark.usefixtures("server")
def test_a_damaged_file_in_the_cache_is_fetched_again(url: str, tmp_path: Path) -> None:
    expected = keys(ShardLoader(url, batch_seconds=60, **cached(tmp_path)))
    for number, path in enumerate(files(tmp_path)):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] if number % 2 else bytes([whole[0] ^ 1]) + whole[1:])
    assert keys(ShardLoader(url, batch_seconds=60, **cached(tmp_path))) == expected
    for path in files(tmp_path):
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("server")
def test_a_cache_stays_under_its_limit(
    url: str, tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavemill.loader.order.PIECES", 4)
    total = sum(path.stat().st_size for path in tokens.rglob("*.tar"))
    limit = 0.7 * total
    loader = ShardLoader(url, batch_seconds=60, window=80, cache_gb=limit / 1e9, **cached(tmp_path))
    seen = []
    for batch in loader:
        seen += batch.keys
        assert taken(tmp_path) <= limit
    assert sorted(seen) == sorted(flat(ShardLoader(tokens, batch_seconds=60)))
    small = ShardLoader(url, batch_seconds=60, cache_gb=limit / 1e9, **cached(tmp_path))
    with pytest.raises(JobError, match="give more than cache_gb="):
        list(small)


def test_least_recently_used_files_go_first_and_none_that_is_read(tmp_path: Path) -> None:
    kept = cache.Cache(tmp_path / "cache", 3000)
    views = {}
    for number in range(3):
        data = bytes([number]) * 1000
        digest = hashlib.sha256(data).hexdigest()
        descriptor = kept.begin(digest)
        assert descriptor is not None
        assert kept.begin(digest) is None  # one writes it
        assert kept.reserve(descriptor, 1000)
        os.pwrite(descriptor, data, 0)
        views[digest] = kept.finish(descriptor, digest)
        kept.end(digest, descriptor)
    first, second, third = views
    other = cache.Cache(tmp_path / "cache", 3000)
    descriptor = other.begin("new")
    assert descriptor is not None
    assert not other.reserve(descriptor, 1000)
    del views[second], views[third]
    assert kept.find(second, 1000) is not None  # used last
    assert other.reserve(descriptor, 1000)
    other.end("new", descriptor)
    assert [path.name for path in files(tmp_path)] == sorted([first, second])


@pytest.mark.usefixtures("server")
def test_a_process_that_is_killed_leaves_nothing_that_blocks_or_corrupts(
    server: StoreServer, url: str, tokens: Path, tmp_path: Path
) -> None:
    script = (
        "import sys; from wavemill.loader import ShardLoader;"
        f"list(ShardLoader({url!r}, batch_seconds=60, cache={str(tmp_path / 'cache')!r}))"
    )
    server.faults(kind="stall", name=".tar")
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        until = time.monotonic() + 20
        while not list(tmp_path.glob("cache/*.part")) and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(tmp_path.glob("cache/*.part"))
    server.faults()
    loader = ShardLoader(url, batch_seconds=60, **cached(tmp_path))
    assert keys(loader) == keys(ShardLoader(tokens, batch_seconds=60))
    assert not list(tmp_path.glob("cache/*.part"))


@pytest.mark.usefixtures("server")
def test_processes_share_a_cache_and_fetch_each_file_once(
    server: StoreServer, url: str, tmp_path: Path
) -> None:
    ranks = [
        ShardLoader(url, batch_seconds=60, rank=rank, world_size=2, **cached(tmp_path))
        for rank in range(2)
    ]
    before = server.requests()
    given = [iter(rank) for rank in ranks]
    assert len(next(given[0]).keys + next(given[1]).keys) > 2
    assert sum(len(list(rest)) for rest in given) > 4
    assert server.requests() - before == 3 * len(ranks[0]._corpus.shards)


@pytest.mark.usefixtures("server")
def test_a_full_disk_is_one_clear_error(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    loader = ShardLoader(url, batch_seconds=60, skip_damaged=True, **cached(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(JobError, match="No space left on device; make room on its") as caught:
            list(loader)
    assert "\n" not in str(caught.value)
    assert len(flat(ShardLoader(url, batch_seconds=60, **cached(tmp_path)))) == 400


@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "status", "status": 404}, "it is not there; `wavemill lint`"),
        ({"kind": "status", "status": 403}, "the store refuses it .*check the credentials"),
        ({"kind": "status", "status": 503}, "as told; the store is down, busy"),
        ({"kind": "reset"}, "the store is down, busy"),
        ({"kind": "cut"}, "the store is down, busy|gave 1,000 bytes"),
        ({"kind": "stall"}, "no answer from the store"),
    ],
)
def test_a_store_that_fails_is_one_line_that_names_the_file(
    server: StoreServer, url: str, tmp_path: Path, fault: Any, words: str, *, with_cache: bool
) -> None:
    server.faults(**fault, name="bucket-01/codec_000000.tar")
    options = cached(tmp_path) if with_cache else {}
    loader = ShardLoader(url, batch_seconds=60, **options)
    began = time.monotonic()
    with pytest.raises(DatasetError, match=words) as caught:
        list(loader)
    assert time.monotonic() - began < 10
    line = str(caught.value)
    assert f"{url}/bucket-01/codec_000000.tar" in line
    assert "\n" not in line
    assert KEY not in line
    assert SECRET not in line


@pytest.mark.parametrize("with_cache", [False, True])
def test_samples_of_a_tar_that_is_gone_are_skipped_and_counted_on_demand(
    server: StoreServer, url: str, tmp_path: Path, *, with_cache: bool
) -> None:
    server.faults(kind="status", status=404, name="bucket-01/codec_000000.tar")
    options = cached(tmp_path) if with_cache else {}
    loader = ShardLoader(url, batch_seconds=60, skip_damaged=True, **options)
    seen = flat(loader)
    shards = loader._corpus.shards
    (gone,) = [ref for ref in shards if (ref.bucket, ref.number) == ("bucket-01", 0)]
    assert loader.statistics.skipped == gone.samples > 0
    assert len(set(seen)) == 400 - gone.samples


@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize("kind", ["status", "reset", "cut", "stall"])
def test_a_store_that_falters_is_tried_again(
    server: StoreServer, url: str, tokens: Path, tmp_path: Path, kind: str, *, with_cache: bool
) -> None:
    server.faults(kind=kind, status=503, times=2, name="bucket-0")
    loader = ShardLoader(url, batch_seconds=60, **(cached(tmp_path) if with_cache else {}))
    assert keys(loader) == keys(ShardLoader(tokens, batch_seconds=60))


@pytest.mark.usefixtures("server")
def test_a_store_out_of_reach_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = ShardLoader(url, batch_seconds=60)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://someone:geheim@127.0.0.1:9")
    with pytest.raises(DatasetError, match="the store is down") as caught:
        list(loader)
    assert "geheim" not in str(caught.value)


def test_a_cache_on_a_store_is_refused(tokens: Path) -> None:
    with pytest.raises(UsageError, match="no folder of this machine"):
        ShardLoader(tokens, batch_seconds=60, cache="s3://bucket/cache")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.usefixtures("server")
def test_adapters_read_what_lies_on_a_store(clips_url: str) -> None:
    expected = sorted(flat(ShardLoader(clips_url, batch_seconds=60)))
    cuts = {cut.id: cut for cut in cut_set(clips_url)}
    assert sorted(cuts) == expected
    audio = {
        sample["__key__"]: sample["audio.npy"] for sample in web_dataset(clips_url, audio=True)
    }
    assert sorted(audio) == expected
    for key, cut in cuts.items():
        assert (cut.load_audio()[0] == audio[key]).all()
    assert sorted(example["key"] for example in iterable_dataset(clips_url, audio=True)) == expected
