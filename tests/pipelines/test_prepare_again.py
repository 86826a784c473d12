"""The main job given again or cut off: what is redone, and that the bytes are equal."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from wavemill.pipelines.units import WANTED

JOB = ("--segment", "none", "--tokenizer", "beats", "--tokenizer", "mvq", "--buckets", "3",
       "--shard-mb", "0.5", "--unit-mb", "0.2")  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    """Digest every file below a folder but logs, and the times in `run.json`."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".log" and path.name != "run.json"
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset made in one go."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = wavemill("prepare", UTTERANCES, "--out", out, *JOB)
    assert done.code == 0, done.err
    return out


def kept_units(out: Path) -> Iterator[Path]:
    for stage in ("segments-*", "tokens-*"):
        yield from sorted(out.glob(f"_work/{stage}/*.arrow"))


def test_two_workers_write_the_same_bytes_as_one(undisturbed: Path, tmp_path: Path) -> None:
    done = wavemill("prepare", UTTERANCES, "--out", tmp_path / "out", *JOB, "--workers", 2)
    assert done.code == 0, done.err
    assert digests(tmp_path / "out") == digests(undisturbed)


def test_a_second_run_redoes_nothing_and_changes_nothing(undisturbed: Path) -> None:
    before = digests(undisturbed)
    units = {path: path.stat().st_mtime_ns for path in kept_units(undisturbed)}
    done = wavemill("prepare", UTTERANCES, "--out", undisturbed, *JOB, "--json")
    assert done.json["reused_units"] == len(units)
    assert {path: path.stat().st_mtime_ns for path in kept_units(undisturbed)} == units
    assert digests(undisturbed) == before


@pytest.mark.parametrize("damage", ["removed", "cut", "flipped"])
def test_a_damaged_shard_is_written_again(undisturbed: Path, tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", undisturbed, out], check=True)
    tar = next(iter(sorted(out.glob("bucket-*/audio_*.tar"))))
    data = tar.read_bytes()
    if damage == "removed":
        tar.unlink()
    else:
        tar.write_bytes(data[:-1] if damage == "cut" else bytes([data[0] ^ 1]) + data[1:])
    verify = ["--verify"] if damage == "flipped" else []
    done = wavemill("prepare", UTTERANCES, "--out", out, *JOB, *verify)
    assert done.code == 0, done.err
    assert "shards: 1 in" in done.err
    assert digests(out) == digests(undisturbed)


def kill_after(seconds: float, out: Path) -> bool:
    """Start the job, kill it with its workers; say whether it was still running."""
    command = [sys.executable, "-m", "wavemill", "prepare", str(UTTERANCES), "--out", str(out)]
    process = subprocess.Popen(
        [*command, *JOB], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    time.sleep(seconds)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def kill_when(seen: Any, out: Path) -> None:
    """Start the job and kill it as soon as `seen()` is true."""
    command = [sys.executable, "-m", "wavemill", "prepare", str(UTTERANCES), "--out", str(out)]
    process = subprocess.Popen(
        [*command, *JOB], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while process.poll() is None and not seen():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_names_that_a_job_left_which_was_killed_with_all_units_made_are_cleared_away(
    undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    (out / "_work" / WANTED).write_bytes(b"names")
    assert wavemill("prepare", UTTERANCES, "--out", out, *JOB).code == 0
    assert not (out / "_work" / WANTED).exists()


@pytest.mark.slow  # `tests/faults` kills at more moments
def test_a_job_killed_in_every_stage_ends_with_the_same_bytes(
    undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    marks = ("_work/recordings/*", "_work/segments-*/*.arrow", "_work/tokens-mvq-*/*.arrow",
             "_work/plan-*/*.arrow", "_work/shards-*/*.json")  # fmt: skip
    reused = 0
    for mark in marks:
        kill_when(lambda mark=mark: any(out.glob(mark)), out)
        assert not (out / "dataset.json").exists()
        finished = len(list(kept_units(out)))
        assert finished >= reused
        reused = finished
    done = wavemill("prepare", UTTERANCES, "--out", out, *JOB, "--json")
    assert done.code == 0, done.err
    assert done.json["reused_units"] == reused > 0
    assert digests(out) == digests(undisturbed)
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert run["reused_units"] == reused
    assert run["dataset"] == json.loads((undisturbed / "dataset.json").read_text("utf-8"))["digest"]


@pytest.mark.slow
def test_ten_kills_at_random_moments_leave_no_trace(undisturbed: Path, tmp_path: Path) -> None:
    dice = random.Random(5)
    out = tmp_path / "out"
    for _ in range(10):
        kill_after(dice.uniform(0.5, 12), out)
    done = wavemill("prepare", UTTERANCES, "--out", out, *JOB)
    assert done.code == 0, done.err
    assert digests(out) == digests(undisturbed)


def test_another_tokenizer_costs_only_itself(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", undisturbed, out], check=True)
    segments = {path: path.stat().st_mtime_ns for path in out.glob("_work/segments-*/*.arrow")}
    done = wavemill("prepare", UTTERANCES, "--out", out, *JOB, "--tokenizer",
                    "beats:name=other,seed=7", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["reused_units"] == 3 * len(segments)
    after = {path: path.stat().st_mtime_ns for path in out.glob("_work/segments-*/*.arrow")}
    assert after == segments
    assert set(wavemill("inspect", out, "--json").json["tokenizers"]) == {"beats", "mvq", "other"}
    assert wavemill("lint", out).code == 0


def test_a_changed_recording_redoes_its_unit_alone(tmp_path: Path) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    subprocess.run(["cp", "-r", SPEECH, corpus], check=True)
    manifest = corpus / "manifest.jsonl"
    first = wavemill("prepare", manifest, "--out", out, *JOB, "--json")
    assert first.code == 0, first.err
    units = len(list(out.glob("_work/segments-*/*.arrow")))
    rows = read_jsonl(manifest)
    rows[30]["text"] = "something else was said"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    second = wavemill("prepare", manifest, "--out", out, *JOB, "--json")
    assert second.json["reused_units"] == 3 * (units - 1)


def test_a_killed_job_is_no_dataset_and_says_what_to_do(tmp_path: Path) -> None:
    out = tmp_path / "out"
    kill_when(lambda: any(out.glob("_work/segments-*/*.arrow")), out)
    for command in ("inspect", "lint"):
        done = wavemill(command, out)
        assert done.code == 1
        assert "run the same" in done.err
        assert "Traceback" not in done.err


def test_a_dry_run_writes_nothing_and_counts_what_is_to_do(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = wavemill("prepare", UTTERANCES, "--out", out, *JOB, "--dry-run", "--json")
    assert done.json["recordings"] == len(read_jsonl(UTTERANCES))
    assert sum(done.json["units_to_do"].values()) == 3 * done.json["units"]
    assert not out.exists()


def test_a_second_job_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "wavemill", "prepare", str(UTTERANCES), "--out", str(out)]
    first = subprocess.Popen([*command, *JOB], stderr=subprocess.DEVNULL)
    while not any(out.glob("_work/segments-*/*.arrow")):
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    second = wavemill("prepare", UTTERANCES, "--out", out, *JOB)
    os.kill(first.pid, signal.SIGCONT)
    assert first.wait() == 0
    assert second.code == 1
    assert "another job" in second.err
