"""What `wavemill profile` measures on a real GPU, and what it predicts for one."""

import pytest

from tests.models.peaks import dataset_facts, stream_facts
from wavemill.models.memory.cuda import CudaMeter
from wavemill.models.memory.predict import Predictor
from wavemill.models.memory.search import find_sizes
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe
from wavemill.sharding.buckets import Bucket

DATA = dataset_facts(stream_facts(codebooks=8, size=1024))
LIMIT = 4 * 10**9


def extent(tokens: int) -> Extent:
    return Extent(seconds=tokens / 100, tokens={"codes": tokens})


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", ["delay", "flat"])
@pytest.mark.parametrize(("size", "tokens"), [(128, 100), (32, 300), (8, 1000)])
def test_predicted_bytes_are_within_a_tenth_of_those_that_torch_allocates(
    precision: str, layout: str, size: int, tokens: int
) -> None:
    size //= 4 if layout == "flat" else 1  # which is longer
    recipe = make_recipe("token-lm", "small", [f"layout={layout}", "width=512"], DATA)
    predicted = Predictor(recipe, DATA, precision=precision).step_bytes(extent(tokens), size).peak
    meter = CudaMeter(recipe, DATA, precision=precision, world_size=1, limit=4 * LIMIT)
    assert meter.measure(extent(tokens), size) is not None
    assert predicted == pytest.approx(meter.allocated, rel=0.1)


def test_steps_of_the_sizes_found_run_and_stay_within_the_limit() -> None:
    recipe = make_recipe("token-lm", "small", [], DATA)
    meter = CudaMeter(recipe, DATA, precision="bfloat16", world_size=2, limit=LIMIT)
    tokens = [100, 400, 1500]
    buckets = [Bucket(name="", max_seconds=t / 100, max_tokens=t) for t in tokens]
    fits = find_sizes(
        buckets,
        lambda number, size: meter.measure(extent(tokens[number]), size),
        LIMIT,
        lambda _: None,
    )
    sizes = [fit.size for fit in fits]
    assert sizes == sorted(set(sizes), reverse=True)
    for length, fit in zip(tokens, fits, strict=True):
        taken = meter.measure(extent(length), fit.size)
        assert taken is not None
        assert taken <= LIMIT
        assert meter.measure(extent(length), int(fit.size * 1.3)) is None
