import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from wavemill.models.asr.ctc import can_align, ctc_loss

UNITS = 4


def draw(seed: int, batch: int, frames: int, units: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    return (
        torch.randn(batch, frames, UNITS + 1),
        torch.randint(0, UNITS, (batch, units)),
        torch.randint(1, frames + 1, (batch,)),
        torch.randint(0, units + 1, (batch,)),
    )


def torch_s(logits_1TK: Tensor, targets_U: Tensor) -> Tensor:
    """torch's loss of one text, on what is real alone."""
    return functional.ctc_loss(
        logits_1TK.log_softmax(-1).transpose(0, 1),
        targets_U[None],
        torch.tensor([logits_1TK.shape[1]]),
        torch.tensor([len(targets_U)]),
        blank=UNITS,
        reduction="sum",
        zero_infinity=True,
    )


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 12), st.integers(1, 6))
@settings(max_examples=40)
def test_loss_and_gradient_are_those_of_torch_on_what_is_not_padded(
    seed: int, batch: int, frames: int, units: int
) -> None:
    logits_BTK, targets_BU, frames_B, lengths_B = draw(seed, batch, frames, units)
    logits_BTK.requires_grad_()
    found_B = ctc_loss(logits_BTK.log_softmax(-1), targets_BU, frames_B, lengths_B)
    (gradient_BTK,) = torch.autograd.grad(found_B.sum(), logits_BTK)
    for number in range(batch):
        real = logits_BTK.detach()[number : number + 1, : frames_B[number]].requires_grad_()
        expected = torch_s(real, targets_BU[number, : lengths_B[number]])
        (expected_gradient,) = torch.autograd.grad(expected, real)
        torch.testing.assert_close(found_B[number], expected, rtol=1e-4, atol=1e-4)
        part = gradient_BTK[number : number + 1]
        torch.testing.assert_close(
            part[:, : frames_B[number]], expected_gradient, rtol=1e-3, atol=1e-4
        )
        assert not part[:, frames_B[number] :].any()


def test_a_text_fits_where_its_equal_neighbours_leave_room_for_blanks() -> None:
    targets = torch.tensor([[0, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    frames, lengths = torch.tensor([3, 3, 5, 1]), torch.tensor([3, 3, 3, 1])
    assert can_align(targets, frames, lengths).tolist() == [False, True, True, True]


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_what_cannot_be_aligned_loses_nothing(seed: int) -> None:
    logits_BTK, targets_BU, frames_B, lengths_B = draw(seed, 6, 5, 6)
    loss_B = ctc_loss(logits_BTK.log_softmax(-1), targets_BU, frames_B, lengths_B)
    fits_B = can_align(targets_BU, frames_B, lengths_B)
    assert torch.equal(loss_B > 0, fits_B)


def test_a_text_that_was_heard_for_certain_loses_nothing() -> None:
    heard = torch.tensor([[0, UNITS, 0, 1, 1]])
    scores_BTK = (100.0 * functional.one_hot(heard, UNITS + 1)).log_softmax(-1)
    loss_B = ctc_loss(scores_BTK, torch.tensor([[0, 0, 1]]), torch.tensor([5]), torch.tensor([3]))
    assert loss_B.item() == pytest.approx(0.0, abs=1e-5)
