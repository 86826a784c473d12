"""Temperatures for UADF, found on real tokens and checked on others.

    python benchmarks/hypotheses/calibration.py TEXTS MODEL [--tokens 3000]

The posteriors of a causal language model over the tokens of TEXTS, a line each. A temperature is
found on half of the lines; that half and the other one say how far the mean of the highest
probability then is from the share of tokens that are guessed. The aim is 0.01 on the first half.
"""

import argparse
from pathlib import Path

import torch

from wavemill.models.corrector.fusion import calibrate
from wavemill.models.corrector.language_model import load_language_model, load_tokenizer


def main() -> None:
    """Measure, and print a line for each half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=3000, help="Of each half, at most.")
    options = parser.parse_args()
    tokenizer, model = load_tokenizer(options.model), load_language_model(options.model).eval()
    lines = [line for line in options.texts.read_text("utf-8").splitlines() if line.strip()]
    halves = [posteriors(tokenizer, model, lines[half::2], options.tokens) for half in (0, 1)]
    found = calibrate(*halves[0])
    print(f"temperature {found.temperature:.4f}, reached: {found.is_reached}")
    for name, (logits, targets) in zip(("found on", "others"), halves, strict=True):
        before, after = gap(logits, targets, 1.0), gap(logits, targets, found.temperature)
        print(f"{name}: {len(targets)} tokens, gap {before:+.4f} before, {after:+.4f} after")


def posteriors(
    tokenizer: object, model: object, lines: list[str], most: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits [N, V] of tokens but the first of each line, and the tokens, [N]."""
    logits, targets = [], []
    for line in lines:
        ids = torch.tensor([tokenizer.encode(line)])  # type: ignore[attr-defined]
        with torch.inference_mode():
            logits.append(model(input_ids=ids).logits[0, :-1])  # type: ignore[operator]
        targets.append(ids[0, 1:])
        if sum(map(len, targets)) >= most:
            break
    return torch.cat(logits)[:most], torch.cat(targets)[:most]


def gap(logits: torch.Tensor, targets: torch.Tensor, temperature: float) -> float:
    """Return how much surer a model is than it is right."""
    sure = (logits.double() / temperature).softmax(1).amax(1).mean()
    return float(sure - (logits.argmax(1) == targets).double().mean())


if __name__ == "__main__":
    main()
