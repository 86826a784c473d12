"""The refinement of direct-sum ids: what `quantizer` does after its first guess.

Source: Guo et al., "Predicting Multi-Codebook Vector Quantization Indexes for Knowledge
Distillation", arXiv 2211.00508, and the package `multi_quantization`, whose ids these are.

A refinement changes the ids of all codebooks together: it keeps the best few entries of each
codebook with the other codebooks as they are, joins codebooks in pairs, keeps the best few
combinations, and so on until one combination covers all. What it adds up here comes from tables of
inner products that are computed once:

    |x - sum_n c_n|^2 = |x|^2 + sum_n (|c_n|^2 - 2 x.c_n) + sum_{n<m} 2 c_n.c_m

`linear` is the first bracket, `gram` holds the 2 c.c' between codebooks. Frames and tables are of
one precision, double or float32: double is exact for all that matters, float32 is a third faster
and enough for training.

Shapes: B frames, N codebooks, K entries each (a power of two, as N), D dimensions, R = N K rows
(the entries of all codebooks, numbered through); G groups of L codebooks with k candidates each.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Tables:
    """What refinement looks up; made of the centres alone."""

    centers: Tensor
    """[R, D], scaled."""
    square: Tensor
    """[R], |c|^2."""
    gram: Tensor
    """[R, R], 2 c.c'; zero within a codebook, whose entries never meet."""
    shape: tuple[int, int]
    """N, K."""

    @classmethod
    def of(cls, centers: Tensor) -> Self:
        """Compute the tables of scaled centres [N, K, D], in their precision."""
        num_codebooks, size, dim = centers.shape
        flat = centers.detach().reshape(-1, dim).contiguous()
        gram = 2 * (flat @ flat.T)
        blocks = gram.view(num_codebooks, size, num_codebooks, size)
        blocks.diagonal(dim1=0, dim2=2).zero_()
        return cls(flat, flat.square().sum(dim=1), gram, (num_codebooks, size))

    def linear(self, x: Tensor) -> Tensor:
        """Compute |c|^2 - 2 x.c of frames [B, D] with every entry: [B, R]."""
        return torch.addmm(self.square, x, self.centers.T, alpha=-2)

    def rows(self, ids: Tensor) -> Tensor:
        """Turn ids [B, N] into rows, which number the entries of all codebooks through."""
        num_codebooks, size = self.shape
        return ids + torch.arange(0, num_codebooks * size, size, device=ids.device)

    def sum(self, rows: Tensor) -> Tensor:
        """Add the centres of rows [..., L]: [..., D]."""
        flat = rows.reshape(-1, rows.shape[-1])
        return functional.embedding_bag(flat, self.centers, mode="sum").view(*rows.shape[:-1], -1)


def _smallest(scores: Tensor, count: int) -> Tensor:
    """Find the places of the `count` smallest of [..., k], in no order: [..., count] int64."""
    if count == 1:
        return scores.argmin(dim=-1, keepdim=True)
    if scores.device.type != "cpu":
        return scores.topk(count, largest=False, sorted=False).indices
    # Four times as fast as topk: a partition of doubles whose last bits, of no account, hold the
    # place; so it comes along, and decides between equal scores. A size is a power of two.
    keys = scores.numpy().astype(np.float64)
    places = keys.view(np.int64)
    mask = scores.shape[-1] - 1
    places &= ~mask
    places |= np.arange(mask + 1)
    keys.partition(count - 1, axis=-1)
    return torch.from_numpy(places[..., :count] & mask)


def _interaction_by_gram(tables: Tables, a: Tensor, b: Tensor, at: Tensor, bt: Tensor) -> Tensor:
    total = tables.gram.shape[0]
    flat = tables.gram.view(-1)

    def between(left: Tensor, right: Tensor) -> Tensor:
        """Add up the gram of candidates [B, G, k, L] and [B, G, j, L]: [B, G, k, j]."""
        shape = (*left.shape[:3], right.shape[2])
        result = flat.new_zeros(())
        for left_rows in (left * total).unbind(-1):
            for right_rows in right.unbind(-1):
                places = left_rows[..., :, None] + right_rows[..., None, :]
                result = result + flat.index_select(0, places.view(-1)).view(shape)
        return result

    return between(a, b) - between(a, bt) - between(at, b)


def _interaction_by_vectors(tables: Tables, a: Tensor, b: Tensor, at: Tensor, bt: Tensor) -> Tensor:
    change_a = tables.sum(a) - tables.sum(at)
    change_b = tables.sum(b) - tables.sum(bt)
    return 2 * (change_a @ change_b.transpose(-1, -2))


def _interaction(tables: Tables, a: Tensor, b: Tensor, at: Tensor, bt: Tensor) -> Tensor:
    """Say what changing two groups at once costs beyond the sum of changing each alone.

    Up to a constant for each frame and pair, that is 2 (a - at).(b - bt).

    Args:
        tables: of the quantizer.
        a: rows of the candidates of the first group of each pair, [B, G, k, L].
        b: of the second.
        at: rows chosen so far in the first, [B, G, 1, L].
        bt: in the second.

    Returns:
        [B, G, k, k].

    """
    # Measured: a product of 64 dimensions costs as much as four look-ups, of 256 as much as 16.
    length = a.shape[-1]
    by_gram = length == 1 or 16 * length * length <= tables.centers.shape[1]
    return (_interaction_by_gram if by_gram else _interaction_by_vectors)(tables, a, b, at, bt)


def _num_kept(length: int, shape: tuple[int, int]) -> int:
    """Say how many candidates a group of `length` codebooks keeps, as published."""
    num_codebooks, size = shape
    if length == num_codebooks:
        return 1
    doublings = (length.bit_length() - 1) // 2
    return min(128, (8 if size <= 16 else 16) << doublings)


def _choose(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Find the best candidates of scores [B, G, k]: their places and scores, [B, G, count]."""
    places = _smallest(scores, min(count, scores.shape[2]))
    return places, scores.gather(2, places)


def _pick(rows: Tensor, places: Tensor) -> Tensor:
    """Take the candidates at places [B, G, j] of rows [B, G, k, L]: [B, G, j, L]."""
    return rows.gather(2, places[..., None].expand(*places.shape, rows.shape[3]))


def _join(
    tables: Tables, rows: Tensor, scores: Tensor, chosen: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Join groups in pairs and keep the best `count` combinations of each pair.

    Rows [B, G, k, L] become [B, G/2, count, 2L], and scores [B, G, k] become [B, G/2, count].
    """
    a, b = rows[:, 0::2], rows[:, 1::2]
    frames, groups, candidates, length = a.shape
    at, bt = chosen.view(frames, groups, 2, 1, length).unbind(2)
    joint = _interaction(tables, a, b, at, bt)
    joint = joint.add_(scores[:, 0::2, :, None]).add_(scores[:, 1::2, None, :])
    places, scores = _choose(joint.view(frames, groups, -1), count)
    rows = torch.cat((_pick(a, places // candidates), _pick(b, places % candidates)), dim=3)
    return rows, scores


def refine_once(tables: Tables, linear: Tensor, ids: Tensor) -> Tensor:
    """Look once for ids that fit better; rarely they fit worse.

    Args:
        tables: of the quantizer.
        linear: `tables.linear` of the frames, [B, R].
        ids: chosen so far, [B, N] int64.

    Returns:
        [B, N] int64.

    """
    num_codebooks, size = tables.shape
    chosen = tables.rows(ids)
    others = functional.embedding_bag(chosen, tables.gram, mode="sum")
    scores = others.add_(linear).view(-1, num_codebooks, size)
    length = 1
    places, scores = _choose(scores, _num_kept(length, tables.shape))
    rows = tables.rows(places.transpose(1, 2)).transpose(1, 2)[..., None]
    while length < num_codebooks:
        length *= 2
        rows, scores = _join(tables, rows, scores, chosen, _num_kept(length, tables.shape))
    return rows.view(-1, num_codebooks) % size


def refine(tables: Tables, x: Tensor, ids: Tensor, refinements: int) -> Tensor:
    """Refine ids [B, N] of frames [B, D] several times.

    A refinement depends only on the frame and its ids: a frame whose ids stay is done.
    """
    if refinements == 0:
        return ids
    linear, ids = tables.linear(x), ids.clone()
    active = torch.arange(len(ids), device=ids.device)
    for _ in range(refinements):
        before = ids[active]
        after = refine_once(tables, linear, before)
        ids[active] = after
        moving = (after != before).any(dim=1)
        active, linear = active[moving], linear[moving]
        if not len(active):
            break
    return ids
