"""Reading from a store: many ranges at once, each tried again where the store falters."""

from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from wavemill.errors import JobError
from wavemill.storage.asking import make_store
from wavemill.storage.faults import ABSENT, BUSY_REMEDY, OTHER, fault_of

T = TypeVar("T")

GONE = "`wavemill lint` says what else is missing, `wavemill prepare --verify` writes it anew"


class StoreError(OSError):
    """A file on a store cannot be read."""

    def __init__(self, words: str, remedy: str) -> None:
        """Keep what is wrong, and what to do about it."""
        super().__init__(words)
        self.remedy = remedy


class Store:
    """Reads ranges of files of one protocol; of the process that made it."""

    def __init__(self, protocol: str) -> None:
        """Make a file system for this process alone: its threads do not survive a fork.

        Raises:
            JobError: nothing installed reads this protocol.

        """
        try:
            self._store = make_store(protocol)
        except (ImportError, ValueError) as error:
            raise JobError(f"cannot read {protocol}://...: {error}") from error

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin some work beside all that is under way."""
        return self._store.start(work)

    async def read(self, url: str, start: int, end: int) -> bytes:
        """Read a range of a file.

        Raises:
            StoreError: it is not there, it is too short, or the store does not give it.

        """
        path = self._store.path_of(url)
        try:
            data = await self._store.read(path, start, end)
        except Exception as error:  # noqa: BLE001 - stores raise what they like
            told = _told(error)
        else:
            if len(data) == end - start:
                return data
            words = f"the store gave {len(data):,} bytes, not {end - start:,}"
            told = StoreError(words, GONE)
        raise told


def _told(error: Exception) -> StoreError:
    """Say in a line, without secrets, what a store's error means."""
    fault = fault_of(error)
    remedies = {ABSENT: GONE, OTHER: BUSY_REMEDY}
    return StoreError(fault.words, remedies.get(fault.kind, fault.remedy))
