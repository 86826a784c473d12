"""Every sample once, whatever happens: drawn corpora, ranks, workers, kills."""

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.loader.progress import Progress, from_state, to_state
from wavemill.loader.requests import Lengths
from wavemill.loader.steps import Rank, Step, steps
from wavemill.loader.windows import Windows, visits
from wavemill.sharding.batches import BatchConfig
from wavemill.sharding.budget import Budget

WORLD_SIZES = st.sampled_from([1, 2, 3, 4, 8])
SHARD_SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=12)
IDENTITY = {"data": "a", "settings": "b"}


def windows_of(
    sizes: Sequence[int],
    window: int,
    often: float = 1.0,
    seed: int = 0,
    piece: int = 16,
    *,
    tokens_alone: bool = False,
) -> Windows:
    """Make the windows of shards of drawn lengths."""
    firsts = np.cumsum([0, *sizes])

    def read(shard: int) -> Lengths:
        dice = np.random.default_rng(shard)
        seconds = dice.lognormal(1, 0.7, sizes[shard])
        tokens = (seconds * dice.uniform(5, 25, sizes[shard])).astype(np.int64)
        return Lengths(seconds=seconds, tokens=tokens, stored=seconds)

    found = visits(np.array(sizes), np.full(len(sizes), often), piece)
    budget = Budget(tokens=600) if tokens_alone else Budget(seconds=30)
    config = BatchConfig(budget=budget, num_buckets=3, num_sub_buckets=2, seed=seed)
    return Windows(found, firsts, config, window, read, tokens_alone=tokens_alone)


def ids(step: Step) -> list[tuple[int, int]]:
    window = step.window
    pairs = zip(window.shard[step.members], window.position[step.members], strict=True)
    return [(int(shard), int(position)) for shard, position in pairs]


def epoch_of(windows: Windows, progress: Progress, world_size: int) -> list[list[Step]]:
    """Return the steps of every rank."""
    return [
        list(steps(windows, progress, Rank(rank=rank, world_size=world_size)))
        for rank in range(world_size)
    ]


def everything(sizes: Sequence[int]) -> Counter[tuple[int, int]]:
    return Counter((shard, n) for shard, size in enumerate(sizes) for n in range(size))


@settings(max_examples=60)
@given(SHARD_SIZES, st.integers(10, 400), WORLD_SIZES, st.integers(0, 5), st.booleans())
def test_ranks_get_every_sample_once_in_as_many_batches_of_the_same_bucket_at_each_step(
    sizes: list[int], window: int, world_size: int, epoch: int, tokens_alone: bool
) -> None:
    windows = windows_of(sizes, window, tokens_alone=tokens_alone)
    ranks = epoch_of(windows, Progress(epoch=epoch), world_size)
    assert len({len(own) for own in ranks}) == 1
    for step in zip(*ranks, strict=True):
        assert len({own.bucket for own in step}) == 1
        assert len({own.after for own in step}) == 1
    seen = Counter(name for own in ranks for step in own if not step.repeats for name in ids(step))
    assert seen == everything(sizes)


@settings(max_examples=60)
@given(
    SHARD_SIZES,
    st.integers(10, 400),
    st.lists(st.tuples(WORLD_SIZES, st.floats(0, 1)), min_size=1, max_size=4),
    WORLD_SIZES,
)
def test_killed_after_any_batch_and_resumed_on_other_ranks_the_union_is_exact(
    sizes: list[int], window: int, kills: list[tuple[int, float]], last: int
) -> None:
    windows = windows_of(sizes, window)
    progress, seen = Progress(), Counter[tuple[int, int]]()
    for world_size, share in [*kills, (last, 1.0)]:
        ranks = epoch_of(windows, progress, world_size)
        taken = int(share * len(ranks[0]))
        for own in ranks:
            seen.update(name for step in own[:taken] if not step.repeats for name in ids(step))
        if taken:
            progress = ranks[0][taken - 1].after
        progress = from_state(to_state(progress, IDENTITY), IDENTITY, windows.count)
        if progress.epoch:
            break
    assert progress.epoch == 1
    # What was repeated to fill a step is not owed to those who come after.
    assert seen == everything(sizes)


@settings(max_examples=40)
@given(SHARD_SIZES, st.integers(10, 400), WORLD_SIZES, st.floats(0, 1))
def test_resumed_on_as_many_ranks_it_goes_on_as_if_nothing_had_happened(
    sizes: list[int], window: int, world_size: int, share: float
) -> None:
    windows = windows_of(sizes, window)
    whole = epoch_of(windows, Progress(), world_size)
    taken = int(share * (len(whole[0]) - 1)) + 1
    after = whole[0][taken - 1].after
    rest = [] if after.epoch else epoch_of(windows, after, world_size)
    for own, before in zip(rest, whole, strict=False):
        assert [ids(step) for step in own] == [ids(step) for step in before[taken:]]


def test_epochs_differ_and_another_seed_gives_another_order() -> None:
    sizes, found = [50] * 8, []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        (own,) = epoch_of(windows_of(sizes, 100, seed=seed), Progress(epoch=epoch), 1)
        found.append({frozenset(ids(step)) for step in own})
    assert len(found[0] & found[1]) < 0.2 * len(found[0])
    assert len(found[0] & found[2]) < 0.2 * len(found[0])


def test_a_window_is_made_of_many_shards_even_where_one_is_larger_than_it() -> None:
    windows = windows_of([400, 400, 400, 400], 200, piece=12)
    assert windows.count == 8
    for number in range(8):
        assert len({shard for shard, _, _ in windows.pieces(0, number)}) == 4
        assert 150 < len(windows.plan(0, number).seconds) < 250


@pytest.mark.parametrize("often", [1.0, 1.5, 3.0])
def test_samples_that_should_come_more_often_do(often: float) -> None:
    sizes = [300] * 4
    (own,) = epoch_of(windows_of(sizes, 400, often), Progress(), 1)
    seen = Counter(name for step in own for name in ids(step))
    assert set(seen) == set(everything(sizes))
    assert seen.total() == pytest.approx(1200 * often, rel=0.03)
    assert max(seen.values()) == int(np.ceil(often))
    if often == 1.5:
        (other,) = epoch_of(windows_of(sizes, 400, often), Progress(epoch=1), 1)
        twice = [
            {name for name, times in Counter(n for s in epoch for n in ids(s)).items() if times > 1}
            for epoch in (own, other)
        ]
        assert 0.3 < len(twice[0] & twice[1]) / len(twice[0]) < 0.7


@settings(max_examples=40)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=9), st.floats(1, 4), st.integers(1, 99))
def test_visits_cover_every_shard_as_often_as_they_should(
    sizes: list[int], often: float, piece: int
) -> None:
    found = visits(np.array(sizes), np.full(len(sizes), often), piece)
    assert int((found.last - found.first).max()) <= piece
    assert float(found.expected.sum()) == pytest.approx(sum(sizes) * often)
    for shard, size in enumerate(sizes):
        of_shard = found.shard == shard
        for copy in range(int(np.ceil(often))):
            own = of_shard & (found.copy == copy)
            edges = sorted(zip(found.first[own].tolist(), found.last[own].tolist(), strict=True))
            assert edges[0][0] == 0
            assert edges[-1][1] == size
            assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))
