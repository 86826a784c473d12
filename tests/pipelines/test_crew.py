"""How many workers a job gets where `--workers` leaves it open."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from wavemill.pipelines import crew, units
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import Job
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.specs import Spec

UNIT = 16 << 20
"""Bytes: some 524 s of speech."""


class Slow:
    """Takes a hundredth of a second for a second of audio, and more the first time."""

    class facts:  # noqa: N801
        sample_rate = 16_000

    def __init__(self) -> None:
        self.threads: list[int] = []

    def encode(self, batch: Sequence[Any]) -> list[Any]:
        time.sleep(0.01 if self.threads else 0.3)
        self.threads.append(torch.get_num_threads())
        return [np.zeros((len(clip), 1), np.uint8) for clip in batch]


@pytest.mark.parametrize(
    ("units", "cost", "workers"),
    [
        (1, 10.0, 1),  # one unit cannot be shared
        (2, 0.04, 2),  # EnCodec: 21 s a unit
        (2, 0.003, 1),  # 3 s of work
        (30, 0.003, 3),
        (30, 0.04, 8),  # as many as the machine is good for
        (1000, 0.0, 1),
        (0, 0.04, 1),
    ],
)
def test_workers_are_as_many_as_the_work_is_worth(
    units: int, cost: float, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "available", lambda: 8)
    assert crew.worth(units, UNIT, cost) == workers


def test_a_machine_is_good_for_its_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 6 << 20}.get)
    assert crew.available() == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    assert crew.available() == 2


def test_a_tokenizer_is_measured_on_one_thread_and_when_it_is_warm() -> None:
    tokenizer, before = Slow(), torch.get_num_threads()
    cost = crew.measure([tokenizer])  # type: ignore[list-item]
    assert 0.01 <= cost < 0.3
    assert tokenizer.threads == [1, 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("specs", "needed"),
    [
        ([], False),
        (["beats", "dac:model=m,device=cpu"], False),
        (["beats", "dac:model=m,device=cuda"], True),
        (["mvq:device=cuda:1"], True),
    ],
)
def test_what_runs_on_a_gpu_is_told_by_its_settings(specs: list[str], needed: bool) -> None:
    assert crew.need_gpu([Spec.parse(text) for text in specs]) is needed


def test_a_job_on_a_gpu_has_one_process_unless_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "available", lambda: 8)
    settings = PrepareSettings(
        inputs=("in",), out="out", segmenter=Spec(name="vad"), unit_mb=16.0,
        tokenizers=(Spec.parse("mvq:device=cuda"),),
    )  # fmt: skip
    job = Job(settings=settings, engine=Engine(), facts=(), reporter=Reporter(quiet=True))
    assert units._crewed(job, 1000).workers == 1
    told = replace(job, engine=Engine(workers=3))
    assert units._crewed(told, 1000).workers == 3


def test_a_number_that_was_given_stays() -> None:
    assert Engine(workers=3).settle(2).workers == 3
    assert Engine().settle(2).workers == 2
