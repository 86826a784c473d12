"""How many cores a process may use, and its share of them."""

import os

import pytest

from wavemill.cores import cores, cores_each


def test_cores_that_a_process_may_not_use_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3


@pytest.mark.parametrize(("counted", "there"), [(6, 6), (None, 1)])
def test_a_system_that_knows_no_such_limit_has_all_of_them(
    counted: int | None, there: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert cores() == there


@pytest.mark.parametrize(("processes", "share"), [(1, 8), (3, 2), (8, 1), (20, 1)])
def test_processes_share_the_cores_and_each_has_one(
    processes: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert cores_each(processes) == share
