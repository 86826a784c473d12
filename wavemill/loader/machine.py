"""What this process may use: its rank, its cores, its files."""

import os
import resource

import torch

from wavemill.cores import cores_each
from wavemill.errors import UsageError
from wavemill.loader.steps import Rank

MAX_THREADS = 8
"""More decode faster than a trainer takes."""
MAX_OPEN_TARS = 4096


def default_rank(rank: int | None, world_size: int | None, accumulate: int = 1) -> Rank:
    """Return which rank this is: as given, as torch.distributed knows, or as torchrun says.

    Raises:
        UsageError: one is given without the other, or they do not go together.

    """
    if (rank is None) != (world_size is None):
        raise UsageError("give both rank and world_size, or neither")
    if rank is None or world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        else:
            rank = int(os.environ.get("RANK", "0"))
            world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if not 0 <= rank < world_size:
        raise UsageError(f"rank {rank} of {world_size}: ranks count from 0")
    return Rank(rank=rank, world_size=world_size, accumulate=accumulate)


def default_threads() -> int:
    """Return this process's share of the machine's cores."""
    return min(cores_each(int(os.environ.get("LOCAL_WORLD_SIZE", "1"))), MAX_THREADS)


def open_tars() -> int:
    """Return how many tars may be mapped at once: each takes a file descriptor.

    A quarter of what the process may open: it may have a loader for training and one for tests.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(min(limit // 4, MAX_OPEN_TARS), 16)
