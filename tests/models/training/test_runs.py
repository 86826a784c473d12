"""Training as users run it: killed, stopped, on several ranks, on a full disk."""

import contextlib
import math
import os
import signal
from pathlib import Path

import pytest

from tests.faults.mounts import disk, needs_mounts
from tests.models.training.runs import (
    STEPS,
    largest_difference,
    losses,
    run,
    start,
    wait_until_logged,
)
from wavemill.models.training.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def undisturbed(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The curve of a run that nothing happens to."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    run(drawn, out)
    return losses(out)


def fill(place: Path) -> None:
    """Write until the disk is full."""
    with place.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_each_step_has_its_row_and_drawn_ids_teach_nothing(undisturbed: list[float]) -> None:
    assert len(undisturbed) == STEPS
    assert undisturbed == pytest.approx([math.log(1024)] * STEPS, abs=0.05)


def test_killed_and_gone_on_with_the_curve_is_that_of_an_undisturbed_run(
    drawn: Path, tmp_path: Path, undisturbed: list[float]
) -> None:
    out = tmp_path / "run"
    for least in (5, 11):
        process = start(drawn, out)
        wait_until_logged(out, least, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    printed = run(drawn, out)
    assert "going on from step" in printed
    assert largest_difference(losses(out), undisturbed) < 1e-6


def test_asked_to_stop_it_saves_at_the_next_step_and_goes_on_from_there(
    drawn: Path, tmp_path: Path, undisturbed: list[float]
) -> None:
    out = tmp_path / "run"
    process = start(drawn, out)
    wait_until_logged(out, 2, process)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, printed
    assert "the same command goes on" in printed
    (last,) = Checkpoints(str(out / "checkpoints")).steps()[-1:]
    assert last == len(losses(out)) < STEPS
    run(drawn, out)
    assert largest_difference(losses(out), undisturbed) < 1e-6


def test_one_rank_and_two_with_the_same_batches_have_the_same_curve(
    drawn: Path, tmp_path: Path
) -> None:
    two, one = tmp_path / "two", tmp_path / "one"
    run(drawn, two, "--train", "batches=2", ranks=2)
    run(drawn, one, "--train", "batches=2")
    assert largest_difference(losses(one), losses(two)) < 1e-4


def test_a_run_of_two_ranks_goes_on_with_one(drawn: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    settings = ("--train", "batches=2", "--train", "schedule=constant")
    run(drawn, out, *settings, "--steps", "8", ranks=2)
    run(drawn, out, *settings)
    run(drawn, whole, *settings)
    assert largest_difference(losses(out), losses(whole)) < 1e-4


def test_a_second_run_in_a_folder_is_refused(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(drawn, out, "--steps", "100000")
    wait_until_logged(out, 2, process)
    printed = run(drawn, out, "--steps", "100000", code=1)
    assert "another job is writing" in printed
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@needs_mounts
def test_a_full_disk_is_told_and_the_last_checkpoint_kept(drawn: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "16m") as place:
        out = place / "run"
        run(drawn, out, "--steps", "4")
        filler = place / "filler"
        fill(filler)
        printed = run(drawn, out, code=1)
        assert "No space left" in printed
        assert "Traceback" not in printed
        filler.unlink()
        assert Checkpoints(str(out / "checkpoints")).steps() == [4]
        run(drawn, out)
        assert len(losses(out)) == STEPS
