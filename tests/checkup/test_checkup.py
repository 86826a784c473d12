"""What is found of parts that are there, missing or broken."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import wavemill
from tests.packaging import setup_arguments
from wavemill.checkup import credentials, disk, engines, packages, parts, store
from wavemill.checkup.finding import BROKEN, LOW, MISSING, OK, UNSET
from wavemill.checkup.packages import Package
from wavemill.commands.doctor import examine

BROKEN_HOOK = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "soundfile", "apache_beam", "av"}:
            raise ImportError(f"No module named {name!r}")
sys.meta_path.insert(0, Hidden())
"""


def test_a_machine_without_the_libraries_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN_HOOK)
    path = f"{tmp_path}:{':'.join(sys.path)}"
    done = wavemill("doctor", tmp_path / "new" / "out", "--json", environment={"PYTHONPATH": path})
    assert done.code == 1
    assert not done.err
    found = {check["part"]: check for check in done.json["checks"]}
    for part in ("torch", "libsndfile", "FFmpeg", "DirectRunner"):
        assert found[part]["state"] in (MISSING, BROKEN), found[part]
        assert "pip install" in found[part]["remedy"]
    assert found["disk, OUT"]["says"].startswith(f"{tmp_path}: ")
    assert not (tmp_path / "new").exists()


def test_extras_are_those_of_setup_and_each_says_what_for() -> None:
    extras = set(setup_arguments()["extras_require"]) - {"test"}
    assert extras <= set(packages.USES)
    asked = packages.asked_packages()
    assert {package.extra for package in asked} >= {packages.CORE, "codecs", "units"}
    found = {finding.part for finding in packages.check_packages(asked)}
    assert {f"extra {package.extra}" for package in asked if package.extra} < found


def test_what_is_missing_or_too_old_is_named_with_a_line_that_mends_it() -> None:
    found = list(
        packages.check_packages(
            [
                Package(name="torch", version="1.0", asked="torch>=2.9", extra=""),
                Package(name="faiss-cpu", version=None, asked="faiss-cpu>=1.15", extra="dedup"),
            ]
        )
    )
    core, dedup = found[0], next(one for one in found if one.part == "extra dedup")
    assert core.is_fatal
    assert core.says == "torch 1.0 where torch>=2.9 is asked for"
    assert core.remedy == "pip install 'torch>=2.9'"
    assert not dedup.is_fatal
    assert (dedup.state, dedup.remedy) == (MISSING, "pip install 'wavemill[dedup]'")


def test_credentials_are_found_by_their_names_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "OPENAI_API_KEY",
                 "AWS_SHARED_CREDENTIALS_FILE", "HF_TOKEN", "HF_HOME"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(credentials, "is_installed", lambda _: True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    found = {one.part: one for one in credentials.check_credentials()}
    assert [found[part].state for part in ("s3://", "gs://", "language models")] == [
        UNSET, BROKEN, UNSET,
    ]  # fmt: skip
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one-half")
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret")
    (tmp_path / "gone.json").write_text("very-secret")
    found = {one.part: one for one in credentials.check_credentials()}
    assert [found[part].state for part in ("s3://", "gs://", "language models")] == [
        BROKEN, OK, OK,
    ]  # fmt: skip
    told = json.dumps([one.as_json() for one in found.values()])
    assert "very-secret" not in told
    assert "one-half" not in told


def test_java_is_judged_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    said = {
        'openjdk version "17.0.15" 2025-04-15': OK,
        'java version "1.8.0"': BROKEN,
        "Segmentation fault": BROKEN,
    }
    for line, state in said.items():
        java.write_text(f"#!/bin/sh\necho '{line}' >&2\n")
        java.chmod(0o755)
        assert engines.check_java().state == state, line
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert engines.check_java().state == MISSING
    states = {one.part: one.state for one in engines.check_engines({"beam": "2"})}
    assert states["DirectRunner"] == OK
    assert states["FlinkRunner, SparkRunner"] == MISSING


def test_a_disk_that_is_nearly_full_or_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_gb", lambda _: 0.3)
    assert [one.state for one in disk.check_disks(str(tmp_path))] == [LOW, LOW]

    def refuse(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    found = list(disk.check_disks(None))
    assert [one.state for one in found] == [BROKEN, BROKEN]
    assert [one.is_fatal for one in found] == [True, False]


def test_a_store_is_written_to_and_left_as_it_was() -> None:
    fsspec = pytest.importorskip("fsspec")
    finding = store.check_store("memory://checkup/out")
    assert finding.state == OK, finding.says
    assert fsspec.filesystem("memory").find("checkup") == []
    for url in ("nonsense://bucket/out", "s3://key:very-secret@bucket/out"):
        finding = store.check_store(url)
        assert finding.is_fatal
        assert finding.says
        assert "very-secret" not in finding.says


def test_tokenizers_that_lack_a_package_and_gpus_are_listed() -> None:
    loaded = {
        "torch": "2", "torchaudio": "2", "cuda": "13", "gpus": [{"name": "H100", "gb": 80.0}],
        "choices": {"tokenizers": {"beats": [], "mimi": ["transformers"]}, "recognizers": {}},
    }  # fmt: skip
    found = {one.part: one for one in parts.check_torch(loaded)}
    assert found["GPU"].says == "H100, 80.0 GB"
    assert found["tokenizers"].state == LOW
    assert "1 of 2: beats, mimi; mimi lacks transformers" in found["tokenizers"].says


def test_all_that_breaks_at_once_is_no_exception() -> None:
    bad = {"error": "boom"}
    loaded = dict.fromkeys(("torch", "sndfile", "ffmpeg", "beam"), bad)
    found = list(examine(loaded, [], None))
    assert sum(one.is_fatal for one in found) == 4
