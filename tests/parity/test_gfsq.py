"""The firefly codec against Fish-Speech's own modules: `make_gfsq.py` says how they were run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.parity.make_gfsq import (
    DECODED_STEPS,
    LENGTHS,
    PUBLISHED,
    SMALL,
    random_firefly_state,
)
from tests.parity.weights import random_clip
from wavemill.tokenizers.finite_scalar import GroupedResidualFiniteScalar
from wavemill.tokenizers.firefly import Firefly
from wavemill.tokenizers.published_files import freeze, load_strictly

GOLDEN = np.load(Path(__file__).parent / "golden" / "gfsq.npz")
SIZES = {"small": SMALL, "published": PUBLISHED}


@pytest.fixture(scope="module", params=["small", pytest.param("published", marks=pytest.mark.slow)])
def codec(request: pytest.FixtureRequest) -> tuple[str, Firefly]:
    codec = Firefly(SIZES[request.param])
    shapes = {name: tuple(part.shape) for name, part in codec.state_dict().items()}
    load_strictly(codec, random_firefly_state(shapes), "golden")
    freeze(codec)
    return request.param, codec


@pytest.mark.parametrize("length", LENGTHS)
def test_ids_are_those_of_the_authors_modules(codec: tuple[str, Firefly], length: int) -> None:
    name, ours = codec
    ids = ours.encode(torch.from_numpy(random_clip(length, seed=2))[None])[0]
    assert np.array_equal(ids.numpy(), GOLDEN[f"{name}_ids_{length}"])


def test_audio_is_that_of_the_authors_modules(codec: tuple[str, Firefly]) -> None:
    name, ours = codec
    ids = torch.from_numpy(GOLDEN[f"{name}_ids_{LENGTHS[-1]}"][:DECODED_STEPS].astype(np.int64))
    audio = ours.decode(ids[None])[0, 0].numpy()
    assert np.abs(audio - GOLDEN[f"{name}_audio"]).max() < 1e-5


def test_quantizers_in_a_row_are_those_of_the_package_that_the_authors_pin() -> None:
    quantizer = GroupedResidualFiniteScalar(32, (8, 5, 5, 5), num_quantizers=2, groups=4)
    shapes = {name: tuple(part.shape) for name, part in quantizer.state_dict().items()}
    load_strictly(quantizer, random_firefly_state(shapes), "golden")
    inputs = torch.from_numpy(random_clip(32 * 50, seed=3).reshape(1, 50, 32) * 10)
    features, ids = quantizer(inputs)
    by_group = GOLDEN["residual_ids"]  # [groups, T, quantizers]
    assert np.array_equal(ids[0].numpy(), by_group.transpose(1, 0, 2).reshape(50, 8))
    assert len(np.unique(by_group)) > 40
    assert np.abs(features[0].detach().numpy() - GOLDEN["residual"]).max() < 1e-6
    assert torch.allclose(quantizer.decode(ids), features, atol=1e-6)
