"""Which ids a masked language model has to guess: schedules of how many, and draws of which.

MAGNeT (https://arxiv.org/abs/2401.04577) hides spans, MaskGCT (https://arxiv.org/abs/2409.00750)
single ids after a prompt. All shapes are those of the input, whatever is drawn, and draws are of
torch's generator.

Shapes end names: B batch, T frames, U numbers of spans.
"""

import math

import torch
from torch import Tensor

SPAN = 3
"""Frames that MAGNeT hides together."""
CONTEXT = 5
"""Frames to either side that MAGNeT sees when it guesses a codebook after the first."""
LONGEST_PROMPT = 0.4
"""Share of a sample that MaskGCT may take as its prompt."""


def magnet_rate(time: Tensor) -> Tensor:
    """Return the share that is hidden at a time of 0 to 1: all at 0, none at 1."""
    return (time * (math.pi / 2)).cos()


def maskgct_rate(time: Tensor) -> Tensor:
    """Return the share that is hidden at a time of 0 to 1: none at 0, all at 1."""
    return (time * (math.pi / 2)).sin()


def span_rate(spans: Tensor, frames: Tensor, span: int = SPAN) -> Tensor:
    """Return the share of frames that so many spans hide in the mean, where they may overlap.

    It is 1 - C(T - L, u) / C(T, u): a frame stays if none of the L spans over it is drawn.
    """
    steps = torch.arange(span, device=frames.device)
    over = (frames[..., None] - spans[..., None] - steps).clamp(min=0)
    return 1 - (over / (frames[..., None] - steps).clamp(min=1)).prod(-1)


def count_spans(rate_B: Tensor, lengths_B: Tensor, frames: int, span: int = SPAN) -> Tensor:
    """Return how few spans hide at least a share of each row, [B] int64; at least one."""
    spans_U = torch.arange(frames + 1, device=rate_B.device)
    rates_BU = span_rate(spans_U[None], lengths_B[:, None], span)
    return (rates_BU < rate_B[:, None]).sum(1).clamp(min=1)


def draw_spans(counts_B: Tensor, lengths_B: Tensor, frames: int, span: int = SPAN) -> Tensor:
    """Draw where spans begin, and return the frames that they hide, [B, T] bool.

    Spans that reach over a row's end go on at its begin, so that all frames are hidden as often.
    """
    places_T = torch.arange(frames, device=counts_B.device)
    starts_BT = draw_some(counts_B, places_T < lengths_B[:, None])
    lengths_B1 = lengths_B[:, None].clamp(min=1)
    holes_BT = starts_BT
    for step in range(1, span):
        # Remainders of what is negative are positive.
        holes_BT = holes_BT | starts_BT.gather(1, ((places_T - step) % lengths_B1))
    return holes_BT & (places_T < lengths_B[:, None])


def draw_some(counts_B: Tensor, among_BT: Tensor) -> Tensor:
    """Draw so many of some places, [B, T] bool; all of them where there are fewer."""
    noise_BT = torch.rand(among_BT.shape, device=among_BT.device).masked_fill(~among_BT, 2.0)
    ranks_BT = noise_BT.argsort(1).argsort(1)
    return (ranks_BT < counts_B[:, None]) & among_BT


def draw_singles(rate_B: Tensor, among_BT: Tensor) -> Tensor:
    """Hide a share of some places, one by one, [B, T] bool; at least one."""
    counts_B = (rate_B * among_BT.sum(1)).round().clamp(min=1)
    return draw_some(counts_B, among_BT)


def draw_prompt(lengths_B: Tensor, frames: int, without_B: Tensor | None) -> Tensor:
    """Draw how much of each row is given as a prompt, [B, T] bool.

    Args:
        lengths_B: frames of each row.
        frames: T.
        without_B: rows that have none, bool.

    """
    share_B = torch.rand(lengths_B.shape, device=lengths_B.device) * LONGEST_PROMPT
    known_B = (share_B * lengths_B).floor()
    if without_B is not None:
        known_B = known_B.masked_fill(without_B, 0)
    return torch.arange(frames, device=lengths_B.device) < known_B[:, None]
