"""Small corpora in a folder, for the tests of ingest. Their audio is never opened."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wavemill.pipelines.ingest import read_inputs
from wavemill.records import Recording, Reject


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def write_lines(path: Path, rows: Iterable[Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def write_tar(path: Path, members: Mapping[str, bytes]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return str(path)


def read(*inputs: str | Path) -> tuple[list[Recording], list[Reject]]:
    found = list(read_inputs([str(given) for given in inputs]))
    recordings = [row for row in found if isinstance(row, Recording)]
    return recordings, [row for row in found if isinstance(row, Reject)]


def ids(*inputs: str | Path) -> list[str]:
    recordings, rejects = read(*inputs)
    assert not rejects
    return [recording.id for recording in recordings]


def names(recordings: Iterable[Recording]) -> list[str]:
    return [recording.url.rsplit("/", 1)[-1] for recording in recordings]
