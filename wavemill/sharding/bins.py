"""Buckets under the option names of lhotse's and NeMo's samplers, out and in.

`bucket_duration_bins` are upper bounds of durations, or of (duration, tokens); lhotse takes a bound
as exclusive and NeMo as inclusive, so the bounds written lie between two durations that occur. Both
drop nothing then, also in NeMo's strict mode (`bucketing_2d_strict_mode`), and neither does
`max_tps`, the most tokens a second of each bucket.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

from wavemill import storage
from wavemill.errors import JobError
from wavemill.sharding.buckets import Bounds, Floats, Ints, find_bounds
from wavemill.sharding.budget import BucketSize, Budget

BLOCK = 1 << 20
DIGITS = 17
"""More make no difference to a float."""


def export_bins(
    seconds: Floats, tokens: Ints, budget: Budget, num_buckets: int, num_sub_buckets: int
) -> dict[str, Any]:
    """Cut a corpus into buckets and describe them as options of NeMo's data loader.

    Args:
        seconds: durations, [N], 1 or more.
        tokens: lengths in tokens, [N].
        budget: that gives the batch sizes.
        num_buckets: cuts by duration.
        num_sub_buckets: cuts of each of them by tokens; with 1 the bins are plain durations.

    """
    bounds = cut_bounds(seconds, tokens, num_buckets, num_sub_buckets)
    sizes = budget.capacity(
        np.array([bucket.max_seconds for bucket in bounds.buckets]),
        np.array([bucket.max_tokens for bucket in bounds.buckets]),
    )
    return describe_bins(bounds, sizes.tolist(), seconds, tokens, in_pairs=num_sub_buckets > 1)


def cut_bounds(seconds: Floats, tokens: Ints, num_buckets: int, num_sub_buckets: int) -> Bounds:
    """Find the bounds of samples in any order; see `find_bounds`."""
    by_length = np.argsort(seconds)
    return find_bounds(seconds[by_length], tokens[by_length], num_buckets, num_sub_buckets)


def describe_bins(
    bounds: Bounds, sizes: list[int], seconds: Floats, tokens: Ints, *, in_pairs: bool
) -> dict[str, Any]:
    """Describe buckets and their batch sizes as options of NeMo's data loader.

    Args:
        bounds: the buckets.
        sizes: of the batches of each.
        seconds: durations of the samples that were cut into them, [N].
        tokens: their lengths in tokens, [N].
        in_pairs: whether bins are pairs of duration and tokens, not plain durations.

    """
    ordered = np.sort(seconds)
    following = np.append(ordered, np.inf)[np.searchsorted(ordered, bounds.seconds, "right")]
    del ordered
    ends = zip(bounds.seconds.tolist(), following.tolist(), strict=True)
    above = {bound: _between(bound, limit) for bound, limit in ends}
    bins = [(above[bucket.max_seconds], bucket.max_tokens) for bucket in bounds.buckets]
    rates = _most_tokens_a_second(seconds, tokens, bounds)
    return {
        "use_bucketing": True,
        "num_buckets": len(bounds.seconds),
        "bucket_duration_bins": [list(pair) for pair in bins]
        if in_pairs
        else [duration for duration, _ in bins],
        "bucket_batch_size": sizes,
        "max_tps": [_at_least(rate) for rate in rates.tolist()],
    }


def _between(bound: float, limit: float) -> float:
    """Return the shortest number above a bound and below a limit."""
    for digits in range(2, DIGITS):
        rounded: float = round(math.floor(bound * 10**digits + 1) / 10**digits, digits)
        if bound < rounded < limit:
            return rounded
    return math.nextafter(bound, math.inf)


def _at_least(rate: float) -> float:
    """Return the least number of two digits that is no less than a rate."""
    whole = math.ceil(rate * 100)
    # The product may have been rounded down to a whole number, and no quotient of it is enough.
    return whole / 100 if whole / 100 >= rate else (whole + 1) / 100


def _most_tokens_a_second(seconds: Floats, tokens: Ints, bounds: Bounds) -> Floats:
    rates = np.zeros(len(bounds.buckets))
    for start in range(0, len(seconds), BLOCK):
        some = slice(start, start + BLOCK)
        where = bounds.place(seconds[some], tokens[some])
        np.maximum.at(rates, where, tokens[some] / seconds[some])
    return rates


def bins_as_yaml(options: Mapping[str, Any]) -> list[str]:
    """Write options as YAML, a line each."""
    return [f"{name}: {_as_text(value)}" for name, value in options.items()]


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")


def read_profile_file(url: str) -> list[BucketSize]:
    """Read a profile, a YAML file.

    Raises:
        JobError: it cannot be read, or is no profile.

    """
    try:
        return read_profile(yaml.safe_load(storage.read_bytes(url)), url)
    except yaml.YAMLError as error:
        raise JobError(f"{url}: not YAML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise JobError(f"cannot read {url}: {error.strerror or error}; give a file") from error


def read_profile(options: Any, where: str) -> list[BucketSize]:
    """Read `bucket_duration_bins` and `bucket_batch_size` of a mapping, as a profile gives them.

    Raises:
        JobError: one is missing or they do not match; the message begins with `where`.

    """
    names = ("bucket_duration_bins", "bucket_batch_size")
    bins, sizes = (options.get(name) if isinstance(options, Mapping) else None for name in names)
    if not isinstance(bins, list) or not isinstance(sizes, list) or len(bins) != len(sizes):
        raise JobError(f"{where}: give lists of equal length as {' and '.join(names)}")
    try:
        pairs = [bound if isinstance(bound, list) else [bound, math.inf] for bound in bins]
        profile = [
            BucketSize(max_seconds=float(longest), max_tokens=float(most), size=int(size))
            for (longest, most), size in zip(pairs, sizes, strict=True)
        ]
    except (TypeError, ValueError) as error:
        words = "bins are durations or pairs of duration and tokens, sizes whole numbers"
        raise JobError(f"{where}: {words} ({error})") from error
    if not profile or min(bucket.size for bucket in profile) < 1:
        raise JobError(f"{where}: {names[1]} needs sizes of 1 or more")
    return profile
