"""Runs of the smallest language model, as users start them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wavemill.models.training.log import read_log

ROOT = Path(__file__).parents[3]
MODEL = ("layers=1", "width=16", "heads=1", "dropout=0.1")
STEPS = 24
SETTINGS = ("batch_seconds=4", "warmup=3", "learning_rate=0.003", "log_every=2", "save_every=4")


def command(data: Path, out: Path, *more: str, ranks: int = 1) -> list[str]:
    """The command line that trains it."""
    launch = ["-m", "wavemill"]
    if ranks > 1:
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks),
                  *launch]  # fmt: skip
    model = [word for setting in MODEL for word in ("--set", setting)]
    training = [word for setting in SETTINGS for word in ("--train", setting)]
    return [
        sys.executable, *launch, "train", "token-lm", "--data", str(data), "--out", str(out),
        "--steps", str(STEPS), "--device", "cpu", *model, *training, *more,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """One thread a process: sums come out the same however many cores are free."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def start(data: Path, out: Path, *more: str, ranks: int = 1) -> "subprocess.Popen[str]":
    """Start it, in a session of its own."""
    return subprocess.Popen(
        command(data, out, *more, ranks=ranks),
        env=environment(),
        cwd=out.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(data: Path, out: Path, *more: str, ranks: int = 1, code: int = 0) -> str:
    """Run it to its end, and return what it printed."""
    process = start(data, out, *more, ranks=ranks)
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == code, printed
    return printed


def losses(out: Path) -> list[float]:
    """The loss of each step; each has one row."""
    rows = [row for row in read_log(out) if "loss" in row]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def wait_until_logged(out: Path, step: int, process: "subprocess.Popen[str]") -> None:
    """Wait until a running process has logged a step."""
    deadline = time.monotonic() + 120
    while max((row["step"] for row in read_log(out)), default=0) < step:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def largest_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Between two curves of one length."""
    return max(abs(one - other) for one, other in zip(first, second, strict=True))
