"""Where a loader stands: a few numbers, from which it goes on at once, on any number of ranks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wavemill.errors import JobError, UsageError

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What was taken so far; the same on all ranks at the same step."""

    epoch: int = 0
    window: int = 0
    dealt: tuple[tuple[int, int], ...] = ()
    """Of the window: for how many ranks its batches were dealt out, and how many steps were taken,
    each time that the number of ranks changed."""

    def after(self, world_size: int, steps: int) -> "Progress":
        """Return where it stands once as many steps of the last deal were taken."""
        before = self.dealt[:-1] if self.dealt and self.dealt[-1][0] == world_size else self.dealt
        return Progress(epoch=self.epoch, window=self.window, dealt=(*before, (world_size, steps)))

    def steps(self, world_size: int) -> int:
        """Return how many steps of the present deal were taken."""
        return self.dealt[-1][1] if self.dealt and self.dealt[-1][0] == world_size else 0


def to_state(progress: Progress, identity: Mapping[str, str]) -> dict[str, Any]:
    """Turn progress into what a checkpoint holds: plain JSON values."""
    return {
        "format": FORMAT,
        **identity,
        "epoch": progress.epoch,
        "window": progress.window,
        "dealt": [list(pair) for pair in progress.dealt],
    }


def from_state(state: Any, identity: Mapping[str, str], windows: int) -> Progress:
    """Read what `to_state` made.

    Args:
        state: from a checkpoint.
        identity: digests of what decides the order, by what they are of.
        windows: of an epoch.

    Raises:
        JobError: it is not such a state.
        UsageError: it is of another corpus or of other settings.

    """
    if not isinstance(state, Mapping) or state.get("format") != FORMAT:
        raise JobError("this is not the state of a ShardLoader (of this version); start anew")
    for name, value in identity.items():
        if state.get(name) != value:
            raise UsageError(
                f"the state is of other {name}: batches would be made up otherwise; load it with"
                " the data and settings that it was saved with, or start anew"
            )
    try:
        epoch, window = int(state["epoch"]), int(state["window"])
        dealt = tuple((int(ranks), int(steps)) for ranks, steps in state["dealt"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise JobError(f"the state of the loader is damaged ({error!r}); start anew") from error
    whole = epoch >= 0 and 0 <= window < windows
    if not whole or any(ranks < 1 or steps < 0 for ranks, steps in dealt):
        raise JobError("the state of the loader is damaged (numbers out of range); start anew")
    return Progress(epoch=epoch, window=window, dealt=dealt)
