"""How many worker processes a job is worth, where `--workers` leaves it open.

A worker takes seconds to start and loads every tokenizer for itself. So a job gets one for each
stretch of work that takes longer than that, by what its tokenizers are measured to take here; and
no more than there are units, cores to run them, and memory to hold them. On a GPU workers would
wait for each other, and each would hold the models in its memory: a job whose tokenizers run there
has one process.
"""

import os
import time
from collections.abc import Sequence

import numpy as np

from wavemill.cores import cores
from wavemill.specs import Spec
from wavemill.tokenizers.base import Tokenizer

SECONDS_WORTH_A_WORKER = 15.0
"""Of work: two workers then end sooner than one process by more than they took to start."""
BYTES_A_WORKER = 3 << 30
BYTES_A_SECOND = 32_000
"""Of uncompressed speech; a unit of compressed audio holds more, and is worth a worker the more."""


def need_gpu(tokenizers: Sequence[Spec]) -> bool:
    """Say whether one of some tokenizers is to run on a GPU."""
    devices = [dict(spec.settings).get("device", "cpu") for spec in tokenizers]
    return any(device != "cpu" for device in devices)


def measure(tokenizers: Sequence[Tokenizer]) -> float:
    """Measure how long tokenizers take for a second of audio, in seconds, with one thread."""
    if not tokenizers:
        return 0.0
    from wavemill.tokenizers.threads import torch_threads  # loads torch

    total = 0.0
    with torch_threads(1):
        for tokenizer in tokenizers:
            noise = np.random.default_rng(0).standard_normal(tokenizer.facts.sample_rate)
            batch = [(0.1 * noise).astype(np.float32)]
            tokenizer.encode(batch)  # the first has to load or to compile what it needs
            started = time.perf_counter()
            tokenizer.encode(batch)
            total += time.perf_counter() - started
    return total


def worth(units: int, unit_bytes: int, cost: float) -> int:
    """Say how many workers that many units are worth, of audio that takes `cost` times its length.

    Args:
        units: how many there are to do.
        unit_bytes: how much input one holds.
        cost: what `measure` gives.

    """
    work = units * unit_bytes / BYTES_A_SECOND * cost
    return max(1, min(units, available(), int(work / SECONDS_WORTH_A_WORKER)))


def available() -> int:
    """Say how many workers this machine has cores and memory for."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores(), memory // BYTES_A_WORKER))
