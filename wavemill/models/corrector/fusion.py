"""Uncertainty-aware dynamic fusion: a language model's next token, with the recognizer's word.

After UADF (https://arxiv.org/abs/2402.05457): where the language model is sure, it decides alone;
the less sure it is, the more counts what the recognizer heard, up to half as much as the model
itself. Both are calibrated first, so that how sure they are means something.

Shapes end names: N tokens, V of the vocabulary, which both models share.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wavemill.specs import check_range

LOWEST, HIGHEST = 0.1, 10.0
"""Temperatures among which one is looked for."""
TOLERANCE = 1e-2
MOST_TRIES = 60
MOST = 0.5 - 2**-25
"""The float32 before 1/2: a sigmoid of much is 1, and the weight stays below 1/2 all the same."""

NextLogits = Callable[[Sequence[int]], Tensor]
"""From the tokens written so far to logits of the next one, [V]."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A temperature by which logits are divided, and how well it does."""

    temperature: float
    gap: float
    """By how much the mean of the highest probability is over the share of tokens guessed."""

    @property
    def is_reached(self) -> bool:
        """Whether the tolerance is met; no temperature may do it."""
        return abs(self.gap) <= TOLERANCE


def calibrate(logits_NV: Tensor, targets_N: Tensor) -> Calibration:
    """Find the temperature with which a model is as sure as it is right, on held-out tokens.

    The mean of the highest probability falls as the temperature rises, so it is bisected.

    Args:
        logits_NV: of tokens that the model was not trained on, 1 or more.
        targets_N: what came.

    """
    logits_NV = logits_NV.double()
    right = float((logits_NV.argmax(1) == targets_N).double().mean())

    def gap(temperature: float) -> float:
        return float((logits_NV / temperature).softmax(1).amax(1).mean()) - right

    low, high = LOWEST, HIGHEST
    found = Calibration(temperature=1.0, gap=gap(1.0))
    for _ in range(MOST_TRIES):
        if found.is_reached or high / low < 1 + 1e-6:
            break
        if found.gap > 0:
            low = found.temperature
        else:
            high = found.temperature
        middle = math.sqrt(low * high)
        found = Calibration(temperature=middle, gap=gap(middle))
    return found


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """How two models are fused."""

    language_temperature: float = 1.0
    speech_temperature: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("language_temperature", "speech_temperature"):
            check_range(name, getattr(self, name), LOWEST, HIGHEST)

    def weight(self, language_V: Tensor) -> Tensor:
        """Say how much the recognizer counts beside a language model's logits [..., V]: [...].

        It is `sigmoid(entropy) - 1/2`: 0 where the model is sure, always below 1/2.
        """
        sure = (language_V.float() / self.language_temperature).softmax(-1)
        entropy = torch.special.entr(sure).sum(-1)
        weight: Tensor = (entropy.sigmoid() - 0.5).clamp(0.0, MOST)
        return weight

    def probabilities(self, language_V: Tensor, speech_V: Tensor) -> Tensor:
        """Fuse logits [..., V] of both: what the next token is chosen by, [..., V].

        They add up to one and the weight.
        """
        language = (language_V.float() / self.language_temperature).softmax(-1)
        speech = (speech_V.float() / self.speech_temperature).softmax(-1)
        return language + self.weight(language_V)[..., None] * speech


def write_fused(
    language: NextLogits, speech: NextLogits, fusion: Fusion, *, end: int, most: int
) -> list[int]:
    """Write a text, each time the token that both models together find likeliest.

    Args:
        language: the language model, which has read the hypotheses.
        speech: the recognizer, which has heard the speech; of the same vocabulary.
        fusion: how they are fused.
        end: the token that ends a text; it is not returned.
        most: tokens that are written at most.

    """
    written: list[int] = []
    while len(written) < most:
        token = int(fusion.probabilities(language(written), speech(written)).argmax())
        if token == end:
            break
        written.append(token)
    return written
