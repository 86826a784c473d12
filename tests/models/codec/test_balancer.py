import torch
from torch import Tensor

from wavemill.models.codec.balancer import DECAY, Balancer

WEIGHTS = {"quiet": 1.0, "loud": 3.0, "late": 4.0}


def losses(x_BN: Tensor, scale: float) -> dict[str, Tensor]:
    return {"quiet": x_BN.square().sum(), "loud": (scale * x_BN.sin()).sum()}


def gradients(x_BN: Tensor, scale: float) -> dict[str, Tensor]:
    return {"quiet": 2 * x_BN.detach(), "loud": scale * x_BN.detach().cos()}


def test_gradients_are_weighed_by_the_averages_of_their_norms() -> None:
    balancer, averages = Balancer(WEIGHTS), {"quiet": [0.0, 0.0], "loud": [0.0, 0.0]}
    for step in range(3):
        x_BN = torch.randn(4, 10, requires_grad=True)
        scale = 100.0 * (step + 1)
        given = gradients(x_BN, scale)
        norms = {name: float(one.norm(dim=1).mean()) for name, one in given.items()}
        expected = torch.zeros(4, 10)
        for name, one in given.items():
            total, weight = averages[name]
            average = total / weight if weight else norms[name]
            expected += one * WEIGHTS[name] / (1 + 3) / average
            averages[name] = [DECAY * total + norms[name], DECAY * weight + 1]
        torch.testing.assert_close(balancer.balance(losses(x_BN, scale), x_BN), expected)
        balancer.after_step()


def test_a_loss_that_joins_late_begins_with_its_own_norm() -> None:
    balancer = Balancer(WEIGHTS)
    x_BN = torch.randn(4, 10, requires_grad=True)
    balancer.balance(losses(x_BN, 1.0), x_BN)
    balancer.after_step()
    assert balancer.weights.tolist() == [1, 1, 0]
    late = {"late": (5 * x_BN).sum()}
    torch.testing.assert_close(
        balancer.balance(late, x_BN), torch.full((4, 10), 1 / 10**0.5), rtol=1e-5, atol=1e-6
    )


def test_batches_of_one_step_are_weighed_alike_and_averaged_together() -> None:
    whole, parts = Balancer(WEIGHTS), Balancer(WEIGHTS)
    for _ in range(3):
        x_BN = torch.randn(6, 10, requires_grad=True)
        whole.balance(losses(x_BN, 2.0), x_BN)
        for piece in x_BN.detach().split([4, 2]):
            piece.requires_grad_()
            parts.balance(losses(piece, 2.0), piece)
        whole.after_step()
        parts.after_step()
    torch.testing.assert_close(parts.sums, whole.sums)


def test_a_loss_without_a_gradient_does_no_harm() -> None:
    balancer = Balancer(WEIGHTS)
    x_BN = torch.zeros(2, 4, requires_grad=True)
    found = balancer.balance({"quiet": x_BN.square().sum(), "loud": x_BN.sum()}, x_BN)
    torch.testing.assert_close(found, torch.full((2, 4), 3 / 4 / 2))
