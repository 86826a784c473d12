"""How fast it goes: what was in the batches, and how long the trainer waited for them."""

import time
from collections.abc import Iterator

from wavemill.loader import Batch
from wavemill.loader.statistics import Statistics
from wavemill.models.training.data import Loader


class Pace:
    """Counts over the last steps, of this rank, and gives batches epoch after epoch."""

    def __init__(self, loader: Loader) -> None:
        """Begin to count."""
        self._loader = loader
        self._before, self._done = Statistics(), Statistics()
        self._current: Statistics | None = None
        self._since = time.perf_counter()

    def batches(self) -> Iterator[Batch]:
        """Yield batches without end, unless there are none."""
        while True:
            for batch in self._loader:
                self._current = self._loader.statistics
                yield batch
            if self._current is None:
                return
            self._done, self._current = self._total(), None

    def take(self) -> dict[str, float]:
        """Return rates and shares since this was asked last, of this rank."""
        now, elapsed = self._total(), time.perf_counter() - self._since
        before, self._before, self._since = self._before, now, time.perf_counter()
        name = "tokens" if now.tokens else "seconds"
        real = getattr(now, name) - getattr(before, name)
        padded = getattr(now, f"padded_{name}") - getattr(before, f"padded_{name}")
        return {
            f"{name}_per_second": real / elapsed,
            "padding": 1 - real / padded if padded else 0.0,
            "data_wait": (now.waited - before.waited) / elapsed,
        }

    def _total(self) -> Statistics:
        total = Statistics()
        for part in (self._done, self._current):
            if part is not None:
                total.add(part)
                total.waited += part.waited
        return total


def words(loss: float, rates: dict[str, float], ranks: int) -> str:
    """Say it in a line; rates are of one rank of as many."""
    speed = next(name for name in rates if name.endswith("_per_second"))
    what = {"tokens_per_second": "tokens/s", "seconds_per_second": "s of audio/s"}[speed]
    return (
        f"loss {loss:.4g}, {rates[speed] * ranks:,.0f} {what},"
        f" padding {rates['padding']:.1%}, data wait {rates['data_wait']:.1%}"
    )
