"""Hold a dataset against what it says of itself, and against the rules of its three readers.

report.py has what is found, files.py checks that files are there and as they were written,
samples.py what they hold, totals.py the sums of `dataset.json`, rejects.py `rejected.jsonl`.
"""

from collections.abc import Callable

from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint.files import check_files, check_strays, shard_name
from wavemill.sharding.lint.rejects import check_rejects
from wavemill.sharding.lint.report import Report
from wavemill.sharding.lint.samples import ShardCheck
from wavemill.sharding.lint.totals import Tally, check_list


def lint(
    dataset: Dataset, *, decode: bool = False, show: Callable[[int], None] = lambda _: None
) -> Report:
    """Check every file, sample and array of a dataset.

    Args:
        dataset: the dataset.
        decode: decode all audio, too: seconds of work for hours of audio become minutes.
        show: takes how many shards were checked so far.

    Returns:
        What is wrong; bad data raise nothing.

    """
    report = Report()
    buckets = {row["name"] for row in dataset.content["buckets"]}
    tally = Tally(dataset)
    keys: set[str] = set()
    for shard in dataset.content["shards"]:
        report.shards += 1
        before = len(report.problems)
        if shard["bucket"] not in buckets:
            report.add(shard_name(shard), "", "its bucket is not among the buckets")
        elif check_files(dataset, shard, report):
            # Of a shard that is not as it was written, decoding names the samples.
            damaged = len(report.problems) > before
            checked = ShardCheck(dataset, shard, report, decode=decode or damaged)
            checked.check(keys)
            tally.add(shard["bucket"], checked.held)
        show(report.shards)
    if not report.problems:  # else the sums would only say so again
        tally.check(report)
    check_list(dataset, report)
    check_rejects(dataset, report)
    check_strays(dataset, report)
    return report


__all__ = ["Report", "lint"]
