"""In which order a language model reads the ids of several codebooks: pure functions with inverses.

    flat    one id a position, frame by frame:        a0 b0 c0 a1 b1 c1 ...
    delay   one id of each codebook a position,       a0 a1 a2 a3 .  .
            codebook q being q frames late            .  b0 b1 b2 b3 .
            (https://arxiv.org/abs/2306.05284)        .  .  c0 c1 c2 c3

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
