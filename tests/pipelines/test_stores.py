"""Jobs whose inputs, spool and dataset lie on a store that falters."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from tests.store_server import BUCKET, KEY, SECRET, StoreServer
from wavemill import storage
from wavemill.cli import main

SETTINGS = ("--tokenizer", "mvq", "--buckets", "2", "--shard-mb", "0.1", "--unit-mb", "0.1",
            "--workers", "1", "--quiet")  # fmt: skip
CLIPS = 12
TOKEN = "session-token-geheim"


def run(command: str, *arguments: str) -> None:
    """Run the command line in this process, whose waits are short."""
    main(args=[command, *arguments, *SETTINGS], standalone_mode=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some clips and their manifest."""
    place = tmp_path_factory.mktemp("clips")
    rows = read_jsonl(UTTERANCES)[:CLIPS]
    for row in rows:
        (place / row["audio_filepath"]).parent.mkdir(exist_ok=True, parents=True)
        (place / row["audio_filepath"]).write_bytes((SPEECH / row["audio_filepath"]).read_bytes())
    (place / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return place


@pytest.fixture(scope="module")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a job on the local disk makes of them: the files of its buckets."""
    out = tmp_path_factory.mktemp("local") / "out"
    run("prepare", str(folder / "manifest.jsonl"), "--out", str(out))
    files = [path for path in out.glob("bucket-*/**/*") if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@pytest.fixture
def manifest(store: StoreServer, folder: Path) -> Iterator[str]:
    """The manifest on the store."""
    yield f"{store.upload(folder, 'clips')}/manifest.jsonl"
    store.faults()
    store.age_lists(stale=False)


@pytest.fixture
def out(store: StoreServer) -> str:
    """A folder of the store that nothing was in."""
    return f"{store.make_bucket()}/{uuid.uuid4().hex}"


def files(store: StoreServer, out: str) -> dict[str, bytes]:
    """Return the files of a dataset on the store."""
    store.faults()
    store.age_lists(stale=False)
    return store.files(out.rpartition("/")[2])


def shards(store: StoreServer, out: str) -> dict[str, bytes]:
    """Return those of its buckets."""
    found = files(store, out)
    return {name: data for name, data in found.items() if name.startswith("bucket-")}


def test_a_job_among_faults_makes_what_it_makes_on_a_disk(
    store: StoreServer, manifest: str, out: str, local: dict[str, bytes]
) -> None:
    store.storm(0.05, seed=3, seconds=1)
    run("prepare", manifest, "--out", out)
    assert shards(store, out) == local
    main(args=["lint", out], standalone_mode=False)
    assert not storage.is_file(f"{out}/_work/lock")


@pytest.mark.slow
def test_stale_listings_cost_time_and_change_nothing(
    store: StoreServer, manifest: str, out: str, local: dict[str, bytes]
) -> None:
    store.age_lists(stale=True)  # all are seen empty from the first time on
    run("prepare", manifest, "--out", out)
    assert shards(store, out) == local
    store.age_lists(stale=True)
    before = len(store.log())
    run("prepare", manifest, "--out", out)
    written = [path for verb, path in store.log()[before:] if verb in ("PUT", "POST")]
    assert not [path for path in written if "bucket-" in path or ".arrow" in path]
    store.age_lists(stale=False)
    run("prepare", manifest, "--out", out)
    names = sorted(files(store, out))
    store.age_lists(stale=True)
    for part in ("tokens", "segments", "bucket-00/"):
        storage.remove_files([f"{out}/{next(name for name in names if part in name)}"])
    run("prepare", manifest, "--out", out)
    assert shards(store, out) == local


@pytest.mark.slow
def test_markers_that_no_listing_shows_speak_for_no_other_plan(
    store: StoreServer, manifest: str, out: str, local: dict[str, bytes]
) -> None:
    store.age_lists(stale=True)
    run("prepare", manifest, "--out", out)
    run("prepare", manifest, "--out", out, "--seed", "1")
    other = shards(store, out)
    store.age_lists(stale=True)
    assert other != local
    run("prepare", manifest, "--out", out)
    assert shards(store, out) == local


def test_a_store_that_is_down_ends_a_job_and_rejects_nothing(
    store: StoreServer, manifest: str, out: str, local: dict[str, bytes]
) -> None:
    store.faults(kind="500", verbs=["GET"], name="/audio/")
    with pytest.raises(Exception, match="the store is down, busy or not to be reached"):
        run("prepare", manifest, "--out", out, "--max-rejected", "1")
    store.faults()
    assert not storage.is_file(f"{out}/dataset.json")
    run("prepare", manifest, "--out", out)
    assert shards(store, out) == local


def test_a_clip_that_is_refused_or_not_there_is_rejected(
    store: StoreServer, manifest: str, out: str
) -> None:
    clips = sorted({path for _, path in store.log() if "/audio/" in path})
    store.faults(kind="status", status=403, name=clips[0], verbs=["GET", "HEAD"])
    run("prepare", manifest, "--out", out, "--max-rejected", "1")
    rows = [json.loads(line) for line in storage.read_bytes(f"{out}/rejected.jsonl").splitlines()]
    assert [row["reason"] for row in rows] == ["unreadable"]
    assert "the store refuses it" in rows[0]["detail"]


@pytest.mark.parametrize("failing", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_no_secret_is_written_or_said(
    store: StoreServer, manifest: str, out: str, tmp_path: Path, *, failing: bool
) -> None:
    environment = {
        **store.environment, "AWS_SESSION_TOKEN": TOKEN,
        "FSSPEC_S3": '{"config_kwargs": {"read_timeout": 1}}',
    }  # fmt: skip
    if failing:  # S3 clients take no such address
        environment["AWS_ENDPOINT_URL"] = store.url.replace("//", "//someone:geheim@")
    else:
        store.storm(0.03, seed=5, seconds=2)
    rows = tmp_path / "m.jsonl"
    signed = f"{store.url}/{BUCKET}/x.flac?X-Amz-Signature=geheim&X-Amz-Credential={KEY}"
    urls = [json.loads(line) for line in storage.read_bytes(manifest).splitlines()]
    base = manifest.rpartition("/")[0]
    rows.write_text("".join(
        json.dumps({"audio_filepath": url}) + "\n"
        for url in [signed, *(f"{base}/{row['audio_filepath']}" for row in urls)]
    ))  # fmt: skip
    done = wavemill("--debug", "prepare", rows, "--out", out, *SETTINGS, "--max-rejected", 0.5,
                    environment=environment)  # fmt: skip
    store.faults()
    assert (done.code == 0) != failing, done.err
    held = b"".join(files(store, out).values())
    for secret in (SECRET, TOKEN, "geheim", "Signature="):
        assert secret not in done.err + done.out
        assert secret.encode() not in held
    assert failing or b"its URL holds credentials" in held


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("https://h/a.wav?X-Amz-Signature=geheim", "out"),
        ("http://someone:geheim@h/m.jsonl", "out"),
        (str(UTTERANCES), f"s3://key:geheim@{BUCKET}/out"),
    ],
)
def test_urls_with_secrets_are_refused_without_repeating_them(
    given: str, out: str, tmp_path: Path
) -> None:
    done = wavemill("prepare", given, "--out", out if "://" in out else str(tmp_path / out))
    assert done.code == 2
    assert "credentials" in done.err
    assert "geheim" not in done.err


def test_requests_of_a_job_are_few(store: StoreServer, manifest: str, out: str) -> None:
    before = len(store.log())
    run("prepare", manifest, "--out", out)
    log: list[Any] = store.log()[before:]
    names = files(store, out)
    units = sum(name.startswith("_work/recordings/") for name in names)
    made = sum(name.startswith("_work/shards-") for name in names)
    heads = [path for verb, path in log if verb == "HEAD"]
    gets = [path for verb, path in log if verb == "GET"]
    assert len([path for path in gets if "/audio/" in path]) == CLIPS
    assert len([path for path in heads if "/audio/" in path]) == CLIPS
    assert len([path for path in heads if ".arrow" in path]) <= 3 * units + 3
    assert len([path for path in heads if "/shards-" in path]) <= 2 * made + 2
