"""What a job shows while it runs, and how little looking costs."""

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from tests.pipelines.join_files import run_prepare, utterances, write_manifest
from wavemill import storage
from wavemill.pipelines import progress, watch
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job, make_job
from wavemill.pipelines.progress import Reporter, Seen
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.watch import UnitWatch, files_watch, in_words
from wavemill.specs import Spec


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that is done."""
    folder = tmp_path_factory.mktemp("watch")
    rows = utterances(20)
    rows[3]["duration"] = 99.0
    manifest = write_manifest(folder / "rows.jsonl", rows)
    run_prepare([manifest], folder / "out", max_rejected=0.5)
    settings = PrepareSettings(
        inputs=(manifest,), out=str(folder / "out"), segmenter=Spec(name="none"),
        tokenizers=(Spec(name="mvq"),), unit_mb=0.1,
    )  # fmt: skip
    return make_job(settings, Engine(), Reporter(quiet=True))


def units_of(job: Job) -> set[str]:
    return set(job.finished(job.settings.segments_stage))


def count_calls(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[Any]:
    calls: list[Any] = []
    before = getattr(place, name)

    def called(first: Any, *others: Any) -> Any:
        calls.append(first)
        return before(first, *others)

    monkeypatch.setattr(place, name, called)
    return calls


def test_a_look_finds_hours_and_rejects_and_reads_each_unit_once(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = units_of(job)
    seen = UnitWatch(job, dict.fromkeys(job.stages, units))
    monkeypatch.setattr(watch, "READ_SECONDS", 10.0)
    listed = count_calls(monkeypatch, storage, "each_name")
    read = count_calls(monkeypatch, watch, "UnitReader")
    found = seen.look()
    assert found.done == seen.total == len(units) > 1
    hours = sum(row["duration"] for row in [*utterances(20)[:3], *utterances(20)[4:]]) / 3600
    assert found.words.startswith(f"{hours:,.3g} hours, ")
    assert found.words.endswith("1 rejected (shorter-than-stated 1)")
    assert listed == [storage.join(job.spool, job.token_stages[-1])]  # the last stage alone
    assert len(read) == len(set(read)) == 2 * len(units)
    seen.look()
    assert len(listed) == 1
    assert len(read) == 2 * len(units)


def test_where_reading_takes_long_some_units_stand_for_all(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "READ_SECONDS", 0.0)
    read = count_calls(monkeypatch, watch, "UnitReader")
    seen = UnitWatch(job, {stage: units_of(job) for stage in job.stages})
    assert seen.look().words.startswith("about ")
    assert len(read) == 2
    for _ in units_of(job):
        found = seen.look()
    assert not found.words.startswith("about ")


def test_a_unit_is_done_when_the_last_stage_that_lacks_it_is(job: Job) -> None:
    units = sorted(units_of(job))
    segments, tokens = job.stages
    seen = UnitWatch(job, {segments: {units[0], "later"}, tokens: {units[0], "last"}})
    assert seen.total == 3
    assert seen.look().done == 1


def test_some_units_stand_for_all_of_many(job: Job) -> None:
    units = sorted(units_of(job))
    seen = UnitWatch(job, {stage: {units[0], "later"} for stage in job.stages}, 1000)
    assert (seen.total, seen.look().done) == (1000, 500)


def test_nothing_done_is_nothing_to_say(job: Job) -> None:
    assert UnitWatch(job, {job.stages[0]: {"later"}}).look() == Seen(done=0)
    assert files_watch(job, job.stages[0])() == Seen(done=0)


def looks_in(seconds: float, look: Callable[[], Seen], at_least: float) -> int:
    looks: list[None] = []

    def counted() -> Seen:
        looks.append(None)
        return look()

    with Reporter().counting("units", 10, counted, at_least):
        time.sleep(seconds)
    return len(looks)


def test_looks_that_take_long_come_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    def slow() -> Seen:
        time.sleep(0.05)
        return Seen(done=1)

    # At most every 1.05 s, and once at the end.
    assert looks_in(1.5, slow, 0.001) <= 3
    assert looks_in(0.5, lambda: Seen(done=1), 10.0) == 1
    assert "units: 10 in " in capsys.readouterr().err


def test_a_store_is_asked_less_often_than_a_disk() -> None:
    assert watch.STORE_SECONDS >= 10 > progress.POLL_SECONDS


def test_nobody_looks_for_a_quiet_job() -> None:
    with Reporter(quiet=True).counting("units", 10, lambda: pytest.fail("looked"), 0.0):
        time.sleep(0.05)


def test_lines_say_how_far_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    with Reporter().stage("units", 4) as show:
        time.sleep(0.1)
        show(1, "1.5 hours")
        show(2, "2 hours")  # too soon
    first, last = capsys.readouterr().err.splitlines()
    assert first == "units: 1 of 4, 1.5 hours, 0:00:00 left"
    assert last.startswith("units: 4 in 0.1 s, 2 hours")


@pytest.mark.parametrize("width", [40, 60, 160])
def test_no_line_of_a_bar_is_wider_than_the_terminal(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None)
    with progress._Bar(console) as bar:
        bar.add_task("units", total=20_000, completed=10_000, left="12:00:00 left")
        bar.words = "12.3 hours, 64 an hour, 1,234 rejected (shorter-than-stated 1,234, ...)"
    lines = [line.rsplit("\r", 1)[-1] for line in file.getvalue().split("\n")]
    shown = [line for line in lines if "units" in line or "hours" in line]
    assert len(shown) >= 2
    for line in shown:
        assert len(line.split("\x1b[2K")[-1]) <= width


def test_rejects_are_named_by_the_most_common() -> None:
    assert in_words({}) == "none rejected"
    assert in_words({"a": 1, "b": 3, "c": 2}) == "6 rejected (b 3, c 2, a 1)"
    assert (
        in_words(dict.fromkeys("abcd", 1000)) == "4,000 rejected (a 1,000, b 1,000, c 1,000, ...)"
    )
