"""Batches onto a device: through pinned memory that is used again, on a stream of their own.

A copy from ordinary host memory makes both sides wait. Here each batch is written to pinned staging
memory and copied on a stream beside the model's, by a thread of its own: the trainer takes batches
that are there, or all but. On a CPU batches are given out as they are.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import torch

from wavemill.loader.batch import map_tensors
from wavemill.loader.making import Made

IN_FLIGHT = 2
"""Batches that are copied while another is used."""

_Copied = tuple[Made, Callable[[], Any]]
"""A batch, and what waits for its copy and gives it."""


def hand_over(made: Iterator[Made], device: torch.device) -> Iterator[Made]:
    """Yield batches in order, on a device."""
    return made if device.type == "cpu" else _through_staging(made, CudaCopier(device))


def _through_staging(made: Iterator[Made], copier: "CudaCopier") -> Iterator[Made]:
    copied: SimpleQueue[_Copied | BaseException | None] = SimpleQueue()
    room, ended = threading.Semaphore(IN_FLIGHT), threading.Event()

    def copy() -> None:
        try:
            for batch in made:
                room.acquire()
                if ended.is_set():
                    break
                copied.put((batch, copier.start(batch.value)))
            copied.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where batches are taken
            copied.put(error)
        finally:
            # Here, since it runs here: what makes batches ends with it.
            getattr(made, "close", lambda: None)()

    thread = threading.Thread(target=copy, name="hand-over", daemon=True)
    thread.start()
    try:
        while (found := copied.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            room.release()
            batch, finish = found
            yield replace(batch, value=finish())
    finally:
        ended.set()
        room.release()
        thread.join()


@dataclass
class _Staging:
    """Pinned memory for one batch."""

    memory: torch.Tensor
    free: Any
    """An event after which it may be written to again."""


class CudaCopier:
    """Copies batches to a GPU, a few at a time."""

    def __init__(self, device: torch.device) -> None:
        """Use a stream of its own."""
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)
        self._stagings: deque[_Staging] = deque()

    def start(self, value: Any) -> Callable[[], Any]:
        """Begin to copy what is in a batch; what is returned waits for it and gives it."""
        moved: list[torch.Tensor] = []
        used = 0

        def copy(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal used
            end = used + tensor.nbytes
            pinned = staging.memory[used:end].view(tensor.dtype).view(tensor.shape)
            pinned.copy_(tensor)
            used = _aligned(end)
            moved.append(self._send(pinned))
            return moved[-1]

        with torch.cuda.stream(self._stream):
            staging = self._staging(_bytes_of(value))
            result = map_tensors(value, copy)
            staging.free.record(self._stream)
        self._stagings.append(staging)

        def finish() -> Any:
            user = torch.cuda.current_stream(self._device)
            user.wait_event(staging.free)
            for tensor in moved:
                # So that its memory is not given to the next copy while the model reads it.
                tensor.record_stream(user)
            return result

        return finish

    def _staging(self, size: int) -> _Staging:
        """Return staging memory that no copy uses, of this many bytes or more."""
        old = self._stagings.popleft() if len(self._stagings) > IN_FLIGHT else None
        if old is not None:
            old.free.synchronize()
            if old.memory.nbytes >= size:
                return old
        return _Staging(self._pinned(max(size, 1)), torch.cuda.Event())

    def _pinned(self, size: int) -> torch.Tensor:
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def _send(self, pinned: torch.Tensor) -> torch.Tensor:
        return pinned.to(self._device, non_blocking=True)


ALIGNMENT = 64


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _bytes_of(value: Any) -> int:
    total = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal total
        total += _aligned(tensor.nbytes)
        return tensor

    map_tensors(value, count)
    return total
