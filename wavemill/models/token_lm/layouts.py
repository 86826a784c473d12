"""In which order a language model reads the ids of several codebooks: pure functions with inverses.

    flat            one id a position, frame by frame:      a0 b0 c0 a1 b1 c1 ...
    delay           one id of each codebook a position,     a0 a1 a2 a3 .  .
                    codebook q being q frames late          .  b0 b1 b2 b3 .
                    (https://arxiv.org/abs/2306.05284)      .  .  c0 c1 c2 c3
    hierarchical,   a frame a position, and for each         a0 a1 a2 a3
    dual-ar         frame a short sequence of its own       |b0|b1|b2|b3
                                                            |c0|c1|c2|c3
    masked          a frame a position; codebook q with     a0 a1 a2 a3
                    holes, those after it hidden            b0 __ __ b3
                    (https://arxiv.org/abs/2401.04577)      __ __ __ __

Shapes end names: B batch, T frames, Q codebooks, S positions.
"""

import torch
from torch import Tensor
from torch.nn import functional


def flatten(codes_BTQ: Tensor) -> Tensor:
    """Lay ids out one after the other, frame by frame: [B, T, Q] -> [B, T * Q]."""
    return codes_BTQ.flatten(1)


def unflatten(ids_BS: Tensor, num_codebooks: int) -> Tensor:
    """Undo `flatten`: [B, T * Q, ...] -> [B, T, Q, ...]."""
    return ids_BS.unflatten(1, (-1, num_codebooks))  # type: ignore[no-any-return]


def delay(codes_BTQ: Tensor, fill: int) -> Tensor:
    """Shift codebook q by q frames: [B, T, Q] -> [B, T + Q - 1, Q], `fill` where nothing is."""
    books = codes_BTQ.unbind(2)
    last = len(books) - 1
    return torch.stack(
        [functional.pad(ids, (book, last - book), value=fill) for book, ids in enumerate(books)], 2
    )


def undelay(ids_BSQ: Tensor) -> Tensor:
    """Undo `delay`: [B, T + Q - 1, Q] -> [B, T, Q]."""
    books = ids_BSQ.unbind(2)
    frames = ids_BSQ.shape[1] - len(books) + 1
    return torch.stack([ids[:, book : book + frames] for book, ids in enumerate(books)], 2)


def split_frames(codes_BTQ: Tensor) -> Tensor:
    """Make each frame a sequence of its own: [B, T, Q, ...] -> [B * T, Q, ...]."""
    return codes_BTQ.flatten(0, 1)


def join_frames(codes_NQ: Tensor, frames: int) -> Tensor:
    """Undo `split_frames`: [B * T, Q, ...] -> [B, T, Q, ...]."""
    return codes_NQ.unflatten(0, (-1, frames))  # type: ignore[no-any-return]


def offset(codes_BTQ: Tensor, size: int) -> Tensor:
    """Give each codebook ids of its own in one table: the id of codebook q grows by q * size."""
    return codes_BTQ + torch.arange(codes_BTQ.shape[-1], device=codes_BTQ.device) * size


def undo_offset(ids_BTQ: Tensor, size: int) -> Tensor:
    """Undo `offset`."""
    return ids_BTQ - torch.arange(ids_BTQ.shape[-1], device=ids_BTQ.device) * size


def hide(
    codes_BTQ: Tensor, stage_B: Tensor, holes_BT: Tensor, kept_BT: Tensor, fill: int
) -> Tensor:
    """Hide what a stage does not see: its holes, and all of the codebooks after it.

    Args:
        codes_BTQ: ids.
        stage_B: the codebook that is guessed.
        holes_BT: where it is, bool.
        kept_BT: frames that are seen whole, bool, such as of a prompt.
        fill: takes the place of what is hidden.

    """
    books = torch.arange(codes_BTQ.shape[2], device=codes_BTQ.device)
    stage = stage_B[:, None, None]
    hidden = ((books == stage) & holes_BT[:, :, None]) | (books > stage)
    return codes_BTQ.masked_fill(hidden & ~kept_BT[:, :, None], fill)


def unhide(ids_BTQ: Tensor, codes_BTQ: Tensor, fill: int) -> Tensor:
    """Undo `hide`, given ids for what is hidden."""
    return torch.where(ids_BTQ == fill, codes_BTQ, ids_BTQ)
