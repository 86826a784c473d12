"""Batches made in threads or processes, given out in order."""

import multiprocessing.util
import random
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler

import numpy as np
import torch
import torch.multiprocessing

from wavemill.errors import JobError, WavemillError
from wavemill.loader.making import Made
from wavemill.loader.steps import Step

Work = Callable[[int, int], Iterator[Made]]
"""Makes what is one process's of several, by its number and theirs."""

STARTING = threading.Lock()
"""Held while a worker starts: another that is forked just then would hold its end of the pipe."""
PATIENCE = 5.0
"""Seconds for workers to end by themselves, each in the midst of a batch at most."""


def in_threads(
    make: Callable[[Step], Made], found: Iterable[Step], threads: int, ahead: int
) -> Iterator[Made]:
    """Make batches in so many threads, some of them ahead; in this one if there are none."""
    if not threads:
        yield from map(make, found)
        return
    under_way: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="load")
    try:
        for step in found:
            under_way.append(pool.submit(make, step))
            if len(under_way) > ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_workers(work: Work, workers: int, ahead: int) -> Iterator[Made]:
    """Make batches in processes, so many ahead in each.

    Each has a pipe of its own, of which no other process keeps an end: that a worker is gone, even
    in the midst of a batch that it hands over, is seen at once, by who waits for its next batch and
    nowhere else.

    Raises:
        JobError: one of them was killed.
        Exception: what one of them raised.

    """
    seed = int(torch.empty((), dtype=torch.int64).random_().item())
    crew: list[_Worker] = []
    try:
        for number in range(workers):
            crew.append(_Worker(work, number, workers, seed + number))
            for _ in range(ahead):
                crew[-1].ask()
        turns = deque(crew)
        while turns:
            made = turns[0].take()
            if made is None:
                turns.popleft()
                continue
            turns[0].ask()
            turns.rotate(-1)
            yield made
    finally:
        for worker in crew:
            worker.dismiss()
        for worker in crew:
            worker.end()


class _Worker:
    """A process, as seen from the one that it works for."""

    def __init__(self, work: Work, number: int, workers: int, seed: int) -> None:
        context = torch.multiprocessing.get_context()
        with STARTING:
            self._pipe, theirs = context.Pipe()
            # By a fork each worker would hold the pipes of those before it, and its own: this end.
            multiprocessing.util.register_after_fork(self._pipe, Connection.close)
            self._process = context.Process(
                target=_serve, args=(work, number, workers, seed, theirs), daemon=True
            )
            self._process.start()
            theirs.close()

    def ask(self) -> None:
        """Have one more batch made; of one that is gone the next `take` tells."""
        with suppress(ConnectionError):
            self._pipe.send_bytes(b"")

    def take(self) -> Made | None:
        """Wait for the next batch; None where there is none left."""
        try:
            got: Made | Exception | None = self._pipe.recv()
        except (EOFError, OSError) as error:
            # A message that is cut off is an OSError without a number. Others are this process's.
            if getattr(error, "errno", None) and not isinstance(error, ConnectionError):
                raise
            self._process.join(PATIENCE)
            raise JobError(
                f"a worker of the loader ended{self._why()}; where memory ran out, give fewer"
                " workers or smaller batches"
            ) from None
        if isinstance(got, Exception):
            raise got
        return got

    def _why(self) -> str:
        code = self._process.exitcode
        if code is None:  # somebody else waited for it
            return ""
        if code >= 0:
            return f" with status {code}"
        by = f" by signal {-code} ({signal.strsignal(-code)})"
        return by + (": /dev/shm may be full" if -code == signal.SIGBUS else "")

    def dismiss(self) -> None:
        """Have it end once its batch is made."""
        self._pipe.close()

    def end(self) -> None:
        """Wait until it has ended; not for ever."""
        if not wait([self._process.sentinel], PATIENCE):
            self._process.kill()
        self._process.join(PATIENCE)


def _serve(work: Work, number: int, workers: int, seed: int, pipe: Connection) -> None:
    """Make batches as they are asked for, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end is closed by it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a trainer may save by it; this ends
    torch.set_num_threads(1)
    # For a collate that draws: a fork has the generators of all others.
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % (1 << 32))  # noqa: NPY002 - the global one is what it may use
    outcomes = _outcomes(work, number, workers)
    with suppress(EOFError, ConnectionError):
        # Also when all is given: what was handed over lies in memory that this process shares out.
        while True:
            pipe.recv_bytes()
            if outcome := next(outcomes, None):
                pipe.send_bytes(outcome)


def _outcomes(work: Work, number: int, workers: int) -> Iterator[memoryview]:
    """Yield what goes through the pipe: batches, then an error or None."""
    try:
        for made in work(number, workers):
            yield ForkingPickler.dumps(made)
    except Exception as error:  # noqa: BLE001 - raised where the batch is waited for
        yield ForkingPickler.dumps(_sendable(error))
    yield ForkingPickler.dumps(None)


def _sendable(error: Exception) -> Exception:
    """Give an error the words of its traceback, which does not travel; another if it cannot."""
    if not isinstance(error, WavemillError):  # whose words are enough
        error.add_note("in a worker of the loader:\n" + traceback.format_exc().rstrip())
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - of a class that is not ours
        return JobError(f"a worker of the loader failed: {type(error).__name__}: {error}")
    return error
