"""Make golden/sylber.npz: the segments that Sylber's package finds in the inputs' features.

    pip download --no-deps --no-binary :all: sylber==0.1.4 && tar xzf sylber-0.1.4.tar.gz
    python -m tests.parity.make_sylber sylber-0.1.4/sylber/utils/segment_utils.py

The package itself need not be installed (it pins what wavemill cannot live with): this one file of
it needs numpy and torch alone, as wavemill's environment has them.
"""

import importlib.util
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.sylber_inputs import random_cases, speech_cases

GOLDEN = Path(__file__).parent / "golden" / "sylber.npz"


def reference(path: str) -> Any:
    """Import the one file."""
    spec = importlib.util.spec_from_file_location("segment_utils", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Write the golden file."""
    get_segment = reference(sys.argv[1]).get_segment
    found = [
        np.array(get_segment(features, norm, merge), np.int16).reshape(-1, 2)
        for features, norm, merge in chain(random_cases(), speech_cases())
    ]
    counts = np.array([len(spans) for spans in found], np.int16)
    np.savez_compressed(GOLDEN, counts=counts, spans=np.concatenate(found))
    sys.stdout.write(f"{GOLDEN.name}: {len(counts)} matrices, {counts.sum()} segments\n")


if __name__ == "__main__":
    main()
