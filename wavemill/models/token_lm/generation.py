"""New ids from a trained `token-lm`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.models.token_lm.condition import Condition, text_condition
from wavemill.models.token_lm.config import TEXT
from wavemill.models.token_lm.layout import Layout
from wavemill.models.token_lm.recipe import TokenLm
from wavemill.models.token_lm.sampling import Sampler
from wavemill.models.training.run import TrainedRun

ROWS = 16
"""That are drawn side by side."""

Ids = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be generated."""

    frames: int
    """Of each sample, without those of the prompt."""
    samples: int = 1
    """Of each text; in all if there is none."""
    texts: Sequence[str] = ()
    told: Ids | None = None
    """Ids [T, C] of the stream that the model is conditioned on."""
    prompt: Ids | None = None
    """Ids [T, Q] that each sample begins with."""
    seed: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None


def recipe_to_generate(run: TrainedRun, folder: str) -> TokenLm:
    """Return the recipe of a run that can generate.

    Raises:
        UsageError: it cannot.

    """
    if not isinstance(run.recipe, TokenLm):
        raise UsageError(f"{folder} is a run of {run.name}, which generates nothing; token-lm does")
    return run.recipe


def generate(
    run: TrainedRun,
    order: Order,
    *,
    device: str = "cpu",
    done: Callable[[int], None] = lambda _: None,
) -> list[Ids]:
    """Draw samples.

    Args:
        run: of `token-lm`.
        order: what is to be generated.
        device: `cpu`, `cuda` or `cuda:1`.
        done: is told how many samples there are.

    Returns:
        Ids [T, Q] of each sample, the prompt's first, in the stream's dtype; those of the first
        text come first.

    Raises:
        UsageError: the model cannot be told what it is told, or a setting is out of range.

    """
    assert isinstance(run.recipe, TokenLm)
    recipe, facts = run.recipe, run.recipe.stream
    _check(recipe, order)
    told: Sequence[str | None] = order.texts or [None]
    texts = [text for text in told for _ in range(order.samples)]
    prompt = np.zeros((0, facts.num_codebooks)) if order.prompt is None else order.prompt
    model = run.build(device)
    assert isinstance(model, Layout)
    found: list[Ids] = []
    for first in range(0, len(texts), ROWS):
        rows = range(first, min(first + ROWS, len(texts)))
        codes_BTQ = model.generate(
            len(prompt) + order.frames,
            Sampler(
                rows=rows,
                seed=order.seed,
                temperature=order.temperature,
                top_k=order.top_k,
                top_p=order.top_p,
            ),
            _repeat(prompt, len(rows), device),
            _condition(order, [texts[row] for row in rows], device),
        )
        found += list(codes_BTQ.cpu().numpy().astype(facts.dtype))
        done(len(found))
    return found


def _condition(order: Order, texts: Sequence[str | None], device: str) -> Condition | None:
    if order.texts:
        return text_condition(texts, torch.device(device))
    if order.told is None:
        return None
    ids = _repeat(order.told, len(texts), device)
    return Condition(ids=ids, lengths=torch.full((len(texts),), len(order.told), device=device))


def _repeat(ids: Ids, rows: int, device: str) -> Tensor:
    return torch.from_numpy(ids.astype(np.int64)).to(device).expand(rows, *ids.shape)


def _check(recipe: TokenLm, order: Order) -> None:
    condition = recipe.config.condition
    if order.texts and condition != TEXT:
        raise UsageError(f"--text: the model was trained with condition={condition or 'nothing'}")
    untold = condition and not order.texts and order.told is None
    if untold and not recipe.config.condition_drop:
        asked = "--text" if condition == TEXT else "--condition OUT:KEY"
        raise UsageError(f"the model was never trained without its condition; give {asked}")
