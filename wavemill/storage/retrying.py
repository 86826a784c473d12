"""The one loop that tries again where a store falters: with pauses that grow, and never for long.

s3fs and botocore each try again, one around the other: up to 125 times, minutes of silence where a
store is down, and not at all at some errors that pass. So their tries are turned off.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wavemill.storage.faults import DOWN, StoreFaultError, fault_of

T = TypeVar("T")

WAITS = (0.0, 0.2, 0.6, 1.8, 5.0, 10.0, 15.0)
"""Seconds before each try, about."""
GIVE_UP_SECONDS = 45.0
"""After which no further try begins."""
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
"""Without a byte, after which a try has failed."""
SLOWEST = 1 << 20
"""Bytes a second, below which a try has failed."""

_log = logging.getLogger(__name__)


def limit_of(num_bytes: int) -> float:
    """Return the seconds that a try may take which moves so many bytes."""
    return 2 * SILENCE_SECONDS + num_bytes / SLOWEST


async def insist(
    attempt: Callable[[], Awaitable[T]], num_bytes: int = 0, tries: int | None = None
) -> T:
    """Try something that can be done twice until it is done.

    Args:
        attempt: starts a try.
        num_bytes: that it moves at most.
        tries: how often, if less often than usual.

    Raises:
        StoreFaultError: every try failed for a reason that may pass.
        Exception: what the first try raised that failed for good.

    """
    began, last = time.monotonic(), None
    for wait in WAITS[:tries]:
        pause = wait * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        if wait and time.monotonic() + pause - began > GIVE_UP_SECONDS:
            break
        await asyncio.sleep(pause)
        try:
            return await asyncio.wait_for(attempt(), limit_of(num_bytes))
        except Exception as error:
            last = fault_of(error)
            if last.kind != DOWN or isinstance(error, StoreFaultError):
                raise
            _log.info("tried again: %s", last.words)
    assert last is not None
    # Not `from` the last error: a traceback would show its text, which may hold secrets.
    raise StoreFaultError(last)
