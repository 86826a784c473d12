"""Disks that are mounted for a test, on Linux and by root alone."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


def unmount(place: Path) -> None:
    """Take a disk away, whatever is still open on it."""
    subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


def may_mount() -> bool:
    """Try it: root in a container may not."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
        except (subprocess.CalledProcessError, FileNotFoundError):
            return False
        unmount(Path(folder))
    return True


needs_mounts = pytest.mark.skipif(not may_mount(), reason="only root may mount, and not everywhere")


@contextlib.contextmanager
def disk(place: Path, size: str = "256m") -> Iterator[Path]:
    """Mount an empty disk of some size at a place, which is made."""
    place.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", place)
    try:
        yield place
    finally:
        while os.path.ismount(place):
            unmount(place)
