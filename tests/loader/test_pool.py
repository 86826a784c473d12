"""What processes that make batches do to each other: errors, ends, and what each draws."""

import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from wavemill.errors import JobError
from wavemill.loader import Sample, ShardLoader


def big(samples: Sequence[Sample]) -> list[bytes]:
    """Give more than a pipe takes at once, so that its worker is always in the midst of it."""
    return [bytes(1 << 22) for _ in samples]


def no_more(_: Sequence[Sample]) -> list[int]:
    time.sleep(60)
    return []


@pytest.mark.parametrize("collate", [None, big, no_more])
def test_killed_workers_are_an_error_of_the_next_batch_and_no_hang(
    tokens: Path, collate: Callable[[Sequence[Sample]], object] | None
) -> None:
    more = {} if collate is None else {"collate": collate}
    loader = ShardLoader(tokens, batch_size=1, workers=2, **more)  # type: ignore[arg-type]
    before = set(psutil.Process().children())
    given = iter(loader)
    killer = threading.Thread(target=kill_two_but, args=[before])
    if collate is no_more:
        killer.start()
    else:
        next(given)
        # Nothing is raised here, in the midst of what a trainer does with its batch.
        kill_two_but(before)
    with pytest.raises(JobError, match="worker of the loader ended"):
        list(given)
    if collate is no_more:
        killer.join()


def kill_two_but(before: set[psutil.Process]) -> None:
    """Kill what is started since, and wait for it, as one's own handler of SIGCHLD may do."""
    workers: set[psutil.Process] = set()
    while len(workers) < 2:
        workers = set(psutil.Process().children()) - before
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    psutil.wait_procs(workers, timeout=20)


TRAINER = """
import sys, time
from wavemill.loader import ShardLoader
loader = ShardLoader(sys.argv[1], batch_size=2, workers=int(sys.argv[2]))
for batch in loader:
    print(len(batch), flush=True)
    time.sleep(0.05)
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_trainer_leaves_no_shared_memory_and_no_process(
    tokens: Path, workers: int
) -> None:
    command = [sys.executable, "-c", TRAINER, str(tokens), str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as trainer:
        assert trainer.stdout is not None
        trainer.stdout.readline()
        children = psutil.Process(trainer.pid).children(recursive=True)
        trainer.kill()
        trainer.wait()
    deadline = time.monotonic() + 20
    while any(child.is_running() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [child for child in children if child.is_running()]
    pids = [str(process) for process in (trainer.pid, *(child.pid for child in children))]
    left = [path for path in Path("/dev/shm").iterdir() if any(p in path.name for p in pids)]
    assert not left


class PickyError(Exception):
    """Holds what cannot be pickled."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.why = lambda: words


def test_an_error_of_a_collate_is_its_own(tokens: Path) -> None:
    def fails(_: Sequence[Sample]) -> None:
        raise RuntimeError("no such word")

    def fails_oddly(_: Sequence[Sample]) -> None:
        raise PickyError("no such word")

    for workers in (0, 1):
        with pytest.raises(RuntimeError, match="no such word"):
            list(ShardLoader(tokens, batch_size=9, collate=fails, workers=workers))
    with pytest.raises(JobError, match="a worker of the loader failed: PickyError: no such word"):
        list(ShardLoader(tokens, batch_size=9, collate=fails_oddly, workers=1))


def test_what_cannot_be_handed_over_is_told(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_size=9, workers=1, collate=lambda _: lambda: None)
    with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
        list(loader)


def test_a_collate_that_draws_draws_in_each_worker_its_own(tokens: Path) -> None:
    def draw(_: Sequence[Sample]) -> tuple[float, float, float]:
        legacy = float(np.random.rand())  # noqa: NPY002 - the global one
        return random.random(), legacy, float(torch.rand(()))

    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        drawn.append(list(ShardLoader(tokens, batch_size=9, workers=3, collate=draw)))
    assert drawn[0] == drawn[1]
    for ways in zip(*drawn[0], strict=True):
        assert len(set(ways)) == len(drawn[0])


def test_workers_are_gone_once_a_loader_is_left(tokens: Path) -> None:
    before = set(psutil.Process().children())
    given = iter(ShardLoader(tokens, batch_size=1, workers=2))
    next(given)
    assert len(set(psutil.Process().children()) - before) == 2
    given.close()  # type: ignore[attr-defined] # a generator
    assert not set(psutil.Process().children()) - before


SPAWNING = """
import sys, torch
from wavemill.loader import ShardLoader
if __name__ == "__main__":
    torch.multiprocessing.set_start_method("spawn")
    print(sum(len(batch) for batch in ShardLoader(sys.argv[1], batch_size=9, workers=2)))
"""


def test_workers_may_be_spawned(tokens: Path, tmp_path: Path) -> None:
    script = tmp_path / "spawning.py"
    script.write_text(SPAWNING)
    command = [sys.executable, str(script), str(tokens)]
    assert subprocess.run(command, check=True, capture_output=True).stdout.split() == [b"400"]
