"""Files on a store that falters: moto's S3 behind a layer of faults."""

import os
import time
from collections.abc import Callable
from typing import Any

import fsspec
import pytest

from tests.store_server import BUCKET, KEY, SECRET, STORM, StoreServer
from wavemill import storage
from wavemill.errors import StorageError
from wavemill.sharding.dataset import Dataset
from wavemill.storage import asking, retrying, s3_uploads, store_file

URL = f"s3://{BUCKET}/files"
VERBS = ["GET", "HEAD", "LIST", "PUT", "POST", "DELETE"]


@pytest.fixture
def url(store: StoreServer) -> str:
    """A file of the store."""
    assert store.requests() >= 0
    storage.remove(URL)
    storage.write_bytes(f"{URL}/d/a.bin", bytes(range(256)) * 400)
    return f"{URL}/d/a.bin"


def every(url: str) -> list[Callable[[], Any]]:
    """Return all that can be done, each without a change that another notices."""
    scratch = f"{URL}/scratch"

    def write() -> None:
        storage.write_bytes(scratch, b"1")

    def remove() -> None:
        storage.remove(scratch)
        storage.remove_files([scratch, f"{scratch}2"])

    return [
        lambda: storage.info(url).size, lambda: storage.exists(url), lambda: storage.is_file(url),
        lambda: storage.is_file(f"{url}.none"), lambda: storage.is_folder(f"{URL}/d"),
        lambda: storage.list_names(f"{URL}/d"), lambda: list(storage.list_files(f"{URL}/d")),
        lambda: storage.glob(f"{URL}/d/*.bin"), lambda: storage.read_bytes(url),
        lambda: storage.sha256_of(url), lambda: storage.sizes([url, f"{url}.none"]), write,
        remove,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[pytest.mark.slow] if kind == "stall" else []) for kind in STORM],
)
def test_every_operation_survives_every_fault(store: StoreServer, url: str, kind: str) -> None:
    for work in every(url):
        expected = work()
        store.faults(kind=kind, times=1 + (kind != "stall"), verbs=VERBS, seconds=2)
        assert work() == expected
        store.faults()


def test_a_file_is_read_on_where_its_body_is_cut(
    store: StoreServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "FIRST_BYTES", 1000)
    monkeypatch.setattr(store_file, "MAX_STEP", 20_000)
    whole = bytes(range(256)) * 400
    with storage.open_read(url) as file:
        assert file.read(1500) == whole[:1500]
        store.faults(kind="cut", times=3)
        assert file.read() == whole[1500:]
        assert file.seek(-10, os.SEEK_END) == len(whole) - 10
        assert file.read(100) == whole[-10:]
        assert file.seek(500) == 500
        assert file.read(3) == whole[500:503]
        assert file.seek(len(whole) + 5) == len(whole) + 5
        assert file.read() == b""


def test_a_small_file_is_read_in_one_request_and_looked_up_in_one(
    store: StoreServer, url: str
) -> None:
    for work, verb in (
        (lambda: storage.read_bytes(url), "GET"), (lambda: storage.is_file(url), "HEAD"),
        (lambda: storage.is_file(f"{url}.none"), "HEAD"), (lambda: storage.info(url), "HEAD"),
        (lambda: storage.open_read(url).read(), "GET"),
        (lambda: storage.write_bytes(f"{URL}/small", b"1"), "PUT"),
    ):  # fmt: skip
        before = len(store.log())
        work()
        assert [verb for verb, _ in store.log()[before:]] == [verb]


def test_a_file_that_changes_while_it_is_read_is_no_mixture(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "FIRST_BYTES", 1000)
    with storage.open_read(url) as file:
        file.read(100)
        storage.write_bytes(url, b"other" * 1000)
        file.seek(3000)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(10)


def test_an_empty_file_is_read(url: str) -> None:
    storage.write_bytes(f"{url}.empty", b"")
    with storage.open_read(f"{url}.empty") as file:
        assert file.read() == b""
    assert storage.read_bytes(f"{url}.empty") == b""


@pytest.mark.parametrize("kind", STORM)
def test_a_large_file_is_put_in_parts_whatever_goes_wrong(
    store: StoreServer, url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_uploads, "PART", 5 << 20)
    data = os.urandom(11 << 20)
    store.faults(kind=kind, times=2, verbs=VERBS, seconds=2)
    storage.write_bytes(f"{url}.large", data)
    store.faults()
    assert storage.read_bytes(f"{url}.large") == data
    storage.remove_partial(URL)  # begun, but not answered
    assert not store.uploads()
    storage.remove(f"{url}.large")


def test_a_put_that_lost_bytes_is_put_again(store: StoreServer, url: str) -> None:
    store.faults(kind="damage", times=1, verbs=["PUT"])
    storage.write_bytes(url, b"0123456789")
    assert storage.read_bytes(url) == b"0123456789"
    store.faults(kind="damage", verbs=["PUT"])
    with pytest.raises(StorageError, match="5 bytes of the 10 that were sent"):
        storage.write_bytes(url, b"0123456789")


def test_an_upload_that_fails_leaves_no_parts(
    store: StoreServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_uploads, "PART", 5 << 20)
    store.faults(kind="status", status=403, verbs=["PUT"])
    with pytest.raises(PermissionError):
        storage.write_bytes(f"{url}.large", bytes(11 << 20))
    store.faults()
    assert not store.uploads()
    assert not storage.is_file(f"{url}.large")


def test_parts_of_killed_uploads_are_removed_below_a_folder_alone(
    store: StoreServer, url: str
) -> None:
    system = store.filesystem()
    for name in ("out/a", "out/b/c", "output"):
        system.call_s3("create_multipart_upload", Bucket=BUCKET, Key=f"files/{name}")
    storage.remove_partial(f"{URL}/out")
    assert store.uploads() == ["files/output"]
    system.clear_multipart_uploads(BUCKET)
    store.faults(kind="status", status=403, verbs=["LIST"])
    storage.remove_partial(f"{URL}/out")  # a store may not let us see them
    assert url


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"status": 503}, StorageError, f"cannot read {URL}.*as told; the store is down"),
        ({"status": 403}, PermissionError, "the store refuses it .as told.; check the cred"),
        ({"status": 404}, FileNotFoundError, f"No such file or directory: '{URL}"),
        ({"status": 400, "code": "ExpiredToken"}, StorageError, "credentials have expired"),
        ({"status": 403, "code": "InvalidAccessKeyId"}, StorageError, "does not know these"),
        ({"status": 404, "code": "NoSuchBucket"}, StorageError, "there is no such bucket"),
        ({"status": 400, "code": "AuthorizationHeaderMalformed"}, StorageError, "another region"),
    ],
)
def test_what_is_wrong_is_told_apart(
    store: StoreServer, url: str, fault: Any, error: type[Exception], words: str
) -> None:
    store.faults(kind="status", **fault)
    with pytest.raises(error, match=words) as caught:
        storage.read_bytes(url)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    if fault["status"] in (400, 403):  # a HEAD's answer has no words
        store.faults(kind="status", **fault, verbs=["GET", "HEAD"])
        with pytest.raises(error, match=words):
            storage.info(url)


@pytest.mark.usefixtures("store")
def test_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    asking.forget_stores()
    with pytest.raises(StorageError, match=r"there are no credentials.*AWS_ACCESS_KEY_ID"):
        storage.read_bytes(f"{URL}/x")


@pytest.mark.usefixtures("store")
def test_a_store_out_of_reach_is_told_in_time_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://someone:geheim@127.0.0.1:9")
    asking.forget_stores()
    began = time.monotonic()
    with pytest.raises(StorageError, match=rf"{URL}/dataset\.json: .*is down") as caught:
        Dataset.open(URL)
    assert time.monotonic() - began < 5
    assert not {"geheim", KEY, SECRET} & set(str(caught.value).replace("'", " ").split())


def test_all_of_a_listing_comes_though_pages_fail(store: StoreServer, url: str) -> None:
    system = store.filesystem()
    for number in range(25):
        system.pipe_file(f"{BUCKET}/files/many/{number:02d}", b"")
    store.storm(0.3, seed=1, seconds=1)
    assert len(storage.list_names(f"{URL}/many")) == 25
    storage.remove(f"{URL}/many")
    store.faults()
    assert storage.list_names(f"{URL}/many") == []
    assert storage.is_file(url)


def test_retries_of_the_packages_are_off(url: str) -> None:
    client = asking.store_of(url)[0].system
    assert client.retries == 1
    assert client.s3.meta.config.retries["total_max_attempts"] == 1
    given = fsspec.config.conf["s3"]["config_kwargs"]
    assert client.s3.meta.config.read_timeout == given["read_timeout"]
    assert len(retrying.WAITS) > 4
