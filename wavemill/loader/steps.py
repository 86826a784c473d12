"""The steps of an epoch that a rank takes, each a batch of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np

from wavemill.loader.progress import Progress
from wavemill.loader.requests import Requests
from wavemill.loader.share import deal_window
from wavemill.loader.windows import Window, Windows
from wavemill.sharding.buckets import Ints
from wavemill.sharding.draw import as_uniform
from wavemill.sharding.ranks import RankPlan


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Which of the processes that train together this is."""

    rank: int = 0
    world_size: int = 1
    accumulate: int = 1
    """Batches of each rank that make up a step."""

    @property
    def dealt(self) -> int:
        """For how many batches a step a window is dealt out; alone it decides the order."""
        return self.world_size * self.accumulate


@dataclass(frozen=True, kw_only=True)
class Step:
    """A batch to be made."""

    window: Window
    members: Ints
    """Of the window's samples, [B]."""
    bucket: str
    seconds: float
    """Of all its samples."""
    tokens: int
    max_seconds: float
    """Of the longest."""
    max_tokens: int
    repeats: bool
    """Whether its samples come elsewhere too, so that all ranks have as many batches."""
    after: Progress
    """Where the loader stands once the batch was taken."""

    def requests(self) -> Requests:
        """Return the samples to read."""
        window, members = self.window, self.members
        return Requests(
            shards=window.shard[members].tolist(),
            positions=window.position[members].tolist(),
            seconds=window.stored[members].tolist(),
            draws=as_uniform(window.draw[members]).tolist(),
        )


def steps(
    windows: Windows,
    progress: Progress,
    rank: Rank,
    prepare: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[Step]:
    """Yield a rank's steps from where it stands to the end of the epoch.

    The next window is planned in a thread while the present one is taken.

    Args:
        windows: of the epochs.
        progress: where to begin.
        rank: whose steps.
        prepare: is told the epoch and number of each window before it is planned.

    """

    def plan(progress: Progress) -> tuple[Window, RankPlan]:
        prepare(progress.epoch, progress.window)
        window = windows.plan(progress.epoch, progress.window)
        return window, deal_window(window, progress, rank.dealt)

    with ThreadPoolExecutor(1, thread_name_prefix="plan") as planner:
        coming = planner.submit(plan, progress)
        while True:
            window, dealt = coming.result()
            is_last = progress.window + 1 == windows.count
            following = (
                Progress(epoch=progress.epoch + 1)
                if is_last
                else Progress(epoch=progress.epoch, window=progress.window + 1)
            )
            if not is_last:
                coming = planner.submit(plan, following)
            yield from _taken(window, dealt, progress, following, rank)
            if is_last:
                return
            progress = following


def _taken(
    window: Window, dealt: RankPlan, progress: Progress, following: Progress, rank: Rank
) -> Iterator[Step]:
    plan, count = dealt.plan, dealt.steps
    if not count:
        return
    starts = plan.offsets[:-1]
    seconds = np.add.reduceat(window.seconds[plan.order], starts)
    longest = np.maximum.reduceat(window.seconds[plan.order], starts)
    tokens = np.add.reduceat(window.tokens[plan.order], starts)
    for step, part in product(range(progress.steps(rank.dealt), count), range(rank.accumulate)):
        batch = step * rank.dealt + rank.rank * rank.accumulate + part
        # In the midst of a step nothing of it counts as taken.
        taken = step + (part + 1 == rank.accumulate)
        yield Step(
            window=window,
            members=plan.batch(batch),
            bucket=plan.buckets[int(plan.bucket_of_batch[batch])].name,
            seconds=float(seconds[batch]),
            tokens=int(tokens[batch]),
            max_seconds=float(longest[batch]),
            max_tokens=int(plan.max_tokens[batch]),
            repeats=batch >= len(plan) - dealt.repeated,
            after=following if taken == count else progress.after(rank.dealt, taken),
        )
