"""A corrector that was a language model: low-rank changes of its attention, by peft.

The language model (https://arxiv.org/abs/2106.09685) stays as it is; what is trained, and kept in
checkpoints, is the product of two narrow matrices beside each of its query, key, value and output
projections. A prompt holds the hypotheses, and what is learnt is the answer after it.

Shapes end names: B utterances, S tokens.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.prompt import CORRECTION_SLOTS, load_prompt, unquoted
from wavemill.hypotheses.records import Utterance
from wavemill.models.corrector.allowed import allowed_words, only
from wavemill.models.corrector.language_model import (
    load_language_model,
    load_tokenizer,
    prompt_tokens,
)
from wavemill.models.corrector.settings import CorrectorConfig
from wavemill.models.recipe import Loss
from wavemill.packages import require

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
"""As most models name them; of others peft knows which ones to change."""
IGNORED = -100
ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""Files that peft reads."""
MORE = 32
"""Tokens that an answer may have beyond twice those of the longest hypothesis."""


class LoraModel(nn.Module):
    """A language model whose state is what was trained of it."""

    def __init__(self, adapted: Any) -> None:
        super().__init__()
        self.adapted = adapted
        self.register_state_dict_post_hook(_leave_out_what_is_given)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            _miss_nothing_that_is_given
        )

    def forward(self, ids_BS: Tensor, real_BS: Tensor) -> Tensor:
        """Return the logits of the next tokens, [B, S, V]."""
        return self.adapted(  # type: ignore[no-any-return]
            input_ids=ids_BS, attention_mask=real_BS.long(), use_cache=False
        ).logits


class Lora:
    """The kind `lora`; see `Kind`."""

    def __init__(self, config: CorrectorConfig) -> None:
        """Take settings, and look for the prompt and the tokenizer.

        Raises:
            UsageError: no language model is named, or it or the prompt cannot be used.

        """
        if not config.base:
            raise UsageError(
                "corrector: name the language model: --set base=FOLDER, a .gguf file or a hub name"
            )
        self.config = config
        self._peft = require("peft", "correct", "corrector --preset lora")
        self._prompt = load_prompt(config.prompt, CORRECTION_SLOTS, 2)
        self._tokenizer = load_tokenizer(config.base)
        self._end = int(self._tokenizer.eos_token_id)

    def build(self) -> nn.Module:
        """Make the model: with the weights of its base, unless there is no memory for any."""
        assert self.config.base is not None
        model = load_language_model(self.config.base)
        names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
        settings = self._peft.LoraConfig(
            r=self.config.rank,
            lora_alpha=self.config.alpha,
            lora_dropout=self.config.dropout,
            target_modules=list(PROJECTIONS) if names.issuperset(PROJECTIONS) else None,
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings():
            # peft asks transformers by a name that it is to drop.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            return LoraModel(self._peft.get_peft_model(model, settings))

    def begin(self, model: nn.Module, batches: Iterator[HypothesesBatch]) -> None:
        """Begin with the base, and nothing else."""

    def loss(self, model: nn.Module, batch: HypothesesBatch) -> Loss:
        """Return the cross-entropy in nats over the tokens of answers and their ends."""
        device = next(model.parameters()).device
        examples = [self._example(one) for one in batch.utterances]
        ids_BS = _padded([ids for ids, _ in examples], self._end).to(device)
        targets_BS = _padded([targets for _, targets in examples], IGNORED).to(device)
        real_BS = _padded([[1] * len(ids) for ids, _ in examples], 0).bool().to(device)
        logits_BSV = model(ids_BS, real_BS)
        total = functional.cross_entropy(
            logits_BSV[:, :-1].float().flatten(0, 1),
            targets_BS[:, 1:].flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )
        return Loss(total=total, count=(targets_BS != IGNORED).sum())

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return the change as peft reads it: `PeftModel.from_pretrained(base, RUN)`."""
        assert isinstance(model, LoraModel)
        # Left to itself peft looks for the base's config, in its folder or at a hub.
        tensors = self._peft.get_peft_model_state_dict(model.adapted, save_embedding_layers=False)
        config = model.adapted.peft_config["default"].to_dict()
        config["base_model_name_or_path"] = self.config.base
        config["inference_mode"] = True
        return {
            ADAPTER: safetensors.torch.save(
                {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
            ),
            ADAPTER_CONFIG: json.dumps(config, indent=1, sort_keys=True, default=sorted).encode(),
        }

    def correct(
        self, model: nn.Module, utterances: Sequence[Utterance], *, only_heard: bool
    ) -> list[str]:
        """Return the likeliest answer for each utterance that a beam finds."""
        assert isinstance(model, LoraModel)
        prompts = [self._read(one) for one in utterances]
        size = max(map(len, prompts))
        real = [[0] * (size - len(ids)) + [1] * len(ids) for ids in prompts]
        ids = [[self._end] * (size - len(ids)) + ids for ids in prompts]
        device = next(model.parameters()).device
        allowed = [allowed_words(one.texts, self._tokenizer, self._end) for one in utterances]
        longest = max(len(self._tokenizer.encode(text)) for one in utterances for text in one.texts)
        with torch.inference_mode():
            found = model.adapted.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(real, device=device),
                num_beams=self.config.beam,
                do_sample=False,
                max_new_tokens=2 * longest + MORE,
                eos_token_id=self._end,
                pad_token_id=self._end,
                prefix_allowed_tokens_fn=only(allowed, size) if only_heard else None,
            )
        said = self._tokenizer.batch_decode(found[:, size:], skip_special_tokens=True)
        return [" ".join(unquoted(text).split()) for text in said]

    def _read(self, utterance: Utterance) -> list[int]:
        seen = replace(utterance, hypotheses=utterance.hypotheses[: self.config.hypotheses])
        return prompt_tokens(self._tokenizer, self._prompt.about(seen).messages)

    def _example(self, utterance: Utterance) -> tuple[list[int], list[int]]:
        """Return tokens and targets; none is to be learnt where the whole is too long."""
        prompt = self._read(utterance)
        said = self._tokenizer.encode(utterance.reference or "", add_special_tokens=False)
        answer = [*said, self._end]
        most = self.config.most_tokens
        if len(prompt) + len(answer) > most:
            return prompt[:most], [IGNORED] * min(len(prompt), most)
        return [*prompt, *answer], [*[IGNORED] * len(prompt), *answer]


def _padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Lay rows side by side, filled up on the right."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


def _leave_out_what_is_given(model: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    trained = _trained(model)
    for name in list(state):
        if name.removeprefix(prefix) not in trained:
            del state[name]


def _miss_nothing_that_is_given(model: nn.Module, found: Any) -> None:
    trained = _trained(model)
    found.missing_keys[:] = [name for name in found.missing_keys if name in trained]


def _trained(model: nn.Module) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}
