"""Batches of given lengths, for measuring: random ids and noise."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from wavemill.loader.batch import Batch
from wavemill.models.recipe import DataFacts, Needs

CHARACTERS_A_SECOND = 25
"""Of text; fast speech has about 20."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How long the samples of a batch are at most."""

    seconds: float
    tokens: Mapping[str, int]
    """Of each stream that is needed."""


def make_batch(needs: Needs, data: DataFacts, extent: Extent, size: int) -> Batch:
    """Make a batch of `size` samples, none of them padded, on torch's default device."""
    tokens, times = {}, {}
    for name in needs.streams:
        facts = data.streams[name]
        shape = (size, extent.tokens[name], facts.num_codebooks)
        tokens[name] = torch.randint(0, facts.codebook_size, shape)
        if facts.frame_rate is None:
            edges = torch.linspace(0, extent.seconds, extent.tokens[name] + 1)
            times[name] = torch.stack([edges[:-1], edges[1:]], 1).expand(size, -1, -1)
    audio = lengths = None
    if needs.sample_rate is not None:
        audio = torch.randn(size, math.ceil(extent.seconds * needs.sample_rate))
        lengths = torch.full((size,), audio.shape[1])
    return Batch(
        keys=[str(number) for number in range(size)],
        datasets=torch.zeros(size, dtype=torch.int64),
        tokens=tokens,
        token_lengths={name: torch.full((size,), codes.shape[1]) for name, codes in tokens.items()},
        times=times,
        audio=audio,
        audio_lengths=lengths,
        sample_rate=needs.sample_rate,
        text=["a" * math.ceil(extent.seconds * CHARACTERS_A_SECOND)] * size,
    )
