"""Staging and order of the copies to a pretended GPU; tests/gpu has a real one."""

import contextlib
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from wavemill.errors import DatasetError
from wavemill.loader import ShardLoader, handover
from wavemill.loader.handover import IN_FLIGHT, CudaCopier, _through_staging
from wavemill.loader.making import Made


class Stream:
    """Runs nothing by itself: copies wait until someone waits for them."""

    def __init__(self, _: Any = None) -> None:
        self.waiting: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.done = 0

    def wait_event(self, event: "Event") -> None:
        event.synchronize()


class Event:
    """Is over once all copies that were begun before it are done."""

    def record(self, stream: Stream) -> None:
        self.stream, self.until = stream, stream.done + len(stream.waiting)

    def synchronize(self) -> None:
        while self.stream.done < self.until:
            target, source = self.stream.waiting.pop(0)
            target.copy_(source)
            self.stream.done += 1


class PretendedCopier(CudaCopier):
    """Copies as late as a GPU may."""

    stagings: list[int]

    def _pinned(self, size: int) -> torch.Tensor:
        self.stagings = [*getattr(self, "stagings", []), size]
        return torch.empty(size, dtype=torch.uint8)

    def _send(self, pinned: torch.Tensor) -> torch.Tensor:
        target = torch.full_like(pinned, 99)
        self._stream.waiting.append((target, pinned))
        return target


@pytest.fixture
def copier(monkeypatch: pytest.MonkeyPatch) -> PretendedCopier:
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    return PretendedCopier(torch.device("cpu"))


def test_batches_arrive_whole_and_in_order_though_copies_are_late(
    tokens: Path, copier: PretendedCopier
) -> None:
    def made() -> Iterator[Made]:
        return ShardLoader(tokens, batch_seconds=60).work()

    expected = [one.value for one in made()]
    arrived = list(_through_staging(made(), copier))
    assert [one.value.keys for one in arrived] == [batch.keys for batch in expected]
    assert [one.after for one in arrived] == [one.after for one in made()]
    for one, batch in zip(arrived, expected, strict=True):
        assert (one.value.tokens["codec"] == batch.tokens["codec"]).all()
        assert one.value.token_lengths["codec"].tolist() == batch.token_lengths["codec"].tolist()
        assert one.value.datasets.tolist() == batch.datasets.tolist()


def test_staging_memory_is_used_again(tokens: Path, copier: PretendedCopier) -> None:
    loader = ShardLoader(tokens, batch_seconds=60)
    steps = loader.count_steps()
    assert len(list(_through_staging(loader.work(), copier))) == steps
    assert len(copier._stagings) <= IN_FLIGHT + 1
    # A few at first, and where a batch is larger than those before it.
    assert len(copier.stagings) < steps


def test_what_fails_in_making_a_batch_is_raised_where_batches_are_taken(
    tokens: Path, copier: PretendedCopier
) -> None:
    def made() -> Iterator[Made]:
        yield from islice(ShardLoader(tokens, batch_seconds=60).work(), 2)
        raise DatasetError("a shard is damaged")

    taken = _through_staging(made(), copier)
    assert [next(taken).value.keys, next(taken).value.keys]
    with pytest.raises(DatasetError, match="a shard is damaged"):
        next(taken)


def test_a_trainer_that_takes_no_more_ends_what_makes_batches(
    tokens: Path, copier: PretendedCopier
) -> None:
    ended = []

    def made() -> Iterator[Made]:
        try:
            yield from ShardLoader(tokens, batch_seconds=2).work()
        finally:
            ended.append(threading.current_thread().name)

    taken = _through_staging(made(), copier)
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert ended == ["hand-over"]
    assert "hand-over" not in {thread.name for thread in threading.enumerate()}


def test_what_a_collate_of_ones_own_makes_is_copied_too(copier: PretendedCopier) -> None:
    value = {"a": [torch.arange(5), "text"], "b": (torch.ones(2, 3, dtype=torch.bool), None)}
    arrived = copier.start(value)()
    assert arrived["a"][0].tolist() == [0, 1, 2, 3, 4]
    assert arrived["a"][1] == "text"
    assert arrived["b"][0].shape == (2, 3)
    assert arrived["b"][0].all()


def test_on_a_cpu_batches_are_given_as_they_are() -> None:
    made = iter(())
    assert handover.hand_over(made, torch.device("cpu")) is made
