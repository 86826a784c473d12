"""Ways to damage a dataset, and to restate in `dataset.json` what was damaged."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import SPEECH, read_jsonl
from wavemill.digest import digest
from wavemill.sharding.dataset import SEAL, Dataset, content_sha256
from wavemill.sharding.lint import Report, lint

AUDIO, MVQ, BEATS = "bucket-*/audio_*.tar", "bucket-*/mvq_*.tar", "bucket-*/beats_*.tar"
CUTS, MANIFEST = "bucket-*/cuts.*.jsonl", "bucket-*/sharded_manifests/*.json"
EFFECTS = SPEECH / "effects" / "manifest.jsonl"

Damage = Callable[[Path], None]
Row = dict[str, Any]


def first(out: Path, pattern: str) -> Path:
    return min(out.glob(pattern))


def read_content(out: Path) -> Row:
    content: Row = json.loads((out / "dataset.json").read_text())
    return content


def write_content(out: Path, content: Row) -> None:
    """Write a `dataset.json`, with the digests that its settings, files and content have."""
    files = [file["sha256"] for shard in content["shards"] for file in shard["files"]]
    content["digest"] = digest([content["settings"], files])
    content[SEAL] = content_sha256(content)
    (out / "dataset.json").write_text(json.dumps(content))


def restated(out: Path, path: Path, data: bytes) -> None:
    """Change a file and what dataset.json states of it, as a faulty writer would."""
    path.write_bytes(data)
    content = read_content(out)
    for shard in content["shards"]:
        for file in shard["files"]:
            if file["path"] == str(path.relative_to(out)):
                content["totals"]["bytes"] += len(data) - file["bytes"]
                file.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    write_content(out, content)


def replaced(pattern: str, old: bytes, new: bytes) -> Damage:
    """Return a damage that replaces bytes, once, in the first file of a pattern."""

    def damage(out: Path) -> None:
        path = first(out, pattern)
        data = path.read_bytes()
        assert old in data
        restated(out, path, data.replace(old, new, 1))

    return damage


def spliced(pattern: str, change: Callable[[bytes], bytes]) -> Damage:
    """Return a damage that changes all of the first file of a pattern."""

    def damage(out: Path) -> None:
        path = first(out, pattern)
        restated(out, path, change(path.read_bytes()))

    return damage


def edited(pattern: str, change: Callable[[Row], object]) -> Damage:
    """Return a damage that changes the first row of a file of JSON lines."""

    def damage(out: Path) -> None:
        path = first(out, pattern)
        rows = read_jsonl(path)
        change(rows[0])
        restated(out, path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    return damage


def described(change: Callable[[Row], object]) -> Damage:
    """Return a damage that changes the content of `dataset.json`."""

    def damage(out: Path) -> None:
        content = read_content(out)
        change(content)
        write_content(out, content)

    return damage


def checked(out: Path, *, decode: bool = False) -> Report:
    return lint(Dataset.open(str(out)), decode=decode)


def assert_named(report: Report, words: str) -> None:
    assert any(words in problem["problem"] for problem in report.problems), report.problems


def add_a_stray(out: Path) -> None:
    shutil.copy(first(out, AUDIO), first(out, "bucket-*") / "audio_000009.tar")
