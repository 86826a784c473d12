"""Compare tokenizers on another device, or in another precision, with the CPU in float32.

    python benchmarks/places.py [--device cuda] [--precision bfloat16] [SPEC...]

Of each SPEC, as `--tokenizer` takes it, it says which share of the ids is the same, and how many
seconds of audio are encoded in one; without any, of the tests' small random models, whose speed
says little. It hears 64 stretches of speech and other sounds of up to 3 s, and one of 60 s.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.tokenizers.codec_files import Clip
from tests.tokenizers.small_models import MODELS, make, mixed_clips, share_of_equal, tokens
from wavemill.errors import UsageError
from wavemill.specs import Spec
from wavemill.tokenizers.base import Tokenizer

LONG_SECONDS = 60


def main() -> None:
    """Print a row a tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", metavar="SPEC")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    place = {"device": options.device, "precision": options.precision}
    logging.disable(logging.WARNING)
    print(f"{torch.get_num_threads()} threads; {options.device}, {options.precision}")
    print(f"{'tokenizer':<28}{'equal ids':>10}{'cpu, s/s':>10}{'there, s/s':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for label, settings in models(options.specs, Path(folder)):
            try:
                there = make(label, {**settings, **place})
            except UsageError as error:
                print(f"{label:<28}  {error}")
                continue
            here = make(label, settings)
            clips = mixed_clips(here.facts.sample_rate)
            long = np.resize(np.concatenate(clips), LONG_SECONDS * here.facts.sample_rate)
            clips = [*clips, long]
            share = share_of_equal(tokens(there, clips), tokens(here, clips))
            speeds = speed(here, clips), speed(there, clips)
            print(f"{label:<28}{share:>10.4f}{speeds[0]:>10.1f}{speeds[1]:>11.1f}", flush=True)


def models(specs: list[str], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Give names and settings."""
    for text in specs:
        spec = Spec.parse(text)
        yield spec.name, dict(spec.settings)
    for label, model in MODELS.items() if not specs else ():
        place = folder / label.replace("/", "-")
        place.mkdir()
        yield label, {name: str(value) for name, value in model.write(place).items()}


def speed(tokenizer: Tokenizer, clips: list[Clip]) -> float:
    """Encode once: seconds of audio a second."""
    started = time.perf_counter()
    tokenizer.encode(clips)
    seconds = sum(map(len, clips)) / tokenizer.facts.sample_rate
    return seconds / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
