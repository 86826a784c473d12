"""The smallest models of each layout, and batches of drawn ids."""

import torch
from torch import Tensor

from tests.models.peaks import dataset_facts, stream_facts
from wavemill.loader.batch import Batch
from wavemill.models.recipe import DataFacts
from wavemill.models.table import make_recipe
from wavemill.models.token_lm.layout import Layout
from wavemill.models.token_lm.recipe import TokenLm

BOOKS, SIZE = 3, 8
UNITS, UNIT_SIZE = 2, 5
DATA = dataset_facts(
    stream_facts(codebooks=BOOKS, size=SIZE), stream_facts("units", UNITS, UNIT_SIZE)
)
TINY = ("layers=2", "width=16", "heads=2", "inner_layers=1", "inner_width=8")
CAUSAL = ("delay", "dual-ar", "flat", "hierarchical")
ALL = (*CAUSAL, "masked", "masked,schedule=maskgct")


def tiny(layout: str, *settings: str, data: DataFacts = DATA) -> TokenLm:
    torch.manual_seed(0)
    given = dict(one.split("=") for one in (*TINY, *settings, *f"layout={layout}".split(",")))
    words = [f"{name}={value}" for name, value in given.items()]
    recipe = make_recipe("token-lm", "small", words, data)
    assert isinstance(recipe, TokenLm)
    return recipe


def build(layout: str, *settings: str) -> Layout:
    model = tiny(layout, *settings).build().eval()
    assert isinstance(model, Layout)
    return model


def draw(batch: int, frames: int, books: int = BOOKS, size: int = SIZE) -> Tensor:
    return torch.randint(0, size, (batch, frames, books))


def batch_of(codes_BTQ: Tensor, lengths: list[int], text: list[str | None] | None = None) -> Batch:
    rows = len(lengths)
    return Batch(
        keys=[str(number) for number in range(rows)],
        datasets=torch.zeros(rows, dtype=torch.int64),
        tokens={"codes": codes_BTQ, "units": draw(rows, 4, UNITS, UNIT_SIZE)},
        token_lengths={
            "codes": torch.tensor(lengths),
            "units": torch.tensor([4 - row % 3 for row in range(rows)]),
        },
        text=text,
    )
