"""Check that a dataset's files are there and as they were written, and no others beside them."""

import hashlib
import json
import posixpath
from collections.abc import Iterator
from typing import Any

from wavemill import storage
from wavemill.sharding import layout
from wavemill.sharding.dataset import BESIDE_BUCKETS, Dataset
from wavemill.sharding.lint.report import REMEDY, REWRITE, Report
from wavemill.sharding.schema import short

CHUNK = 1 << 22


def shard_name(shard: dict[str, Any]) -> str:
    """Name a shard in problems."""
    return f"{shard['bucket']}/{shard['number']:06d}"


def stated_streams(content: dict[str, Any]) -> list[str]:
    """Name the tars of all streams that a `dataset.json` states."""
    return [
        name
        for stream, facts in content["tokenizers"].items()
        for name in layout.stream_names(stream, facts["frame_rate"])
    ]


def expected_files(content: dict[str, Any], shard: dict[str, Any]) -> list[str]:
    """Return the paths of all files of a shard."""
    with_audio = content["settings"]["audio"] != "none"
    names = layout.shard_files(shard["number"], stated_streams(content), audio=with_audio)
    return [f"{shard['bucket']}/{name}" for name in names]


def check_files(dataset: Dataset, shard: dict[str, Any], report: Report) -> bool:
    """Check that a shard has just the files that it should have, all as they were written.

    Returns:
        Whether they are all there to be looked into, as they were written or not.

    """
    name, there = shard_name(shard), True
    missing = set(expected_files(dataset.content, shard))
    for file in shard["files"]:
        if file["path"] not in missing:  # maybe outside of the dataset: it is not opened
            words = "is listed, but is none of this shard's files, or is listed twice"
            report.add(name, "", f"{short(file['path'])} {words}")
            there = False
            continue
        missing.remove(file["path"])
        problem, found = _file_problem(dataset, file)
        there = there and found
        if problem:
            report.add(name, "", f"{file['path']} {problem}")
    for path in sorted(missing):
        report.add(name, "", f"{path} is not listed in dataset.json; {REWRITE}")
    return there and not missing


def _file_problem(dataset: Dataset, file: dict[str, Any]) -> tuple[str | None, bool]:
    """Compare a file's size and digest with what is stated; say, too, whether it can be read."""
    url = storage.join(dataset.url, file["path"])
    digest, size = hashlib.sha256(), 0
    try:
        if not storage.info(url).is_file:
            return f"is no file; {REMEDY}", False
        with storage.open_read(url) as opened:
            while chunk := opened.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        return f"cannot be read: it is missing; {REWRITE}", False
    except OSError as error:
        return f"cannot be read: {error}; mend that, or {REMEDY}", False
    if size != file["bytes"]:
        return f"has {size} bytes, should have {file['bytes']}; {REMEDY}", True
    if digest.hexdigest() != file["sha256"]:
        return f"is not what was written: its sha256 differs; {REMEDY}", True
    return None, True


def read_objects(url: str, errors: str = "strict") -> Iterator[dict[str, Any]]:
    """Yield a file's JSON lines.

    Raises:
        ValueError: one of them is no JSON object.

    """
    with storage.open_read(url) as file:
        for number, line in enumerate(file, 1):
            yield parse_object(line, f"line {number}", errors)


def parse_object(line: bytes, name: str, errors: str = "strict") -> dict[str, Any]:
    """Parse a line that holds a JSON object; raise ValueError, with its name, where it does not."""
    try:
        value = json.loads(line.decode("utf-8", errors))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON") from error
    if not isinstance(value, dict) or not line.endswith(b"\n"):
        raise ValueError(f"{name} is no whole JSON object")
    return value


def check_strays(dataset: Dataset, report: Report) -> None:
    """Report what no shard lists: readers' globs would take it. What lies elsewhere is not ours."""
    shards = dataset.content["shards"]
    listed = {path for shard in shards for path in expected_files(dataset.content, shard)}
    named = {shard["bucket"] for shard in shards}
    for folder in storage.list_names(dataset.url):
        place = storage.join(dataset.url, folder)
        if storage.is_partial(folder, BESIDE_BUCKETS):
            report.add(".", "", f"{folder} was left by a job that was killed; remove it")
        elif folder in named and storage.is_folder(place):
            _check_folder(place, folder, listed, report)
        elif layout.is_bucket(folder) and storage.is_folder(place):
            report.add(folder, "", f"{folder} belongs to no shard; remove it")


def _check_folder(place: str, folder: str, listed: set[str], report: Report) -> None:
    for found in storage.list_files(place, hidden=True):
        path = folder + found.url.removeprefix(place)
        name = posixpath.basename(path)
        if storage.is_partial(name):
            report.add(folder, "", f"{path} was left by a job that was killed; remove it")
        elif path not in listed and not name.startswith(".") and _is_there(found.url):
            report.add(folder, "", f"{path} belongs to no shard; remove it")


def _is_there(url: str) -> bool:
    """Ask for a file that a listing named: a store's may name what was removed."""
    return storage.is_local(url) or storage.is_file(url)
