"""The CTC loss (https://www.cs.toronto.edu/~graves/icml_2006.pdf), on tensors alone.

torch's own takes lengths on the CPU, for which a GPU would have to be waited for at each step, and
cannot be run on tensors without data. This one is the same sum, forward and backward in turn.

Shapes end names: B batch, T frames, U units of a text, S = 2 U + 1 states, K units and the blank.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

NEVER = float("-inf")


def ctc_loss(
    log_probabilities_BTK: Tensor, targets_BU: Tensor, frames_B: Tensor, lengths_B: Tensor
) -> Tensor:
    """Return minus the log probability of each text, [B]; 0, without gradient, if it cannot be.

    Args:
        log_probabilities_BTK: float32; the last unit is the blank.
        targets_BU: ids of units; what is padded is any id that there is.
        frames_B: how many of T are real, at least 1.
        lengths_B: how many of U are real.

    """
    loss_B: Tensor = _Ctc.apply(  # type: ignore[no-untyped-call]
        log_probabilities_BTK, targets_BU, frames_B, lengths_B
    )
    return loss_B


def can_align(targets_BU: Tensor, frames_B: Tensor, lengths_B: Tensor) -> Tensor:
    """Say which texts fit into their frames: between two equal units there is a blank, [B] bool."""
    places = torch.arange(1, targets_BU.shape[1], device=targets_BU.device)
    twice_BU = (targets_BU[:, 1:] == targets_BU[:, :-1]) & (places < lengths_B[:, None])
    return frames_B >= lengths_B + twice_BU.sum(1)


class _Ctc(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, scores_BTK: Tensor, targets_BU: Tensor, frames_B: Tensor, lengths_B: Tensor
    ) -> Tensor:
        states_BS = _interleave(targets_BU, scores_BTK.shape[2] - 1)
        skips_BS = _skips(states_BS)
        heard_TBS = scores_BTK.gather(
            2, states_BS[:, None].expand(-1, scores_BTK.shape[1], -1)
        ).transpose(0, 1)
        ends_BS = _ends(states_BS, lengths_B)
        before_TBS = _forward(heard_TBS, skips_BS, frames_B)
        after_TBS = _backward(heard_TBS, skips_BS, ends_BS, frames_B)
        total_B = (before_TBS[-1] + ends_BS).logsumexp(1)
        possible_B = total_B > NEVER
        share_TBS = (before_TBS + after_TBS - total_B[:, None]).exp()
        frames_T = torch.arange(len(heard_TBS), device=frames_B.device)
        real_TB = (frames_T[:, None] < frames_B) & possible_B
        share_TBS = torch.where(real_TB[..., None], share_TBS, 0)
        gradient_BTK = torch.zeros_like(scores_BTK).scatter_add_(
            2,
            states_BS[:, None].expand(-1, scores_BTK.shape[1], -1),
            -share_TBS.transpose(0, 1),
        )
        context.save_for_backward(gradient_BTK)
        return torch.where(possible_B, -total_B, 0)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient_BTK,) = context.saved_tensors
        return gradient_BTK * gradients[0][:, None, None], None, None, None


def _interleave(targets_BU: Tensor, blank: int) -> Tensor:
    """Put blanks around all units."""
    pairs = torch.stack([torch.full_like(targets_BU, blank), targets_BU], 2).flatten(1)
    return functional.pad(pairs, (0, 1), value=blank)


def _skips(states_BS: Tensor) -> Tensor:
    """Return 0 for states that may follow the one before the one before them, else `NEVER`."""
    blank_BS = torch.arange(states_BS.shape[1], device=states_BS.device) % 2 == 0
    same_BS = functional.pad(states_BS[:, 2:] == states_BS[:, :-2], (2, 0), value=True)
    return torch.zeros_like(states_BS, dtype=torch.float32).masked_fill(blank_BS | same_BS, NEVER)


def _ends(states_BS: Tensor, lengths_B: Tensor) -> Tensor:
    """Return 0 for the states that a text may end in, else `NEVER`."""
    places = torch.arange(states_BS.shape[1], device=states_BS.device)
    last_B1 = 2 * lengths_B[:, None]
    ends_BS = (places == last_B1) | (places == last_B1 - 1)
    return torch.zeros_like(states_BS, dtype=torch.float32).masked_fill(~ends_BS, NEVER)


def _forward(heard_TBS: Tensor, skips_BS: Tensor, frames_B: Tensor) -> Tensor:
    """Return the log probability of all ways to each state, its own frame counted."""
    now_BS = torch.cat([heard_TBS[0, :, :2], torch.full_like(heard_TBS[0, :, 2:], NEVER)], 1)
    found = [now_BS]
    for frame in range(1, len(heard_TBS)):
        padded = functional.pad(now_BS, (2, 0), value=NEVER)
        ways = torch.logaddexp(now_BS, padded[:, 1:-1]).logaddexp(padded[:, :-2] + skips_BS)
        now_BS = torch.where(frame < frames_B[:, None], ways + heard_TBS[frame], now_BS)
        found.append(now_BS)
    return torch.stack(found)


def _backward(heard_TBS: Tensor, skips_BS: Tensor, ends_BS: Tensor, frames_B: Tensor) -> Tensor:
    """Return the log probability of all ways from each state to an end, its frame not counted."""
    now_BS, found = ends_BS, [ends_BS]
    skips_BS = functional.pad(skips_BS[:, 2:], (0, 2), value=NEVER)
    for frame in range(len(heard_TBS) - 1, 0, -1):
        padded = functional.pad(now_BS + heard_TBS[frame], (0, 2), value=NEVER)
        ways = torch.logaddexp(padded[:, :-2], padded[:, 1:-1]).logaddexp(padded[:, 2:] + skips_BS)
        now_BS = torch.where(frame < frames_B[:, None], ways, ends_BS)
        found.append(now_BS)
    return torch.stack(found[::-1])
