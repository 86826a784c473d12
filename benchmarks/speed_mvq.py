"""The encoder of `mvq` beside the package multi-quantization, at 5 refinements, one thread.

Both encode the same frames, normalised log-mel of `examples/speech` (or normal noise of other
sizes), with the same weights: those that ship for 4 codebooks, random ones else. A frame counts as
equal if all its codes are; where they are not, the package's sums of float32 round otherwise
(`tests/tokenizers/test_quantizer.py`).
"""

import argparse
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import soundfile
import torch
from speed import SPEECH, PeerMissingError, by_turns, ratio
from torch import Tensor

from wavemill.tokenizers.features import log_mel
from wavemill.tokenizers.mvq import DEFAULT_WEIGHTS
from wavemill.tokenizers.quantizer import DirectSumQuantizer
from wavemill.tokenizers.quantizer_files import load_quantizer

FRAMES = 1000
REFINEMENTS = 5
SIZE = 256
BATCH_FRAMES = 16  # that the package encodes at once: of 16 to 1024 the best for it
PIP = "pip install multi-quantization==0.1.1"


def measure(options: argparse.Namespace, one: float, _: float) -> Iterator[str]:
    """Yield a line for each size."""
    if importlib.util.find_spec("multi_quantization") is None:
        raise PeerMissingError(PIP)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    for dim, codebooks in ((80, 4), (80, 8), (512, 8)):
        yield measure_size(dim, codebooks, options.rounds, one)
    torch.set_num_threads(before)


@torch.no_grad()
def measure_size(dim: int, codebooks: int, rounds: int, gflops: float) -> str:
    """Measure one size."""
    ours, theirs = quantizers(dim, codebooks)
    noise = torch.randn(FRAMES, dim, generator=torch.Generator().manual_seed(1))
    x = speech_frames() if dim == 80 else noise

    def published() -> Tensor:
        return torch.cat([theirs.encode(part, REFINEMENTS) for part in x.split(BATCH_FRAMES)])

    ways: dict[str, Callable[[], Tensor]] = {
        "ours": partial(ours.encode, x, REFINEMENTS), "package": published,
    }  # fmt: skip
    equal = int((ways["ours"]() == published()).all(dim=1).sum())
    taken = by_turns(ways, rounds)
    rate = {name: FRAMES / min(times) for name, times in taken.items()}
    # Every frame has to meet every centre once.
    limit = gflops * 1e9 / (2 * dim * codebooks * SIZE)
    return (
        f"{codebooks} codebooks of {dim} dimensions:"
        f" {ratio(taken['package'], taken['ours']):.1f} times the package's speed"
        f" ({rate['ours']:,.0f} and {rate['package']:,.0f} frames a second), {equal} of"
        f" {FRAMES} frames equal; limit, one product with all centres: {limit:,.0f}"
    )


def speech_frames() -> Tensor:
    """Compute normalised log-mel of the example utterances, [F, 80]."""
    model = load_quantizer(str(DEFAULT_WEIGHTS))
    paths = sorted(SPEECH.rglob("*.flac"))
    frames = np.concatenate([log_mel(soundfile.read(path, dtype="float32")[0]) for path in paths])
    x = (torch.from_numpy(frames) - model.mean) / model.std
    return x.repeat(-(-FRAMES // len(x)), 1)[:FRAMES]


def quantizers(dim: int, codebooks: int) -> tuple[DirectSumQuantizer, Any]:
    """Build both quantizers with the same weights."""
    if (dim, codebooks) == (80, 4):
        ours = load_quantizer(str(DEFAULT_WEIGHTS)).quantizer
    else:
        ours = DirectSumQuantizer(dim, codebooks, SIZE, torch.Generator().manual_seed(0))
    theirs: Any = importlib.import_module("multi_quantization").Quantizer(dim, SIZE, codebooks)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs
