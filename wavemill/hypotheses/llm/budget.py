"""A budget that is kept: what a request may cost at most is set aside before it leaves."""

import asyncio
from dataclasses import dataclass

from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.llm.journal import Journal


class BudgetError(JobError):
    """What is left of a budget is not enough for the next question."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a job may cost, all its runs together; None is no limit."""

    tokens: int | None = None
    dollars: float | None = None
    price_in: float = 0.0
    """Dollars for a million tokens of questions."""
    price_out: float = 0.0
    """For a million of answers."""

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            UsageError: there are dollars and no price, or something is below zero.

        """
        if self.dollars is not None and not (self.price_in or self.price_out):
            raise UsageError(
                "--budget-dollars needs --price-in and --price-out, of a million tokens"
            )
        values = (self.tokens, self.dollars, self.price_in, self.price_out)
        if any(value is not None and not value >= 0 for value in values):
            raise UsageError("budgets and prices cannot be below 0")

    def cost(self, prompt: float, completion: float) -> float:
        """Return the dollars that tokens cost."""
        return (prompt * self.price_in + completion * self.price_out) / 1e6

    def allows(self, prompt: int, completion: int) -> bool:
        """Say whether so much may be spent in all."""
        return (self.tokens is None or prompt + completion <= self.tokens) and (
            self.dollars is None or self.cost(prompt, completion) <= self.dollars
        )

    def __str__(self) -> str:
        limits = []
        if self.tokens is not None:
            limits.append(f"{self.tokens:,} tokens")
        if self.dollars is not None:
            limits.append(f"${self.dollars:g}")
        return " or ".join(limits) or "no limit"


class Purse:
    """What is left of a budget. The journal has what was spent; all in one event loop."""

    def __init__(self, budget: Budget, journal: Journal) -> None:
        """Begin with what the journal says earlier runs spent."""
        self._budget, self._journal = budget, journal
        self._aside = [0, 0]
        self._changed = asyncio.Condition()
        self._is_empty = False

    @property
    def spent(self) -> tuple[int, int]:
        """Tokens of questions and answers, with those that may have been counted."""
        answered, lost = self._journal.answered_tokens, self._journal.lost_tokens
        return answered[0] + lost[0], answered[1] + lost[1]

    async def set_aside(self, prompt: int, completion: int) -> None:
        """Wait until so much is free, and hold it.

        Raises:
            BudgetError: it will never be: nothing is on its way any more.

        """
        async with self._changed:
            while not self._fits(prompt, completion) or self._is_empty:
                if not any(self._aside) or self._is_empty:
                    self._is_empty = True
                    self._changed.notify_all()
                    raise BudgetError(self._words())
                await self._changed.wait()
            self._aside[0] += prompt
            self._aside[1] += completion

    async def give_back(self, prompt: int, completion: int) -> None:
        """Let go of what was held; what it really cost is in the journal by now."""
        async with self._changed:
            self._aside[0] -= prompt
            self._aside[1] -= completion
            self._changed.notify_all()

    def _fits(self, prompt: int, completion: int) -> bool:
        spent, aside = self.spent, self._aside
        return self._budget.allows(spent[0] + aside[0] + prompt, spent[1] + aside[1] + completion)

    def _words(self) -> str:
        prompt, completion = self.spent
        dollars = self._budget.cost(prompt, completion)
        return (
            f"the budget of {self._budget} does not allow another question: {prompt + completion:,}"
            f" tokens{f' (${dollars:.4f})' if dollars else ''} are spent, and all"
            f" {len(self._journal):,} answers kept; raise the budget, and the same command goes on"
        )
