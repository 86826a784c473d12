"""The nearest centre: right, and the same however many are searched together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.tokenizers import nearest
from wavemill.tokenizers.nearest import Nearest


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_ids_are_those_of_faiss() -> None:
    faiss = pytest.importorskip("faiss")
    centers, x = normal(200, 24), normal(3000, 24, seed=1)
    index = faiss.IndexFlatL2(24)
    index.add(centers.numpy())
    _, expected = index.search(x.numpy(), 1)
    assert np.array_equal(Nearest(centers).ids(x).numpy(), expected[:, 0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(1, 2))
def test_an_id_depends_on_its_feature_alone(count: int, threads: int) -> None:
    search = Nearest(normal(50, 16))
    x = normal(300, 16, seed=2)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = [search.ids(part) for part in x.split(count)]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.cat(parts), search.ids(x))


def test_many_features_are_searched_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    centers, x = normal(7, 3), normal(100, 3, seed=4)
    expected = torch.cdist(x.double(), centers.double()).argmin(dim=1)
    monkeypatch.setattr(nearest, "_CHUNK_SCORES", 1)
    assert torch.equal(Nearest(centers).ids(x), expected)


def test_of_equal_centres_the_first_is_taken() -> None:
    assert Nearest(torch.ones(3, 4)).ids(torch.zeros(2, 4)).tolist() == [0, 0]
