"""What Beam counts and times: the names, which stay as they are, and how steps keep them.

A name belongs to one step of one job, as engines may show all steps of a job together (Flink joins
ours into one operator, and shows a metric by its namespace and its name alone).
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from apache_beam.metrics.metric import Metrics, MetricsFilter

NAMESPACE = "wavemill"
SEGMENT, FINGERPRINT, RESTORE, WRITE = "segment", "fingerprint", "restore", "write"
RECOGNIZE, PARTS = "recognize", "parts"
AUDIO, FOUND, REJECTS, TIME = "audio_ms", "found", "rejects", "ms"

Measured = dict[str, Any]
"""By name: a count, or of what is a distribution `count`, `sum`, `min` and `max`."""


def tokenize(stream: str) -> str:
    """Return what the names of a token stream's metrics begin with."""
    return f"tokenize_{stream}"


class Tally(Counter[str]):
    """What a step counts while it makes one unit or shard."""

    def reject(self, reason: str | None) -> None:
        """Count a reject, in all and by its reason; None is none."""
        if reason is not None:
            self[REJECTS] += 1
            self[f"{REJECTS}_{reason.replace('-', '_')}"] += 1


@contextlib.contextmanager
def making(step: str, what: str = "units") -> Iterator[Tally]:
    """Count what a step makes, and the time that it takes; what fails is not counted.

    Args:
        step: what the names begin with.
        what: what is made.

    """
    tally = Tally()
    started = time.perf_counter()
    yield tally
    tally[what] += 1
    for name, count in tally.items():
        Metrics.counter(NAMESPACE, f"{step}_{name}").inc(count)
    note_time(f"{step}_{TIME}", started)


def note_time(name: str, started: float) -> None:
    """Note in a distribution how long something took that began at `started`."""
    elapsed = time.perf_counter() - started
    Metrics.distribution(NAMESPACE, name).update(round(1000 * elapsed))


def found(step: str, what: str = "units") -> None:
    """Count what was there already."""
    Metrics.counter(NAMESPACE, f"{step}_{what}_{FOUND}").inc()


def measured(result: Any) -> Measured:
    """Take what was measured from the result of a pipeline; nothing where its engine keeps none."""
    try:
        kept = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    except Exception:  # noqa: BLE001 - no metrics are no reason to fail a job that went well
        return {}
    values: Measured = {}
    for one in kept["counters"]:
        name = one.key.metric.name
        values[name] = values.get(name, 0) + one.result
    for one in kept["distributions"]:
        about = one.result
        values[one.key.metric.name] = {
            name: int(getattr(about, name)) for name in ("count", "sum", "min", "max")
        }
    return dict(sorted(values.items()))
