"""The segmenter of syllables beside Sylber's package, on features [1500, 768]: 30 s of speech.

The package pins what wavemill cannot live with; the one file of its source that is asked need not
be installed.
"""

import argparse
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from speed import PeerMissingError, by_turns, ratio

from wavemill.tokenizers.syllables import find_syllables

FRAMES, DIM = 1500, 768
THRESHOLDS = (2.6, 0.8)
PIP = (
    "pip download --no-deps --no-binary :all: sylber==0.1.4 && tar xzf sylber-0.1.4.tar.gz, and"
    " --sylber sylber-0.1.4/sylber/utils/segment_utils.py"
)


def measure(options: argparse.Namespace, one: float, _: float) -> Iterator[str]:
    """Yield lines of figures, of one thread."""
    theirs = package(options.sylber)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    noise = np.random.default_rng(0).standard_normal((FRAMES, DIM)).astype(np.float32)
    for name, features in (("speech-like", speech_like(FRAMES)), ("noise", noise)):
        ways: dict[str, Callable[[], Any]] = {
            "ours": partial(find_syllables, features),
            "package": partial(theirs, features, *THRESHOLDS),
            "read": partial(np.vecdot, features, features),
        }
        equal = np.array_equal(ways["ours"](), ways["package"]())
        taken = by_turns(ways, 3 * options.rounds)
        ms = {way: 1000 * min(times) for way, times in taken.items()}
        yield (
            f"{name}: {ratio(taken['package'], taken['ours']):.1f} times the package's speed"
            f" ({ms['ours']:.2f} and {ms['package']:.1f} ms), {len(ways['ours']())} segments,"
            f" {'all equal' if equal else 'NOT EQUAL'}"
        )
        floor = 1000 * 2 * FRAMES * DIM / (one * 1e9)
        yield (
            f"  limit: reading all features once, for their norms, takes {ms['read']:.2f} ms, its"
            f" products alone at the machine's best {floor:.3f} ms"
        )
    torch.set_num_threads(before)


def package(file: Path | None) -> Callable[..., Any]:
    """Find the package's function, in the file or where it is installed."""
    if file is None:
        try:
            module: Any = importlib.import_module("sylber.utils.segment_utils")
        except ImportError:
            raise PeerMissingError(PIP) from None
    else:
        spec = importlib.util.spec_from_file_location("segment_utils", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    function: Callable[..., Any] = module.get_segment
    return function


def speech_like(frames: int) -> npt.NDArray[np.float32]:
    """Draw features [frames, 768] of syllables of 4 to 17 frames with gaps between some."""
    random, parts, made = np.random.default_rng(0), [], 0
    while made < frames:
        length = int(random.integers(4, 18))
        vector = random.standard_normal(DIM)
        parts.append(5 * (vector + 0.35 * random.standard_normal((length, DIM))))
        if random.random() < 0.25:
            parts.append(0.5 * random.standard_normal((int(random.integers(1, 8)), DIM)))
        made = sum(map(len, parts))
    scaled: npt.NDArray[np.float32] = (np.concatenate(parts)[:frames] / DIM**0.5).astype("f4")
    return scaled
