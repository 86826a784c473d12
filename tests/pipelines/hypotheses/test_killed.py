"""A job that is killed, and one with two workers: the same bytes, with a real recognizer."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import UTTERANCES, wavemill
from tests.pipelines.hypotheses.test_run import digests

pytestmark = pytest.mark.slow

JOB = ("--recognizer", "pocketsphinx", "--unit-mb", "0.1", "--quiet", "--noise", "20")


def test_kills_and_workers_change_no_byte(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    done = wavemill("hypotheses", UTTERANCES, "--out", whole, *JOB, "--workers", 2)
    assert done.code == 0, done.err
    out, draw = tmp_path / "out", random.Random(4)
    command = [sys.executable, "-m", "wavemill", "hypotheses", str(UTTERANCES), "--out", str(out),
               *JOB, "--workers", "1"]  # fmt: skip
    for _ in range(4):
        job = subprocess.Popen(command, start_new_session=True)
        time.sleep(draw.uniform(6, 15))
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    assert subprocess.run(command, check=False).returncode == 0
    assert digests(out) == digests(whole)
    assert not [path for path in out.rglob("*") if path.name.endswith(".partial")]
