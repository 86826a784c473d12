"""A causal language model of transformers, in this process: batches, no server."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from wavemill.digest import digest, digest_number
from wavemill.hypotheses.llm.base import Answer, Question
from wavemill.models.corrector.language_model import (
    load_language_model,
    load_tokenizer,
    prompt_tokens,
)
from wavemill.specs import check_range
from wavemill.tokenizers.device import Place


@dataclass(frozen=True, kw_only=True)
class LocalConfig:
    """A model, and how it answers."""

    model: str
    """A folder with safetensors, a GGUF file or a hub name."""
    most_tokens: int = 256
    temperature: float = 0.0
    """0 takes the likeliest token each time."""
    top_p: float = 1.0
    seed: int = 0
    batch: int = 8
    device: str = "cpu"
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--max-tokens", self.most_tokens, 1, 1 << 20)
        check_range("--batch-size", self.batch, 1, 1 << 16)
        check_range("--temperature", self.temperature, 0, 100)


class LocalChat:
    """Answers in a thread, one batch at a time.

    With a temperature above 0 the draws come from the seed and the questions of a batch.
    """

    def __init__(self, config: LocalConfig) -> None:
        """Load the model; no code comes with it.

        Raises:
            UsageError: there is none, or the device is not here.

        """
        self._place = Place(device=config.device, precision=config.precision)
        self._place.check("correct")
        self._config = config
        self._tokenizer = load_tokenizer(config.model)
        model = load_language_model(config.model)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model = model.to(config.device).eval()
        self.batch, self.most_tokens = config.batch, config.most_tokens
        self.content: Mapping[str, Any] = {
            "model": config.model,
            "config": digest(model.config.to_diff_dict()),
            **{name: getattr(config, name) for name in ("most_tokens", "temperature", "top_p")},
            **({"seed": config.seed} if config.temperature else {}),
            **self._place.digest_parts,
        }

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """See `ChatModel`; it has no faults."""
        return await asyncio.to_thread(self._answer, questions)

    async def close(self) -> None:
        """Keep the model: it may be asked again."""

    def _answer(self, questions: Sequence[Question]) -> list[Answer]:
        chats = [prompt_tokens(self._tokenizer, question.messages) for question in questions]
        inputs = self._tokenizer.pad({"input_ids": chats}, return_tensors="pt")
        inputs = inputs.to(self._config.device)
        with self._place.running(), torch.random.fork_rng():
            torch.manual_seed(digest_number([self._config.seed, [q.key({}) for q in questions]]))
            said = self._model.generate(**inputs, **self._how())
        size = inputs["input_ids"].shape[1]
        prompts = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            self._read(row[size:].tolist(), prompt)
            for row, prompt in zip(said, prompts, strict=True)
        ]

    def _how(self) -> dict[str, Any]:
        how = {"max_new_tokens": self.most_tokens, "pad_token_id": self._tokenizer.pad_token_id}
        if not self._config.temperature:
            # Models bring settings of their own, which warn where they are of no use.
            return {**how, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        drawn = {"temperature": self._config.temperature, "top_p": self._config.top_p}
        return {**how, "do_sample": True, "top_k": None, **drawn}

    def _read(self, tokens: list[int], prompt_tokens: int) -> Answer:
        ends = self._model.generation_config.eos_token_id
        ends = {ends} if isinstance(ends, int) else set(ends or ())
        length = next((n for n, token in enumerate(tokens) if token in ends), None)
        kept = tokens if length is None else tokens[:length]
        return Answer(
            text=self._tokenizer.decode(kept, skip_special_tokens=True).strip(),
            is_cut=length is None,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(kept) + (length is not None),
        )
