"""How an id is drawn from logits: temperature, top-k, top-p, and dice of each row's own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavemill.digest import digest_number
from wavemill.specs import MAX_SEED, check_range


class Sampler:
    """Draws ids. What a row draws depends on the seed and its number, not on how many there are.

    Draws are made on the CPU, so that a GPU's are the same; its logits may differ in the last bits.
    """

    def __init__(
        self,
        *,
        rows: Sequence[int],
        seed: int = 0,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> None:
        """Set the dice.

        Args:
            rows: the numbers of those that draw.
            seed: of all of them.
            temperature: by which logits are divided; at 0 the likeliest id is taken.
            top_k: only the likeliest so many are drawn from.
            top_p: only the likeliest that together have this probability.

        Raises:
            UsageError: one of them is out of range.

        """
        check_range("--seed", seed, 0, MAX_SEED)
        check_range("--temperature", temperature, 0, 100)
        check_range("--top-k", top_k, 1, 65536)
        check_range("--top-p", top_p, 1e-6, 1)
        self.temperature, self._top_k, self._top_p = temperature, top_k, top_p
        self._dice = [
            torch.Generator().manual_seed(digest_number(f"{seed} {row}") % 2**63) for row in rows
        ]

    def draw(self, logits: Tensor, annealed: float = 1.0) -> Tensor:
        """Draw an id each.

        Args:
            logits: [B, ..., K].
            annealed: times the temperature.

        Returns:
            [B, ...] int64.

        """
        if not self.temperature:
            return logits.argmax(-1)
        scaled = self.scale(logits, annealed)
        noise = torch.stack([torch.rand(logits.shape[1:], generator=dice) for dice in self._dice])
        # The largest of logits with Gumbel noise is drawn by their softmax.
        gumbel = -(-noise.clamp(min=1e-20).log()).clamp(min=1e-20).log()
        return (scaled + gumbel.to(scaled.device)).argmax(-1)

    def scale(self, logits: Tensor, annealed: float = 1.0) -> Tensor:
        """Return the logits that are drawn by: cooled, minus infinity where nothing is drawn."""
        scaled = logits.float() / max(self.temperature * annealed, 1e-2)
        if self._top_k is not None and self._top_k < scaled.shape[-1]:
            least = scaled.topk(self._top_k, -1).values[..., -1:]
            scaled = scaled.masked_fill(scaled < least, -torch.inf)
        if self._top_p is not None:
            values, order = scaled.sort(-1, descending=True)
            shares = values.softmax(-1)
            # What comes before it is enough already; the likeliest always stays.
            surplus = shares.cumsum(-1) - shares >= self._top_p
            scaled = scaled.masked_fill(surplus.gather(-1, order.argsort(-1)), -torch.inf)
        return scaled
