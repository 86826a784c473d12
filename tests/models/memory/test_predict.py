from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from tests.models.peaks import allocated_peak, dataset_facts, live_peak, stream_facts
from wavemill.errors import JobError
from wavemill.loader.batch import Batch
from wavemill.models.memory.predict import Predictor
from wavemill.models.recipe import Loss, Needs, Recipe
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.table import make_recipe

DATA = dataset_facts(stream_facts(codebooks=4, size=256))


def extent(tokens: int) -> Extent:
    return Extent(seconds=tokens / 100, tokens={"codes": tokens})


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", ["delay", "flat"])
@pytest.mark.parametrize(("width", "size", "tokens"), [(128, 1, 60), (128, 8, 100), (256, 2, 200)])
def test_the_prediction_is_what_torch_s_allocator_gives_out(
    precision: str, layout: str, width: int, size: int, tokens: int
) -> None:
    settings = [f"layout={layout}", f"width={width}", "layers=3"]
    recipe = make_recipe("token-lm", "small", settings, DATA)
    predicted = Predictor(recipe, DATA, precision=precision).step_bytes(extent(tokens), size).peak
    real = allocated_peak(recipe, DATA, extent(tokens), size, precision)
    assert predicted == pytest.approx(real, rel=0.05)


def test_the_prediction_is_the_sum_of_live_tensors_to_the_rounding() -> None:
    recipe = make_recipe("token-lm", "small", ["layers=2"], DATA)
    predicted = Predictor(recipe, DATA, precision="bfloat16").step_bytes(extent(200), 2).peak
    live = live_peak(recipe, DATA, extent(200), 2, "bfloat16")
    assert live <= predicted <= live * 1.01


def test_parts_are_what_the_model_says_of_them_and_more_samples_take_more() -> None:
    recipe = make_recipe("token-lm", "small", ["layers=2"], DATA)
    model = recipe.build()
    weights = sum(weight.nbytes for weight in model.parameters())
    predictor = Predictor(recipe, DATA, precision="float32")
    parts = [predictor.step_bytes(extent(100), size) for size in (1, 2, 4, 8)]
    assert parts[0].weights == pytest.approx(weights, rel=0.01)
    assert parts[0].optimizer == pytest.approx(2 * weights, rel=0.02)
    assert parts[0].ranks == 0
    assert [part.saved for part in parts] == sorted({part.saved for part in parts})
    assert [part.peak for part in parts] == sorted({part.peak for part in parts})
    again = predictor.step_bytes(extent(100), 1)
    assert again == parts[0]


def test_saved_is_what_autograd_hands_to_its_hooks() -> None:
    recipe = make_recipe("token-lm", "small", ["layers=2"], DATA)
    part = Predictor(recipe, DATA, precision="float32").step_bytes(extent(300), 4)
    model = recipe.build()
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    saved: dict[int, int] = {}
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)
        return tensor

    batch = make_batch(recipe.needs, DATA, extent(300), 4)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        recipe.loss(model, batch)
    assert part.saved == pytest.approx(sum(saved.values()), rel=0.1)


def test_several_ranks_take_a_copy_of_the_gradients_more() -> None:
    recipe = make_recipe("token-lm", "small", ["layers=2"], DATA)
    alone, many = (
        Predictor(recipe, DATA, world_size=ranks).step_bytes(extent(100), 2) for ranks in (1, 8)
    )
    assert many.ranks == sum(weight.nbytes for weight in recipe.build().parameters())
    assert many.peak == alone.peak + many.ranks


def test_a_step_takes_no_memory_to_predict() -> None:
    recipe = make_recipe("token-lm", "paper", ["layout=flat"], DATA)
    assert Predictor(recipe, DATA).step_bytes(extent(3000), 1000).peak > 10**13


class Curious(Recipe):
    """A recipe that reads what is in its batch."""

    about: ClassVar = "reads values"
    presets: ClassVar[Mapping[str, Any]] = {}
    needs = Needs(streams=("codes",))

    def build(self) -> nn.Module:
        return nn.Linear(1, 1)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        scale = float(batch.tokens["codes"].sum())
        return Loss(total=model(torch.ones(1, 1)).sum() * scale, count=torch.ones(()))


def test_a_recipe_that_reads_values_is_told_so() -> None:
    with pytest.raises(JobError, match=r"asks for the values of tensors .* with a GPU"):
        Predictor(Curious(), DATA).step_bytes(extent(10), 1)
