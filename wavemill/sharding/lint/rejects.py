"""Check `rejected.jsonl` against what `dataset.json` counts of it."""

from collections import Counter

from wavemill import storage
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint.files import read_objects
from wavemill.sharding.lint.report import Report
from wavemill.sharding.schema import TEXT, Shape, fault

NAME = "rejected.jsonl"
REJECT: Shape = dict.fromkeys(("id", "recording", "stage", "reason", "detail", "source"), TEXT)
INGEST = "ingest"
"""The stage whose rejects are recordings of their own, even where two have the same id."""
AGAIN = "give the same `wavemill prepare` again, which writes it anew"


def check_rejects(dataset: Dataset, report: Report) -> None:
    """Report lines that are no rejects, and counts that are not theirs."""
    reasons: Counter[str] = Counter()
    recordings: set[str] = set()
    ingested = 0
    try:
        # As it was written: a file's name may hold bytes that are no text.
        for row in read_objects(storage.join(dataset.url, NAME), "surrogateescape"):
            if problem := fault(row, REJECT):
                raise ValueError(f"{problem} in line {reasons.total() + 1}")  # noqa: TRY301
            reasons[row["reason"]] += 1
            if row["stage"] == INGEST:
                ingested += 1
            else:
                recordings.add(row["recording"])
    except (OSError, ValueError) as error:
        report.add(NAME, "", f"{NAME} cannot be read: {error}; {AGAIN}")
        return
    stated = dataset.content["rejected"]
    for reason in sorted({*reasons, *stated}):
        report.compare(f"rejected.{reason}", stated.get(reason, 0), reasons[reason])
    totals = dataset.content["totals"]
    found = ingested + len(recordings)
    report.compare("totals.rejected_recordings", totals["rejected_recordings"], found)
