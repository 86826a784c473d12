"""SQ-Codec against the authors' own module: `make_sq.py` says how its figures were made."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.parity.make_sq import LENGTHS, SIZES, random_sq_state
from tests.parity.weights import random_clip
from wavemill.tokenizers.published_files import freeze, load_strictly
from wavemill.tokenizers.scalar_codec import ScalarCodec
from wavemill.tokenizers.sq import _sizes

GOLDEN = np.load(Path(__file__).parent / "golden" / "sq.npz")


@pytest.fixture(scope="module", params=["causal", "centred"])
def codec(request: pytest.FixtureRequest) -> tuple[str, ScalarCodec]:
    codec = ScalarCodec(_sizes({**SIZES, "causal": request.param == "causal"}))
    load_strictly(codec, random_sq_state(codec.published_state()), "golden")
    freeze(codec)
    return request.param, codec


@pytest.mark.parametrize("length", LENGTHS)
def test_ids_and_audio_are_those_of_the_authors_module(
    codec: tuple[str, ScalarCodec], length: int
) -> None:
    kind, ours = codec
    ids = ours.to_ids(ours.encode(torch.from_numpy(random_clip(length, seed=1))[None, None]))
    assert np.array_equal(ids[0].numpy() - 9, GOLDEN[f"{kind}_{length}_rounded"])
    audio = ours.decode(ours.from_ids(ids))[0, 0, :4000].numpy()
    expected = GOLDEN[f"{kind}_{length}_audio"]
    assert np.abs(audio - expected).max() < 1e-5 * np.abs(expected).max()
