"""Finite scalar quantizers: ids and codes both ways, against vector-quantize-pytorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn
from vector_quantize_pytorch import FSQ, GroupedResidualFSQ

from wavemill.tokenizers.finite_scalar import (
    FiniteScalar,
    GroupedResidualFiniteScalar,
    round_to_levels,
)

LEVELS = (8, 5, 5, 5)
FINITE = st.floats(-20, 20, width=32)


def published_package(dim: int, levels: tuple[int, ...], groups: int) -> GroupedResidualFSQ:
    """The installed package with what its later versions changed put back as in 1.14.24."""
    package = GroupedResidualFSQ(
        dim=dim, levels=list(levels), num_quantizers=1, groups=groups, bound_hard_clamp=False
    )
    for rvq in package.rvqs:
        layer = FSQ(list(levels), preserve_symmetry=False)
        rvq.layers = nn.ModuleList([layer])
        rvq.project_in = nn.Sequential(rvq.project_in, Bounded(levels))
    return package.eval()


class Bounded(nn.Module):
    """The first of the two bounds that 1.14.24 has."""

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = torch.tensor(levels)

    def forward(self, z: Tensor) -> Tensor:
        half = (self.levels - 1) * (1 + 1e-3) / 2
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        return (z + (offset / half).atanh()).tanh() * half - offset


@pytest.fixture(scope="module")
def pair() -> tuple[GroupedResidualFiniteScalar, GroupedResidualFSQ]:
    torch.manual_seed(0)
    ours = GroupedResidualFiniteScalar(512, LEVELS, groups=8)
    package = published_package(512, LEVELS, groups=8)
    state = ours.state_dict()
    package.load_state_dict({k.replace("project_in", "project_in.0"): v for k, v in state.items()})
    return ours, package


@given(hnp.arrays(np.float32, (9, 4), elements=FINITE))
def test_codes_and_ids_are_the_package_s(values: np.ndarray) -> None:
    z = torch.from_numpy(values)
    codes, ids = FiniteScalar(LEVELS)(z)
    expected_codes, expected_ids = FSQ(list(LEVELS), preserve_symmetry=False)(z[None])
    assert torch.equal(codes, expected_codes[0])
    assert torch.equal(ids, expected_ids[0].long())


@given(st.lists(st.integers(2, 9), min_size=1, max_size=5).filter(lambda levels: 2 not in levels))
def test_every_id_has_one_code_and_every_code_its_id(levels: list[int]) -> None:
    quantizer = FiniteScalar(levels)
    ids = torch.arange(quantizer.size)[:4000]
    codes = quantizer.decode(ids)
    package = FSQ(levels, preserve_symmetry=False)
    assert torch.equal(codes, package.indices_to_codes(ids[None])[0])
    assert torch.equal(package.codes_to_indices(codes).long(), ids)
    assert len(torch.unique(codes, dim=0)) == len(ids)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_grouped_quantizers_are_the_package_s_both_ways(
    pair: tuple[GroupedResidualFiniteScalar, GroupedResidualFSQ], seed: int
) -> None:
    ours, package = pair
    x = torch.randn(2, 7, 512, generator=torch.Generator().manual_seed(seed)) * 4
    features, ids = ours(x)
    expected_features, expected_ids = package(x)  # ids: [groups, B, T, quantizers]
    assert torch.equal(ids, expected_ids.permute(1, 2, 0, 3).flatten(2).long())
    assert torch.allclose(features, expected_features, atol=1e-6)
    from_ids = package.get_output_from_indices(expected_ids)
    assert torch.allclose(ours.decode(ids), from_ids, atol=1e-6)


@settings(max_examples=10)
@given(ids=hnp.arrays(np.int64, (1, 5, 4), elements=st.integers(0, 124)))
def test_odd_levels_decode_as_the_installed_package_does_unchanged(ids: np.ndarray) -> None:
    torch.manual_seed(0)
    ours = GroupedResidualFiniteScalar(32, (5, 5, 5), groups=4)
    package = GroupedResidualFSQ(dim=32, levels=[5, 5, 5], num_quantizers=1, groups=4)
    package.load_state_dict(ours.state_dict())
    ids_BTQ = torch.from_numpy(ids)
    expected = package.get_output_from_indices(ids_BTQ.permute(2, 0, 1)[..., None])
    assert torch.allclose(ours.decode(ids_BTQ), expected, atol=1e-6)


@given(hnp.arrays(np.float32, (50,), elements=st.floats(-1, 1, width=32)), st.integers(1, 127))
def test_rounding_to_levels_is_idempotent(values: np.ndarray, scale: int) -> None:
    rounded = round_to_levels(torch.from_numpy(values), scale)
    assert torch.equal(round_to_levels(rounded, scale), rounded)
    places = rounded * scale
    assert torch.allclose(places, places.round(), atol=1e-4)
    assert places.abs().max() <= scale + 1e-4


def test_gradients_pass_through_the_rounding() -> None:
    x = torch.tensor([-0.7, 0.1, 0.4], requires_grad=True)
    round_to_levels(x, 9).sum().backward()
    assert torch.equal(x.grad, torch.ones(3)) if x.grad is not None else False
