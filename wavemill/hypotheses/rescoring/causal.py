"""A causal language model of transformers, asked how likely texts are.

Shapes end names: B texts, T tokens, V of the vocabulary.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch


class CausalModel:
    """Reads texts, a batch of those of like length at a time."""

    def __init__(self, model: Any, tokenizer: Any, name: str, batch_size: int) -> None:
        """Take a model that is loaded.

        Args:
            model: on its device, ready to be run.
            tokenizer: its own; it knows the token that ends a text.
            name: of the model, for the facts.
            batch_size: texts that are read at once.

        """
        self._model, self._tokenizer = model, tokenizer
        self._name, self._batch_size = name, batch_size

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it is."""
        return {"model": self._name, "parameters": self._model.num_parameters()}

    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return the natural logarithm of each text's probability, [N].

        A model whose texts begin with no token of their own reads them after the one that ends the
        text before.
        """
        end = self._tokenizer.eos_token_id
        begin = end if self._tokenizer.bos_token_id is None else self._tokenizer.bos_token_id
        tokens = [
            [begin, *self._tokenizer.encode(text, add_special_tokens=False), end] for text in texts
        ]
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
        found = [0.0] * len(texts)
        for first in range(0, len(order), self._batch_size):
            places = order[first : first + self._batch_size]
            batch = self._batch([tokens[place] for place in places])
            for place, value in zip(places, batch, strict=True):
                found[place] = value
        return found

    @torch.inference_mode()
    def _batch(self, tokens: Sequence[Sequence[int]]) -> list[float]:
        lengths_B = torch.tensor([len(one) for one in tokens])
        ids_BT = torch.zeros(len(tokens), int(lengths_B.max()), dtype=torch.long)
        for row, one in zip(ids_BT, tokens, strict=True):
            row[: len(one)] = torch.tensor(one)
        known_BT = torch.arange(ids_BT.shape[1]) < lengths_B[:, None]
        ids_BT, known_BT = ids_BT.to(self._model.device), known_BT.to(self._model.device)
        # What is padded comes last, so that no token of a text sees it.
        logits_BTV = self._model(input_ids=ids_BT, attention_mask=known_BT.long()).logits[:, :-1]
        each_BT = -torch.nn.functional.cross_entropy(
            logits_BTV.float().transpose(1, 2), ids_BT[:, 1:], reduction="none"
        )
        total_B: list[float] = (each_BT.double() * known_BT[:, 1:]).sum(1).tolist()
        return total_B
