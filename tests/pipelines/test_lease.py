"""Two jobs on one folder of a store: one works, the other gives way, or goes on after its death."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.store_server import BUCKET, StoreServer
from wavemill import storage
from wavemill.errors import JobError
from wavemill.pipelines import lease
from wavemill.pipelines.lease import Holder, Lease
from wavemill.pipelines.lock import check_held, locked

WORK = f"s3://{BUCKET}/leased/_work"
URL = f"{WORK}/lock"


@pytest.fixture(autouse=True)
def _short(store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    times = {"LEASE": 1.0, "RENEW": 0.2, "POLL": 0.1, "SETTLE": 0.1, "SLACK": 1.0}
    for name, seconds in times.items():
        monkeypatch.setattr(lease, f"{name}_SECONDS", seconds)
    storage.remove(URL)
    yield
    store.faults()
    storage.remove(URL)


def ignore(_: str) -> None:
    """Say nothing."""


def holder(**changes: Any) -> Holder:
    """Return this process as a holder, changed."""
    made = Lease(URL, "out", ignore)._me
    return replace(made, lease_seconds=1.0, **changes)


def held() -> Holder | None:
    """Return who holds the lease."""
    found = storage.look(URL)
    return Holder.from_bytes(found.data) if found else None


def test_the_second_job_refuses_and_says_who_holds_the_folder() -> None:
    with locked(WORK):
        found = held()
        assert found is not None
        assert found.pid == os.getpid()
        with pytest.raises(JobError, match=rf"process {os.getpid()} on .+, since 20.+ UTC; wait"):
            Lease(URL, "out", ignore).take()
        check_held(WORK)
    assert held() is None
    assert not storage.is_file(URL)
    with locked(WORK):
        check_held(WORK)


def test_a_lease_is_renewed_while_the_job_runs_and_no_longer() -> None:
    with locked(WORK):
        seen = set()
        for _ in range(20):
            time.sleep(0.05)
            found = held()
            assert found is not None
            seen.add(found.renewals)
    assert len(seen) > 2


def test_a_job_killed_on_this_machine_is_taken_over_at_once() -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    storage.put_if(URL, holder(pid=int(gone.stdout), started="1").to_bytes(), None)
    began = time.monotonic()
    with locked(WORK):
        assert time.monotonic() - began < 1


def test_a_process_that_has_the_number_of_the_killed_one_is_not_it() -> None:
    storage.put_if(URL, holder(started="1").to_bytes(), None)
    with locked(WORK):
        check_held(WORK)


def test_a_job_killed_elsewhere_is_waited_for_and_taken_over() -> None:
    storage.put_if(URL, holder(machine="other", host="far").to_bytes(), None)
    said: list[str] = []
    with locked(WORK, said.append):
        check_held(WORK)
    assert len(said) == 1
    assert "on far since" in said[0]


def test_a_job_that_runs_elsewhere_is_not_waited_for_long() -> None:
    other = holder(machine="other", host="far")
    version = storage.put_if(URL, other.to_bytes(), None)
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(Lease(URL, "out", ignore).take)
        time.sleep(0.4)
        storage.put_if(URL, replace(other, renewals=1).to_bytes(), version)
        with pytest.raises(JobError, match="on far"):
            taking.result()


def test_of_many_jobs_that_come_at_once_one_works() -> None:
    storage.put_if(URL, b"{}", None)
    leases = [Lease(URL, "out", ignore) for _ in range(6)]

    def take(one: Lease) -> bool:
        try:
            one.take()
        except JobError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, leases)) == 1
    for one in leases:
        one.release()


def test_who_lost_the_lease_publishes_nothing() -> None:
    with locked(WORK):
        found = storage.look(URL)
        assert found is not None
        while storage.put_if(URL, holder(host="far").to_bytes(), found.version) is None:
            found = storage.look(URL)
            assert found is not None
        with pytest.raises(JobError, match=r"was taken over by process .* on far"):
            check_held(WORK)
    last = held()
    assert last is not None
    assert last.host == "far"  # not given back by who lost it


@pytest.mark.parametrize("kind", ["lost", "reset", "500", "stall"])
def test_a_lease_is_taken_kept_and_given_back_though_answers_are_lost(
    store: StoreServer, kind: str
) -> None:
    store.faults(kind=kind, times=2, verbs=["PUT"], name="lock", seconds=1)
    with locked(WORK):
        store.faults(kind=kind, times=2, verbs=["PUT"], name="lock", seconds=1)
        check_held(WORK)
        found = held()
        assert found is not None
        assert found.pid == os.getpid()
        store.faults(kind=kind, times=2, verbs=["PUT", "DELETE"], name="lock", seconds=1)
    store.faults()
    assert held() is None


def test_a_store_that_heeds_no_conditions_gives_the_lease_to_who_came_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = holder(host="far", machine="other").to_bytes()
    puts = 0

    def put(url: str, data: bytes, version: str | None) -> str | None:
        nonlocal puts
        assert version is None or version
        storage.write_bytes(url, data)
        found = storage.look(url)
        puts += 1
        # By the second one it is known that none is heeded; another comes after it, and is killed.
        if puts == 2:
            storage.write_bytes(url, other)
        return found.version if found else None

    monkeypatch.setattr(storage, "put_if", put)
    said: list[str] = []
    with locked(WORK, said.append):
        now = held()
        assert now is not None
        assert now.host != "far"
    assert len(said) == 1
    assert "on far since" in said[0]


def test_a_note_that_is_damaged_is_nobodys() -> None:
    storage.put_if(URL, json.dumps({"owner": 1}).encode(), None)
    with locked(WORK):
        check_held(WORK)
