"""The Dockerfile for Beam's workers: its commands, run in a folder in place of an image."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging import ROOT, setup_arguments

DOCKERFILE = ROOT / "docker" / "Dockerfile"
INSTALL = ROOT / "docker" / "install.sh"


def instructions() -> Iterator[tuple[str, str]]:
    for line in DOCKERFILE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest


def test_it_stands_on_the_beam_that_is_pinned_and_names_extras_that_there_are() -> None:
    given = dict(instructions())
    assert given["FROM"] == "apache/beam_python3.11_sdk:${BEAM}"
    arguments = dict(rest.split("=") for name, rest in instructions() if name == "ARG")
    assert f"apache-beam=={arguments['BEAM']}\n" in (ROOT / "constraints.txt").read_text("utf-8")
    assert set(arguments["EXTRAS"].split(",")) <= set(setup_arguments()["extras_require"])


def test_all_that_it_copies_is_there_and_not_ignored() -> None:
    ignore = (ROOT / "docker" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    copied = {name for what, rest in instructions() if what == "COPY" for name in rest.split()[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_install_sh_refuses_what_it_does_not_know() -> None:
    assert os.access(INSTALL, os.X_OK)
    subprocess.run(["bash", "-n", str(INSTALL)], check=True)
    for arguments, words in (([], "usage"), ([str(ROOT), "units", "tpu"], "cpu or cuda, not tpu")):
        done = subprocess.run(
            [str(INSTALL), *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert words in done.stderr


@pytest.mark.slow
def test_its_commands_make_a_worker_that_wavemill_s_doctor_approves_of(tmp_path: Path) -> None:
    home, image = tmp_path / "environment", tmp_path / "image"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    (site,) = (home / "lib").glob("python*/site-packages")
    # pip and what wavemill needs are found there, and so nothing is fetched.
    (site / "others.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    environment = {
        "HOME": str(tmp_path), "PATH": f"{home / 'bin'}:/usr/bin:/bin", "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0", "PIP_IGNORE_INSTALLED": "0",
    }  # fmt: skip
    folder = image
    for name, rest in instructions():
        if name == "ARG":
            key, value = rest.split("=")
            environment.setdefault(key, value)
        elif name == "ENV":
            key, value = rest.split("=")
            environment[key] = value
        elif name == "WORKDIR":
            folder = image / rest.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, folder / target)
        elif name == "RUN":
            done = subprocess.run(
                ["bash", "-c", rest], cwd=folder, env=environment, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "all that is needed is there" in done.stdout
        else:
            assert name == "FROM"
    where = subprocess.run(
        [str(home / "bin" / "python"), "-c", "import wavemill; print(wavemill.__file__)"],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
