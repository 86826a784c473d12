"""The GPU is pretended: the steps run on the CPU, and an oracle says when memory runs out."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.peaks import dataset_facts, stream_facts
from wavemill.errors import JobError
from wavemill.loader.batch import Batch
from wavemill.models.memory import cuda
from wavemill.models.memory.cuda import STEPS, CudaMeter
from wavemill.models.step import Stepper
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe

DATA = dataset_facts(stream_facts())
STEP = Stepper.step
TOTAL, LIMIT, MOST = 10**9, 10**8, 4
OF_TORCH = (
    "empty_cache",
    "get_device_properties",
    "max_memory_allocated",
    "max_memory_reserved",
    "reset_peak_memory_stats",
    "set_per_process_memory_fraction",
    "synchronize",
)
EXTENT = Extent(seconds=0.1, tokens={"codes": 10})


class Gpu:
    """Takes the place of `torch.cuda`, and notes what is asked of it."""

    def __init__(self) -> None:
        self.fraction = 0.0
        self.steps: list[int] = []
        self.emptied = 0

    def get_device_properties(self) -> Any:
        return SimpleNamespace(total_memory=TOTAL)

    def set_per_process_memory_fraction(self, fraction: float) -> None:
        self.fraction = fraction

    def step(self, stepper: Stepper, number: int, batches: list[Batch]) -> dict[str, Tensor]:
        size = len(batches[0])
        self.steps.append(size)
        if size > MOST:
            raise torch.OutOfMemoryError
        return STEP(stepper, number, batches)

    def max_memory_reserved(self) -> int:
        return 10 * self.steps[-1]

    def max_memory_allocated(self) -> int:
        return 9 * self.steps[-1]

    def empty_cache(self) -> None:
        self.emptied += 1

    def reset_peak_memory_stats(self) -> None: ...

    def synchronize(self) -> None: ...


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    pretended = Gpu()
    for name in OF_TORCH:
        monkeypatch.setattr(torch.cuda, name, getattr(pretended, name))

    # A function of its own: a bound method would not be given the stepper.
    def step(stepper: Stepper, number: int, batches: list[Batch]) -> dict[str, Tensor]:
        return pretended.step(stepper, number, batches)

    monkeypatch.setattr(Stepper, "step", step)
    monkeypatch.setattr(cuda, "DEVICE", "cpu")
    return pretended


def meter(world_size: int = 1, limit: int = LIMIT) -> CudaMeter:
    recipe = make_recipe("token-lm", "small", ["layers=1", "width=16"], DATA)
    return CudaMeter(recipe, DATA, precision="bfloat16", world_size=world_size, limit=limit)


def test_a_step_that_runs_gives_its_bytes_and_one_that_does_not_none(gpu: Gpu) -> None:
    made = meter()
    assert gpu.fraction == LIMIT / TOTAL
    assert made.measure(EXTENT, MOST) == 10 * MOST
    assert made.allocated == 9 * MOST
    assert made.measure(EXTENT, MOST + 1) is None
    assert made.measure(EXTENT, 2) == 20
    assert gpu.steps == [MOST] * STEPS + [MOST + 1] + [2] * STEPS
    assert gpu.emptied == 3


def test_no_gradients_are_left_behind_where_memory_runs_out(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = meter()

    def break_off(stepper: Stepper, _: int, batches: list[Batch]) -> None:
        stepper.turns[0].loss(stepper.model, batches[0]).total.backward()
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Stepper, "step", break_off)
    gpu.steps.append(1)
    assert made.measure(EXTENT, 1) is None
    assert all(weight.grad is None for weight in made._model.parameters())


def test_several_ranks_keep_room_for_a_copy_of_the_gradients(gpu: Gpu) -> None:
    alone, many = meter(), meter(world_size=2)
    assert sum(copy.nbytes for copy in alone._copies) == 0
    weights = sum(weight.nbytes for weight in many._model.parameters())
    assert sum(copy.nbytes for copy in many._copies) == weights
    assert gpu.fraction


def test_more_memory_than_the_gpu_has_is_refused(gpu: Gpu) -> None:
    with pytest.raises(JobError, match=r"this GPU has 1.0 GB; .* --device cpu"):
        meter(limit=TOTAL + 1)
    assert not gpu.fraction


def test_a_model_that_does_not_fit_alone_is_told(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(cuda, "allocate_state", run_out)
    with pytest.raises(JobError, match="the model and its optimizer do not fit"):
        meter()
    assert gpu.fraction
