"""No more requests and tokens a minute than a server allows: an even flow, without bursts."""

import asyncio
import time
from collections.abc import Callable


class Flow:
    """So much a minute.

    Each taker waits until what was taken before has flowed off (the "generic cell rate algorithm"
    of ATM networks, without a burst).
    """

    def __init__(self, a_minute: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """Let so much flow a minute; all if None."""
        self._seconds_each = 60.0 / a_minute if a_minute else 0.0
        self._now = now
        self._free_at = 0.0

    def take(self, amount: float) -> float:
        """Take an amount, and return the seconds to wait until it may be used."""
        now = self._now()
        start = max(self._free_at, now)
        self._free_at = start + amount * self._seconds_each
        return start - now

    def give_back(self, amount: float) -> None:
        """Return what was taken too much."""
        self._free_at -= amount * self._seconds_each

    def hold(self, seconds: float) -> None:
        """Let nothing flow for a time."""
        self._free_at = max(self._free_at, self._now() + seconds)


class Rates:
    """Requests and tokens a minute."""

    def __init__(self, requests_a_minute: float | None, tokens_a_minute: float | None) -> None:
        """Let so much through; None is no limit."""
        self._requests, self._tokens = Flow(requests_a_minute), Flow(tokens_a_minute)

    async def wait(self, requests: int, tokens: int) -> None:
        """Wait until so many requests of so many tokens may leave."""
        await asyncio.sleep(max(self._requests.take(requests), self._tokens.take(tokens)))

    def give_back(self, tokens: int) -> None:
        """Return tokens that were taken and not used."""
        self._tokens.give_back(tokens)

    def hold(self, seconds: float) -> None:
        """Send nothing for a time, as a server asked."""
        self._requests.hold(seconds)
