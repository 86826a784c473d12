"""Batches made in threads or processes, given out in order."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torch.utils.data._utils import signal_handling

from wavemill.errors import JobError, WavemillError
from wavemill.loader.making import Made
from wavemill.loader.steps import Step


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


ENDED = re.compile(r"DataLoader worker \(pid")
"""How torch says that a process is gone; what is raised in one is told otherwise."""

Work = Callable[[int, int], Iterator[Made]]
"""Makes what is one process's of several, by its number and theirs."""


class _Worker(IterableDataset[Any]):
    """What a process runs; an error is handed over like a batch, to be raised as it was."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __iter__(self) -> Iterator[Made | WavemillError]:
        worker = get_worker_info()
        assert worker is not None
        try:
            yield from self._work(worker.id, worker.num_workers)
        except WavemillError as error:
            yield error


def in_workers(work: Work, workers: int, ahead: int) -> Iterator[Made]:
    """Make batches in processes of torch's `DataLoader`.

    Raises:
        WavemillError: what one of them raised.
        JobError: one of them was killed.

    """
    loaded = iter(
        DataLoader(_Worker(work), batch_size=None, num_workers=workers, prefetch_factor=ahead)
    )
    _let_end(loaded)
    ended = ""
    try:
        for made in loaded:
            if isinstance(made, WavemillError):
                raise made
            yield made
    except (RuntimeError, ConnectionError, EOFError) as error:
        if isinstance(error, RuntimeError) and not ENDED.match(str(error)):
            raise
        ended = str(error)  # alone: frames of its traceback, and of its causes', hold the iterator
    finally:
        # Left to the garbage collector, its queues would go first, and it wait 5 s for processes
        # that cannot hear of its end.
        del loaded
    if ended:
        raise JobError(
            f"a worker of the loader ended: {ended}; where memory ran out, give fewer workers"
        )


def _let_end(loaded: Any) -> None:
    """Have torch's handler of SIGCHLD raise nothing for the processes of an iterator.

    It would wherever the main thread stands: in a training step, and for the second of two that are
    killed while the iterator is given up for the first. That one has ended is seen without it, by
    who waits for its batch, within 5 s.
    """
    if loaded._worker_pids_set:  # noqa: SLF001 - torch has no other way
        loaded._worker_pids_set = False  # noqa: SLF001
        forget = signal_handling._remove_worker_pids  # type: ignore[attr-defined] # noqa: SLF001
        forget(id(loaded))
