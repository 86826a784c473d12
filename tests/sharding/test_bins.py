from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.sharding.test_batches import Lengths, arrays, corpus
from wavemill.errors import JobError
from wavemill.sharding.bins import bins_as_yaml, export_bins, read_profile
from wavemill.sharding.budget import Budget

SOME = st.lists(
    st.tuples(st.floats(0.05, 60) | st.sampled_from([1.0, 1.001, 2.0]), st.integers(0, 500)),
    min_size=1,
    max_size=100,
)
BUDGET = Budget(seconds=120.0)


def nemo_bucket(options: dict[str, Any], seconds: float, tokens: int) -> int | None:
    """Find a sample's bucket by NeMo's strict rule: its duration's first bins, and `max_tps`."""
    bins = options["bucket_duration_bins"]
    longer = [bound for bound, _ in bins if bound >= seconds]
    for number, (bound, most) in enumerate(bins):
        if longer and bound == longer[0] and most >= tokens:
            return number if tokens / seconds <= options["max_tps"][number] else None
    return None


@settings(deadline=None)
@given(SOME, st.integers(1, 8), st.integers(2, 4))
@example([(59.99999999999999, 21)], 1, 2)  # 100 times its tokens a second are 35, rounded down
def test_nemo_in_strict_mode_drops_nothing(lengths: Lengths, buckets: int, subs: int) -> None:
    options = export_bins(*arrays(lengths), BUDGET, buckets, subs)
    bins = options["bucket_duration_bins"]
    assert bins == sorted(bins)
    assert len(bins) == len(options["bucket_batch_size"]) == len(options["max_tps"])
    assert options["num_buckets"] == len({bound for bound, _ in bins}) <= buckets
    for seconds, tokens in lengths:
        assert nemo_bucket(options, seconds, tokens) is not None


@pytest.mark.filterwarnings("ignore:You are using DynamicBucketingSampler:UserWarning")
def test_lhotse_samples_everything_by_plain_bins(tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse")
    from lhotse.dataset.sampling.dynamic_bucketing import (
        DynamicBucketingSampler,
        FixedBucketBatchSizeConstraint,
    )
    from lhotse.testing.dummies import dummy_cut

    seconds, tokens = corpus(400)
    options = export_bins(seconds, tokens, BUDGET, 5, 1)
    text = tmp_path / "bins.yaml"
    text.write_text("\n".join(bins_as_yaml(options)))
    options = yaml.safe_load(text.read_text())
    bins, sizes = options["bucket_duration_bins"], options["bucket_batch_size"]
    assert len(bins) == options["num_buckets"] == 5
    cuts = [dummy_cut(number, duration=float(length)) for number, length in enumerate(seconds)]
    sampler = DynamicBucketingSampler(
        lhotse.CutSet(cuts),
        constraint=FixedBucketBatchSizeConstraint(bins, sizes),
        duration_bins=bins,
        buffer_size=400,
        world_size=1,
        rank=0,
    )
    batches = [[cut.id for cut in batch] for batch in sampler]
    assert sorted(name for batch in batches for name in batch) == sorted(cut.id for cut in cuts)
    assert max(map(len, batches)) <= max(sizes)


def test_what_is_written_is_a_profile_that_can_be_read() -> None:
    options = export_bins(*corpus(1000), BUDGET, 4, 2)
    profile = read_profile(yaml.safe_load("\n".join(bins_as_yaml(options))), "bins.yaml")
    assert [bucket.size for bucket in profile] == options["bucket_batch_size"]
    assert [[bucket.max_seconds, bucket.max_tokens] for bucket in profile] == (
        options["bucket_duration_bins"]
    )


def test_bounds_are_short_numbers_between_durations_that_occur() -> None:
    seconds = np.array([1.0, 1.5, 2.25, 2.251])
    options = export_bins(seconds, np.zeros(4, np.int64), BUDGET, 4, 1)
    assert options["bucket_duration_bins"] == [1.51, 2.2501, 2.26]


@pytest.mark.parametrize(
    "options",
    [
        None,
        {"bucket_duration_bins": [1.0]},
        {"bucket_duration_bins": [1.0, 2.0], "bucket_batch_size": [3]},
        {"bucket_duration_bins": ["long"], "bucket_batch_size": [3]},
        {"bucket_duration_bins": [[1.0]], "bucket_batch_size": [3]},
        {"bucket_duration_bins": [1.0], "bucket_batch_size": [0]},
        {"bucket_duration_bins": [], "bucket_batch_size": []},
    ],
)
def test_a_profile_that_is_none_is_refused(options: object) -> None:
    with pytest.raises(JobError, match=r"^profile\.yaml: "):
        read_profile(options, "profile.yaml")
