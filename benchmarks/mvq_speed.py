"""Measure how fast `mvq` encodes, against the published package, whose codes it gives.

    python benchmarks/mvq_speed.py [--frames 4000] [--refinements 5]

Both encode the same frames, normalised log-mel of `examples/speech` (or normal noise of `--dim`),
on one thread, with the same weights: those that ship for 4 codebooks, random ones else. Times are
the best of several turns, taken by turns, so that a busy machine slows both. `equal` is the share
of frames whose codes are equal; where they are not, the published sums of float32 round otherwise
(`tests/tokenizers/test_quantizer.py`).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from multi_quantization import Quantizer
from torch import Tensor

from wavemill.tokenizers.features import log_mel
from wavemill.tokenizers.mvq import DEFAULT_WEIGHTS
from wavemill.tokenizers.quantizer import DirectSumQuantizer
from wavemill.tokenizers.quantizer_files import load_quantizer

SPEECH = Path(__file__).parents[1] / "examples/speech/audio"
BATCH_FRAMES = 16  # that the published package encodes at once: of 16 to 1024 the best for it


def speech_frames(count: int) -> Tensor:
    """Compute normalised log-mel of the example utterances, [F, 80]."""
    model = load_quantizer(str(DEFAULT_WEIGHTS))
    paths = sorted(SPEECH.rglob("*.flac"))
    frames = np.concatenate([log_mel(soundfile.read(path, dtype="float32")[0]) for path in paths])
    x = (torch.from_numpy(frames) - model.mean) / model.std
    return x.repeat(-(-count // len(x)), 1)[:count]


def quantizers(dim: int, codebooks: int) -> tuple[DirectSumQuantizer, Quantizer]:
    """Build both quantizers with the same weights."""
    if (dim, codebooks) == (80, 4):
        ours = load_quantizer(str(DEFAULT_WEIGHTS)).quantizer
    else:
        ours = DirectSumQuantizer(dim, codebooks, 256, torch.Generator().manual_seed(0))
    theirs = Quantizer(dim, 256, codebooks)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def best(turns: int, *encoders: Callable[[], Tensor]) -> list[tuple[float, Tensor]]:
    """Run encoders by turns; give the best time of each, and its codes."""
    results: list[list[tuple[float, Tensor]]] = [[] for _ in encoders]
    for _ in range(turns):
        for encoder, found in zip(encoders, results, strict=True):
            started = time.perf_counter()
            codes = encoder()
            found.append((time.perf_counter() - started, codes))
    return [min(found, key=lambda one: one[0]) for found in results]


@torch.no_grad()
def measure(dim: int, codebooks: int, options: argparse.Namespace) -> str:
    """Measure one size; give a row of the table."""
    ours, theirs = quantizers(dim, codebooks)
    noise = torch.randn(options.frames, dim, generator=torch.Generator().manual_seed(1))
    x = speech_frames(options.frames) if dim == 80 else noise
    count = options.refinements

    def published() -> Tensor:
        return torch.cat([theirs.encode(part, count) for part in x.split(BATCH_FRAMES)])

    (mine, codes), (other, expected) = best(options.turns, lambda: ours.encode(x, count), published)
    equal = float((codes == expected).all(dim=1).double().mean())
    rates = f"{len(x) / mine:>10,.0f} {len(x) / other:>10,.0f} {other / mine:>6.2f}x"
    return f"{dim:>4} {codebooks:>9} {rates} {equal:>9.4f}"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Speed of mvq against multi_quantization.")
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--refinements", type=int, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"frames a second, {options.refinements} refinements, {options.threads} thread(s)")
    print(
        f"{'dim':>4} {'codebooks':>9} {'wavemill':>10} {'published':>10} {'ratio':>7} {'equal':>9}"
    )
    for dim, codebooks in ((80, 4), (80, 8), (512, 8)):
        print(measure(dim, codebooks, options), flush=True)


if __name__ == "__main__":
    main()
