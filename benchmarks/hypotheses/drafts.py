"""Drafts a second: superposed decoding against separate samples of the same language model.

    python benchmarks/hypotheses/drafts.py TEXTS MODEL [--drafts 1 3 5 8]

MODEL is a folder or GGUF file of a causal language model, TEXTS a file of lines: their first words
are prompts, and n-grams come from all of them. Rounds take turns; medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from wavemill.models.corrector.language_model import load_language_model, load_tokenizer
from wavemill.models.corrector.superposed import SuperposedConfig, TokenGrams, superposed

PROMPT_WORDS = 3


def sampled(model: Any, prompt: Sequence[int], drafts: int, most: int) -> int:
    """Draw samples one after the other, each with its own forward passes; return how many."""
    ids = torch.tensor([list(prompt)])
    for _ in range(drafts):
        model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, top_p=0.9,
            min_new_tokens=most, max_new_tokens=most, pad_token_id=0,
        )  # fmt: skip
    return drafts


def timed(write: Callable[[Sequence[int]], Any], prompts: Sequence[Sequence[int]]) -> float:
    """Return the seconds that it takes after all prompts."""
    began = time.perf_counter()
    for prompt in prompts:
        write(prompt)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("model")
    parser.add_argument("--drafts", type=int, nargs="+", default=[1, 3, 5, 8])
    parser.add_argument("--tokens", type=int, default=10)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tokenizer, model = load_tokenizer(options.model), load_language_model(options.model).eval()
    lines = options.texts.read_text("utf-8").splitlines()
    grams = TokenGrams([*tokenizer.encode(line), tokenizer.eos_token_id] for line in lines)
    prompts = [
        tokenizer.encode(" ".join(line.split()[:PROMPT_WORDS]))
        for line in lines
        if len(line.split()) > PROMPT_WORDS
    ][: options.prompts]
    print("| drafts | superposed, drafts a second | separate samples | ratio |\n|-|-|-|-|")
    for drafts in options.drafts:
        config = SuperposedConfig(drafts=drafts, most_tokens=options.tokens)
        # An end that never comes: both write as many tokens.
        together = partial(superposed, model, config=config, end=-1, grams=grams)
        apart = partial(sampled, model, drafts=drafts, most=options.tokens)
        rounds = [(timed(together, prompts), timed(apart, prompts)) for _ in range(options.rounds)]
        ours, theirs = (
            drafts * len(prompts) / statistics.median(times) for times in zip(*rounds, strict=True)
        )
        print(f"| {drafts} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |", flush=True)


if __name__ == "__main__":
    main()
