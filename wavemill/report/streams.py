"""What is known of the ids of each token stream, codebook by codebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavemill.report.spread import Ints


@dataclass(frozen=True, kw_only=True)
class Codebook:
    """How the ids of a codebook are used."""

    perplexity: float
    """Of all tokens, by `dataset.json`."""
    used: int
    """Different ids in the tokens that were read."""
    top: float
    """The share of the most frequent id in them."""


@dataclass(frozen=True, kw_only=True)
class StreamFacts:
    """A token stream."""

    name: str
    facts: Mapping[str, Any]
    """What `dataset.json` says of it."""
    counts: Ints
    """How often ids occur in the tokens that were read, [Q, K]."""
    codebooks: list[Codebook]
    whole: bool
    """Whether all tokens were read."""

    @property
    def size(self) -> int:
        """Ids of a codebook."""
        return int(self.facts["codebook_size"])

    @property
    def perplexities(self) -> list[float]:
        """Of each codebook."""
        return [codebook.perplexity for codebook in self.codebooks]


def stream_facts(
    tokenizers: Mapping[str, Mapping[str, Any]], ids: Mapping[str, Ints], *, whole: bool
) -> list[StreamFacts]:
    """Put together what is known of each stream.

    Args:
        tokenizers: as in `dataset.json`.
        ids: how often each id occurs in the tokens that were read, [Q, K].
        whole: whether these were all.

    """
    return [
        StreamFacts(
            name=name, facts=facts, counts=ids[name], whole=whole,
            codebooks=[
                Codebook(
                    perplexity=perplexity,
                    used=int(np.count_nonzero(counts)),
                    top=float(counts.max()) / max(int(counts.sum()), 1),
                )
                for counts, perplexity in zip(
                    ids[name], facts["perplexity_by_codebook"], strict=True
                )
            ],
        )
        for name, facts in tokenizers.items()
    ]  # fmt: skip
