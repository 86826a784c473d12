import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from wavemill.models.layouts import delay, flatten, undelay, unflatten

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 9))
FILL = -1


def codes_of(sizes: tuple[int, int, int]) -> Tensor:
    return torch.arange(sizes[0] * sizes[1] * sizes[2]).reshape(sizes)


@given(SIZES)
def test_undelay_undoes_delay_and_nothing_but_the_fill_is_added(
    sizes: tuple[int, int, int],
) -> None:
    codes_BTQ = codes_of(sizes)
    ids_BSQ = delay(codes_BTQ, FILL)
    batch, frames, books = sizes
    assert ids_BSQ.shape == (batch, frames + books - 1, books)
    assert undelay(ids_BSQ).equal(codes_BTQ)
    assert int((ids_BSQ == FILL).sum()) == batch * books * (books - 1)


@given(SIZES)
def test_unflatten_undoes_flatten(sizes: tuple[int, int, int]) -> None:
    codes_BTQ = codes_of(sizes)
    ids_BS = flatten(codes_BTQ)
    assert ids_BS.shape == (sizes[0], sizes[1] * sizes[2])
    assert unflatten(ids_BS, sizes[2]).equal(codes_BTQ)


def test_a_delayed_codebook_is_as_many_frames_late_as_its_number() -> None:
    codes_BTQ = torch.tensor([[[0, 10, 20], [1, 11, 21], [2, 12, 22]]])
    assert delay(codes_BTQ, 9)[0].T.tolist() == [
        [0, 1, 2, 9, 9],
        [9, 10, 11, 12, 9],
        [9, 9, 20, 21, 22],
    ]


def test_flat_ids_come_frame_by_frame() -> None:
    codes_BTQ = torch.tensor([[[0, 10, 20], [1, 11, 21]]])
    assert flatten(codes_BTQ).tolist() == [[0, 10, 20, 1, 11, 21]]
