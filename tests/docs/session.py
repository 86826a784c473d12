"""What a reader does with a page: goes through it from top to bottom, in a clone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import ROOT, Block

LINKED = (
    "LICENSE", "README.md", "benchmarks", "constraints.txt", "docs", "examples", "mkdocs.yml",
    "pyproject.toml", "scripts", "setup.py",
)  # fmt: skip
TO_CHANGE = ("tests", "wavemill")
"""Folders that pages write files into: a session that does so has copies."""
PROGRAMS = {
    "wavemill": 'exec "{python}" -m wavemill "$@"',
    "pytest": 'exec "{python}" -m pytest -p no:cacheprovider "$@"',
    # It is this installation that pages are run with, so nothing is installed into it.
    "pip": """\
case "$1" in
    install) shift; set -- install --dry-run --no-build-isolation -q "$@" ;;
esac
exec "{python}" -m pip "$@"
""",
}
FEW_STEPS = """\
case " $* " in
    *" --steps "* | *" --help "*) ;;
    " fit mvq "*" --iterations "*) ;;
    " fit mvq "*) set -- "$@" --iterations {steps} ;;
    " train "*) set -- "$@" --steps {steps} ;;
    " iterate "*) set -- "$@" --train steps={steps} --train-tokenizer steps={steps} ;;
esac
"""


class Session:
    """A folder like a clone of the repository, and a shell in it."""

    def __init__(
        self, folder: Path, *, changes: bool = False, steps: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Lay it out.

        Args:
            folder: an empty one.
            changes: whether a page is to change the package.
            steps: of trainings that name no number, where they are not to take minutes.
            environment: variables of its commands.

        """
        self.folder = folder
        for name in (*LINKED, *TO_CHANGE):
            if changes and name in TO_CHANGE:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored)
            else:
                (folder / name).symlink_to(ROOT / name)
        programs = folder / ".programs"
        programs.mkdir()
        for name, script in PROGRAMS.items():
            before = FEW_STEPS.format(steps=steps) if name == "wavemill" and steps else ""
            text = f"#!/bin/sh\n{before}{script.format(python=sys.executable)}\n"
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment = {
            **os.environ, "PATH": os.pathsep.join(path), "PYTHONPATH": str(folder),
            **(environment or {}),
        }  # fmt: skip

    def write(self, block: Block) -> None:
        """Make the file that a block is, or the change to one."""
        assert block.title is not None
        path = self.folder / block.title
        if block.language != "diff":
            assert not path.exists(), f"{block.where}: there is a {block.title}"
            path.write_text(block.code, "utf-8")
            return
        text = path.read_text("utf-8")
        for hunk in block.code.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] != "+")
            after = "".join(line[1:] for line in lines if line[0] != "-")
            assert text.count(before) == 1, f"{block.where}: {block.title} has no such lines"
            text = text.replace(before, after)
        path.write_text(text, "utf-8")

    def run(self, block: Block) -> str:
        """Run a block as it stands; return what it printed, to either stream."""
        if block.language == "python":
            command = [sys.executable, "-W", "ignore", "-c", block.code]
        else:
            command = ["bash", "-euo", "pipefail", "-c", block.script]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=1200,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.where}: exit {done.returncode}\n{done.stdout}"
        return done.stdout
