"""Statistics of lengths are those that one gets by looking at every sample."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.loader.adapters.shards import Shards
from wavemill.report.estimates import estimate
from wavemill.report.lengths import measure_lengths
from wavemill.report.spread import Spread, bins_of
from wavemill.sharding.dataset import Dataset

LENGTHS = st.lists(st.floats(0, 1e8) | st.integers(0, 5000).map(float), min_size=1, max_size=200)


@settings(max_examples=40)
@given(LENGTHS, st.integers(1, 40), st.integers(1, 100))
def test_bars_are_the_counts_between_their_edges(values: list[float], part: int, most: int) -> None:
    spread, array = Spread(), np.array(values)
    for start in range(0, len(array), part):
        piece = array[start : start + part]
        spread.add(piece, bins_of(piece))
    bars = spread.bars(max(most, 22))
    plain = np.histogram(array, bars.edges)[0]
    at_the_end = int((array == bars.edges[-1]).sum())  # numpy's last bin is closed, ours is not
    assert at_the_end == 0
    assert bars.counts.tolist() == plain.tolist()
    assert bars.below + bars.counts.sum() == len(values)
    assert len(bars.counts) <= max(most, 22)
    assert (spread.smallest, spread.largest) == (array.min(), array.max())
    assert spread.mean == pytest.approx(array.mean())
    for share in (0.0, 0.1, 0.5, 0.99, 1.0):
        exact = np.quantile(array, share, method="inverted_cdf")
        if exact > 0.001:
            assert spread.quantile(share) == pytest.approx(exact, rel=0.0906)


def test_lengths_and_ids_are_those_of_all_samples(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    facts = measure_lengths(dataset, lambda _: None)
    shards = Shards(dataset.url)
    samples = [sample for shard in range(len(shards)) for sample in shards.read(shard)]
    buckets = [shard.bucket for shard in shards.corpus.shards for _ in range(shard.samples)]
    seconds = np.array([sample.cut["duration"] for sample in samples if sample.cut])
    longest = np.array([max(map(len, sample.tokens.values())) for sample in samples])
    assert facts.seconds.samples == len(samples) == 60
    assert facts.seconds.total == pytest.approx(seconds.sum())
    for stream, spread in facts.tokens.items():
        own = [len(sample.tokens[stream]) for sample in samples]
        assert (spread.total, spread.smallest, spread.largest) == (sum(own), min(own), max(own))
        assert spread.total == dataset.content["tokenizers"][stream]["tokens"]
    padded = 0.0
    for use in facts.buckets:
        mine = np.array([bucket == use.name for bucket in buckets])
        assert use.samples == mine.sum()
        assert use.padding_seconds == pytest.approx(
            1 - seconds[mine].sum() / (mine.sum() * seconds[mine].max())
        )
        assert use.padding_tokens == pytest.approx(
            1 - longest[mine].sum() / (mine.sum() * longest[mine].max())
        )
        padded += float(mine.sum() * seconds[mine].max())
    assert facts.padding[0] == pytest.approx(1 - seconds.sum() / padded)
    grid = np.zeros_like(facts.grid)
    np.add.at(grid, (bins_of(seconds), bins_of(longest)), 1)
    assert (facts.grid == grid).all()

    found = estimate(dataset, 1, lambda _: None)
    assert found.whole
    for stream, counts in found.ids.items():
        used = dataset.content["tokenizers"][stream]["used"]
        assert np.count_nonzero(counts) == used
    assert found.speakers.samples.total() == 60
    assert sum(found.languages.seconds.values()) == pytest.approx(seconds.sum())


def test_of_many_samples_some_are_read(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    found = estimate(dataset, 1, lambda _: None, wanted=20)
    assert found.read == 20
    assert not found.whole
    assert found.scale == 3.0
