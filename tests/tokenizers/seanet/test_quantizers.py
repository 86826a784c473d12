import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from wavemill.tokenizers.seanet.quantizers import Quantizer, ResidualQuantizer, make_quantizer
from wavemill.tokenizers.seanet.residual import ResidualCodebooks, merged
from wavemill.tokenizers.seanet.sizes import CodecSizes

KINDS = {
    "rvq": CodecSizes(dim=6, codebooks=3, codebook_size=16),
    "merged": CodecSizes(dim=6, codebooks=3, codebook_size=16, merge=2),
    "sq": CodecSizes(dim=6, codebooks=5, quantizer="sq"),
    "gfsq": CodecSizes(dim=16, codebooks=2, quantizer="gfsq"),
}
EACH = pytest.mark.parametrize("kind", KINDS)
SIZES = {"rvq": 16, "merged": 16, "sq": 19, "gfsq": 1000}


def made(kind: str) -> Quantizer:
    torch.manual_seed(1)
    return make_quantizer(KINDS[kind]).eval()


def latents(kind: str, frames: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(2, frames, KINDS[kind].dim, generator=random)


@EACH
@settings(max_examples=20, deadline=None)
@given(frames=st.integers(1, 12), seed=st.integers(0, 2**31))
def test_ids_are_of_their_codebooks(kind: str, frames: int, seed: int) -> None:
    quantizer = made(kind)
    ids_BTQ = quantizer.encode(latents(kind, frames, seed))
    assert ids_BTQ.shape == (2, frames, KINDS[kind].codebooks)
    assert quantizer.codebook_size == SIZES[kind]
    assert 0 <= int(ids_BTQ.min()) <= int(ids_BTQ.max()) < quantizer.codebook_size
    assert quantizer.decode(ids_BTQ).shape == (2, frames, KINDS[kind].dim)


@pytest.mark.parametrize("kind", ["sq", "gfsq"])
def test_what_is_trained_on_is_what_ids_decode_to(kind: str) -> None:
    quantizer = made(kind)
    x_BTD = latents(kind, 7, 3).requires_grad_()
    found = quantizer(x_BTD)
    torch.testing.assert_close(found, quantizer.decode(quantizer.encode(x_BTD)))
    found.sum().backward()
    assert x_BTD.grad is not None
    assert x_BTD.grad.abs().sum((0, 2)).all()


def test_every_level_of_sq_is_there_and_back() -> None:
    quantizer = made("sq")
    quantizer.project_in, quantizer.project_out = torch.nn.Identity(), torch.nn.Identity()
    ids_BTQ = torch.arange(19)[None, :, None].expand(1, 19, 5)
    levels = quantizer.decode(ids_BTQ)
    assert (float(levels.min()), float(levels.max())) == (-1, 1)
    # tanh reaches the outermost levels only at infinity; rounding does from 0.95 on.
    assert torch.equal(quantizer.encode(torch.atanh(levels * 0.999)), ids_BTQ)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 9))
def test_a_sum_of_entries_that_are_far_apart_has_its_own_ids(seed: int, frames: int) -> None:
    """Entries of each codebook are a hundred times smaller than those before, and orthogonal."""
    books = ResidualCodebooks(dim=8, codebooks=3, size=8)
    books.entries.copy_(torch.stack([torch.eye(8) * 100.0**-book for book in range(3)]))
    random = torch.Generator().manual_seed(seed)
    ids_BTQ = torch.randint(0, 8, (2, frames, 3), generator=random)
    quantizer = ResidualQuantizer(8, 3, 8, 1)
    quantizer.books = books
    assert torch.equal(quantizer.encode(quantizer.decode(ids_BTQ)), ids_BTQ)


def test_each_codebook_takes_the_nearest_entry_of_what_is_left() -> None:
    quantizer = made("rvq")
    assert isinstance(quantizer, ResidualQuantizer)
    x_BTD = latents("rvq", 5, 2)
    ids_BTQ = quantizer.encode(x_BTD)
    left = x_BTD.clone()
    for book, entries_KD in enumerate(quantizer.books.entries):
        expected = torch.cdist(left, entries_KD.expand(2, -1, -1)).argmin(-1)
        assert torch.equal(ids_BTQ[..., book], expected)
        left -= functional.embedding(expected, entries_KD)
    torch.testing.assert_close(quantizer.decode(ids_BTQ), x_BTD - left)


def test_fewer_codebooks_decode_to_their_own_sum() -> None:
    quantizer = made("rvq")
    ids_BTQ = quantizer.encode(latents("rvq", 5, 2))
    assert isinstance(quantizer, ResidualQuantizer)
    first = functional.embedding(ids_BTQ[..., 0], quantizer.books.entries[0])
    torch.testing.assert_close(quantizer.decode(ids_BTQ[..., :1]), first)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 9))
def test_merged_frames_share_the_first_id_alone(seed: int, frames: int) -> None:
    ids_BTQ = made("merged").encode(latents("merged", frames, seed))
    pairs = ids_BTQ[:, : frames // 2 * 2].unflatten(1, (-1, 2))
    assert torch.equal(pairs[:, :, 0, 0], pairs[:, :, 1, 0])


def test_other_codebooks_of_merged_frames_do_differ() -> None:
    ids_BTQ = made("merged").encode(latents("merged", 40, 0))
    pairs = ids_BTQ.unflatten(1, (-1, 2))
    assert (pairs[:, :, 0, 1] != pairs[:, :, 1, 1]).any()


def test_merging_averages_pairs_and_leaves_padding_out() -> None:
    x_BTD = torch.tensor([[[1.0], [3.0], [5.0], [70.0], [9.0]]])
    assert merged(x_BTD, 2).flatten().tolist() == [2, 2, 37.5, 37.5, 9]
    real_BT = torch.tensor([[True, True, True, False, False]])
    assert merged(x_BTD, 2, real_BT).flatten().tolist()[:3] == [2, 2, 5]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 9), merge=st.integers(1, 4))
def test_merging_twice_is_merging_once(seed: int, frames: int, merge: int) -> None:
    once = merged(torch.randn(2, frames, 3, generator=torch.Generator().manual_seed(seed)), merge)
    torch.testing.assert_close(merged(once, merge), once)
