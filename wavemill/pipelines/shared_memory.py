"""Memory of the driver's that workers on its machine open; it goes when the driver does."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def shared(name: str) -> Iterator[tuple[int | None, str]]:
    """Give a file in memory: its descriptor, and where workers open it; none where there is none.

    It goes with the block or this process, however it ends.
    """
    if not hasattr(os, "memfd_create"):  # no Linux
        yield None, ""
        return
    memory = os.memfd_create(name)
    try:
        yield memory, f"/proc/{os.getpid()}/fd/{memory}"
    finally:
        os.close(memory)
