"""The processes that train together, as `torchrun` starts them; one where nothing did."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from wavemill.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Which process this is, and how many there are."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def wrap(self, model: nn.Module, *, partly: bool) -> nn.Module:
        """Have a model's gradients averaged over ranks.

        Args:
            model: on its device.
            partly: whether a backward pass reaches only some of its weights.

        """
        if self.world_size == 1:
            return model
        # Gradients live in the buckets that are sent; buffers are the recipe's to keep alike.
        return DistributedDataParallel(
            model,
            broadcast_buffers=False,
            gradient_as_bucket_view=True,
            find_unused_parameters=partly,
        )

    def wait(self) -> None:
        """Wait for the others."""
        if self.world_size > 1:
            torch.distributed.barrier()


@contextlib.contextmanager
def joined(device: str) -> Iterator[tuple[Ranks, str]]:
    """Join the other processes of `torchrun`, if it started this one; give the ranks and a device.

    Args:
        device: `cpu`, or `cuda`, of which each process of a machine takes its own.

    Raises:
        UsageError: a device of a number is given to several processes.

    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Ranks(), device
        return
    if ":" in device:
        raise UsageError(f"--device {device}: under torchrun give cuda, each process takes its own")
    if device == "cuda":
        number = int(os.environ.get("LOCAL_RANK", "0"))
        torch.cuda.set_device(number)
        device = f"cuda:{number}"
    torch.distributed.init_process_group("nccl" if device != "cpu" else "gloo")
    try:
        yield Ranks(rank=torch.distributed.get_rank(), world_size=world_size), device
    finally:
        torch.distributed.destroy_process_group()


def sum_over_ranks(value: Tensor) -> Tensor:
    """Add up a tensor of all ranks, in place, and return it; alone it stays as it is."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(value)
    return value


def max_over_ranks(value: Tensor) -> Tensor:
    """Take the largest of each number of all ranks, in place, and return it."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(value, torch.distributed.ReduceOp.MAX)
    return value
