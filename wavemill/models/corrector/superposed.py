"""Superposed decoding: several drafts of one language model for one forward pass a token.

After https://arxiv.org/abs/2405.18400. At each position all drafts are fed at once, as the sum of
their last tokens' embeddings, weighted by how likely the drafts are. So one distribution of the
next token serves all of them; which token goes with which draft is told by n-grams over tokens.

Shapes end names: K drafts, P positions, V tokens, D features.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavemill.specs import check_range

WEIGHTS = (0.01, 0.04, 0.15, 0.18, 0.12)
"""Of 2-grams, 3-grams and so on: the published ones."""


@dataclass(frozen=True, kw_only=True)
class SuperposedConfig:
    """How drafts are written; what is not of one's own machine is as published."""

    drafts: int = 5
    most_tokens: int = 64
    temperature: float = 0.06
    """By which the model's logits are divided."""
    tried: int = 9
    """Tokens of the model's that are tried for each draft; at least twice the drafts."""
    grams_share: float = 0.54
    """Of n-grams in a score; the rest is the model's."""
    penalty: float = 200.0
    """Nats that a draft loses of which no n-gram goes on."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("drafts", self.drafts, 1, 1000)
        check_range("most_tokens", self.most_tokens, 1, 1 << 20)
        check_range("temperature", self.temperature, 1e-6, 1e6)
        check_range("tried", self.tried, 1, 1 << 20)
        check_range("grams_share", self.grams_share, 0, 1)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A text by its tokens."""

    tokens: tuple[int, ...]
    """Without the one that ends it."""
    log_probability: float
    """By the model and the n-grams, weighted: it ranks drafts, and is no more than that."""
    is_whole: bool
    """Whether it ended by itself."""

    @property
    def score(self) -> float:
        """The log probability by the number of tokens and the end, as hypotheses are ranked."""
        return self.log_probability / (len(self.tokens) + 1)


class TokenGrams:
    """How often tokens followed up to five others, in texts of the kind to be written."""

    def __init__(self, texts: Iterable[Sequence[int]], weights: Sequence[float] = WEIGHTS) -> None:
        """Count.

        Args:
            texts: token ids, the end included.
            weights: of 2-grams, 3-grams and so on.

        """
        self._weights = tuple(weights)
        self._following: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for tokens in texts:
            for place in range(1, len(tokens)):
                for length in range(1, min(place, len(self._weights)) + 1):
                    self._following[tuple(tokens[place - length : place])][tokens[place]] += 1

    def probability(self, before: Sequence[int], token: int) -> float:
        """Return the weighted sum of shares in which a token followed the last ones."""
        found = 0.0
        for length, weight in enumerate(self._weights, 1):
            counts = self._following.get(tuple(before[-length:])) if length <= len(before) else None
            if counts:
                found += weight * counts[token] / counts.total()
        return found


@torch.inference_mode()
def superposed(
    model: Any,
    prompt: Sequence[int],
    config: SuperposedConfig,
    *,
    end: int,
    grams: TokenGrams | None = None,
) -> list[Draft]:
    """Write drafts after a prompt; with one and no n-grams this is greedy decoding.

    Args:
        model: a causal language model of transformers, ready to be run; it is run once a token,
            however many drafts there are.
        prompt: token ids, 1 or more.
        config: how.
        end: the token that ends a text.
        grams: which token goes with which draft; by the model alone if None.

    Returns:
        As many drafts as were asked for, or fewer if there are no more, the best first.

    """
    embed = model.get_input_embeddings()
    device = embed.weight.device
    fed_1PD, cache = embed(torch.tensor([list(prompt)], device=device)), None
    alive = [Draft(tokens=(), log_probability=0.0, is_whole=False)]
    whole: list[Draft] = []
    for _ in range(config.most_tokens):
        answer = model(inputs_embeds=fed_1PD, cache=cache, use_cache=True)
        cache = answer.cache
        log_V = (answer.logits[0, -1].float() / config.temperature).log_softmax(0)
        grown = _grown(alive, log_V, prompt, config, grams)
        # An end counts only among the best, as in greedy decoding the second best is nothing.
        whole = _best([*whole, *_ended(grown[: config.drafts], end)], config.drafts)
        alive = _best([one for one in grown if one.tokens[-1] != end], config.drafts)
        if not alive or _is_done(alive, whole, config.drafts):
            break
        fed_1PD = _superposition(alive, embed.weight)
    cut = _best(alive, config.drafts - len(whole)) if len(whole) < config.drafts else []
    return _best([*whole, *cut], config.drafts)


def _grown(
    alive: Sequence[Draft],
    log_V: Tensor,
    prompt: Sequence[int],
    config: SuperposedConfig,
    grams: TokenGrams | None,
) -> list[Draft]:
    """Return the best drafts that are longer by a token, twice as many as are kept."""
    tried = min(max(config.tried, 2 * config.drafts), len(log_V))
    logs, tokens = (one.tolist() for one in log_V.topk(tried))
    grown = []
    for draft in alive:
        for token, log in zip(tokens, _scores(draft, logs, tokens, prompt, config, grams),
                              strict=True):  # fmt: skip
            if log is not None:
                grown.append(
                    Draft(
                        tokens=(*draft.tokens, token),
                        log_probability=draft.log_probability + log,
                        is_whole=False,
                    )
                )
    return _best(grown, 2 * config.drafts)


def _scores(
    draft: Draft,
    logs: Sequence[float],
    tokens: Sequence[int],
    prompt: Sequence[int],
    config: SuperposedConfig,
    grams: TokenGrams | None,
) -> list[float | None]:
    """Return what each token adds to a draft; None where n-grams know others but not it."""
    if grams is None:
        return list(logs)
    share = config.grams_share
    before = [*prompt, *draft.tokens]
    known = [grams.probability(before, token) for token in tokens]
    if not any(known):
        return [(1 - share) * log - config.penalty for log in logs]
    logs_of_grams = torch.tensor(known).log().tolist()
    return [
        (1 - share) * log + share * other if chance else None
        for log, other, chance in zip(logs, logs_of_grams, known, strict=True)
    ]


def _ended(grown: Iterable[Draft], end: int) -> list[Draft]:
    return [
        Draft(tokens=one.tokens[:-1], log_probability=one.log_probability, is_whole=True)
        for one in grown
        if one.tokens[-1] == end
    ]


def _is_done(alive: Sequence[Draft], whole: Sequence[Draft], drafts: int) -> bool:
    """Say whether nothing that is alive can become better than what is whole."""
    return len(whole) == drafts and alive[0].log_probability <= whole[-1].log_probability


def _best(drafts: Iterable[Draft], count: int) -> list[Draft]:
    return sorted(drafts, key=lambda one: (-one.log_probability, one.tokens))[:count]


def _superposition(alive: Sequence[Draft], table_VD: Tensor) -> Tensor:
    """Return the sum of the drafts' last tokens, weighted by how likely they are, [1, 1, D]."""
    shares_K = torch.tensor([one.log_probability for one in alive]).softmax(0)
    last_K = torch.tensor([one.tokens[-1] for one in alive], device=table_VD.device)
    return (shares_K.to(table_VD)[:, None] * table_VD[last_K]).sum(0)[None, None]
