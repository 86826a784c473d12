import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from wavemill.models.token_lm.layouts import (
    delay,
    flatten,
    hide,
    join_frames,
    offset,
    split_frames,
    undelay,
    undo_offset,
    unflatten,
    unhide,
)

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


@given(SIZES)
def test_join_frames_undoes_split_frames_and_each_frame_is_a_row(
    sizes: tuple[int, int, int],
) -> None:
    codes_BTQ = codes_of(sizes)
    rows_NQ = split_frames(codes_BTQ)
    assert rows_NQ.shape == (sizes[0] * sizes[1], sizes[2])
    assert rows_NQ[-1].equal(codes_BTQ[-1, -1])
    assert join_frames(rows_NQ, sizes[1]).equal(codes_BTQ)


@given(SIZES, st.integers(1, 9))
def test_undo_offset_undoes_offset_and_no_id_is_of_two_codebooks(
    sizes: tuple[int, int, int], size: int
) -> None:
    codes_BTQ = codes_of(sizes) % size
    ids_BTQ = offset(codes_BTQ, size)
    assert (ids_BTQ // size == torch.arange(sizes[2])).all()
    assert undo_offset(ids_BTQ, size).equal(codes_BTQ)


@given(SIZES, st.integers(0, 2**31))
def test_unhide_undoes_hide_and_a_stage_sees_what_is_before_it(
    sizes: tuple[int, int, int], seed: int
) -> None:
    dice = torch.Generator().manual_seed(seed)
    batch, frames, books = sizes
    codes_BTQ = codes_of(sizes)
    stage_B = torch.randint(books, (batch,), generator=dice)
    holes_BT, kept_BT = (torch.rand(2, batch, frames, generator=dice) < 0.5).unbind(0)
    ids_BTQ = hide(codes_BTQ, stage_B, holes_BT, kept_BT, FILL)
    for row in range(batch):
        for frame in range(frames):
            for book in range(books):
                stage = int(stage_B[row])
                hidden = book > stage or (book == stage and bool(holes_BT[row, frame]))
                hidden = hidden and not bool(kept_BT[row, frame])
                seen = FILL if hidden else int(codes_BTQ[row, frame, book])
                assert int(ids_BTQ[row, frame, book]) == seen
    assert unhide(ids_BTQ, codes_BTQ, FILL).equal(codes_BTQ)


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
