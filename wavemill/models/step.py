"""One training step: what the training loop runs, and what is measured for it."""

import torch
from torch import Tensor, nn

from wavemill.loader.batch import Batch
from wavemill.models.recipe import HasLoss
from wavemill.tokenizers.device import PRECISIONS

LEARNING_RATE = 3e-4
MAX_NORM = 1.0


def make_optimizer(model: nn.Module, learning_rate: float = LEARNING_RATE) -> torch.optim.AdamW:
    """Make the optimizer. The fused kernel keeps two numbers a weight and needs no room beside."""
    return torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )


def allocate_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Have an optimizer allocate its state, as its first step does."""
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def train_step(
    recipe: HasLoss,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    *,
    device: str = "cpu",
    precision: str = "float32",
) -> Tensor:
    """Move a model's weights by one batch and return the loss, a scalar.

    Args:
        recipe: that made the model.
        model: on the device.
        optimizer: of its weights; no gradients are left of earlier steps.
        batch: on the device.
        device: `cpu` or `cuda`.
        precision: `float32`, or `bfloat16` for autocast: weights and sums stay float32.

    """
    dtype = PRECISIONS[precision]
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        loss = recipe.loss(model, batch)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()
