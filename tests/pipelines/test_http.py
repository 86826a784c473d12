"""What an HTTP server gives: one that knows no ranges, and one that does not answer."""

import contextlib
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import SPEECH, read_jsonl, wavemill

LARGE = 3_000_000
"""Samples: more bytes than fsspec reads at once."""


class Quiet(SimpleHTTPRequestHandler):
    """Python's own server, which gives whole files alone."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file; the client may hang up."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the folder it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}", folder
        http.shutdown()
        thread.join()


def manifest(path: Path, *urls: str) -> Path:
    path.write_text("".join(json.dumps({"audio_filepath": url}) + "\n" for url in urls))
    return path


def test_a_file_that_cannot_be_read_in_parts_is_rejected_as_unreadable(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = server
    samples = np.random.default_rng(0).integers(-9000, 9000, LARGE).astype(np.int16)
    soundfile.write(folder / "large.wav", samples, 16_000)
    (folder / "small.flac").write_bytes((SPEECH / "audio/hello-world.flac").read_bytes())
    rows = manifest(tmp_path / "m.jsonl", f"{url}/large.wav", f"{url}/small.flac")
    out = tmp_path / "out"
    done = wavemill("prepare", rows, "--out", out, "--max-rejected", 1, "--json")
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert "cffi" not in done.err
    assert done.json["segments"] == 1
    (reject,) = read_jsonl(out / "rejected.jsonl")
    assert (reject["reason"], "range" in reject["detail"]) == ("unreadable", True)


def test_a_tar_that_cannot_be_read_in_parts_says_so(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = server
    clips = sorted((SPEECH / "audio").glob("*.flac"))[:3]
    with tarfile.open(folder / "a.tar", "w") as tar:
        for clip in clips:
            tar.add(clip, clip.name)
    done = wavemill("prepare", f"{url}/a.tar", "--out", tmp_path / "out", "--max-rejected", 1)
    assert done.code == 1
    assert "nothing came through" in done.err
    assert "Traceback" not in done.err
    rejects = read_jsonl(tmp_path / "out/_work/rejected.jsonl")
    assert [reject["reason"] for reject in rejects] == ["unreadable"] * len(clips)
    assert all("range" in reject["detail"] for reject in rejects)


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_no_missing_file(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = server
    nobody = "http://127.0.0.1:1"
    rows = manifest(
        tmp_path / "m.jsonl", f"{nobody}/a.wav", f"{url}/none.wav",
        str(SPEECH / "audio/hello-world.flac"),
    )  # fmt: skip
    out = tmp_path / "out"
    done = wavemill("prepare", rows, "--out", out, "--max-rejected", 1)
    assert done.code == 0, done.err
    reasons = {row["source"]: row["reason"] for row in read_jsonl(out / "rejected.jsonl")}
    assert reasons == {f"{nobody}/a.wav": "unreadable", f"{url}/none.wav": "missing-file"}
    named = wavemill("prepare", f"{nobody}/m.jsonl", "--out", tmp_path / "other")
    assert named.code == 2
    assert "does not exist" not in named.err
