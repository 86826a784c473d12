"""The example recordings: the shorter half of the repository's `examples/speech`, about 1 MB.

A checkout has them where they lie; `setup.py` packs them into wheels and source distributions. It
imports this file before anything is installed, so only the standard library is used here.
"""

import json
from collections.abc import Iterator
from pathlib import Path

MOST_SECONDS = 2.7
"""Of a recording: 33 of the 60."""
MANIFEST = "manifest.jsonl"
TEXTS = ("ATTRIBUTION.md", "LICENSE.txt")
PACKED = Path(__file__).parent / "speech"
"""Where a wheel has them."""


def example_files() -> Iterator[tuple[str, bytes]]:
    """Yield the path, relative to the folder of the examples, and the content of each file.

    Raises:
        FileNotFoundError: this copy of wavemill came without them.

    """
    home = PACKED if PACKED.is_dir() else Path(__file__).parents[1] / "examples" / "speech"
    rows = [line for line in (home / MANIFEST).read_bytes().splitlines() if _is_short(line)]
    for name in TEXTS:
        yield name, (home / name).read_bytes()
    for row in rows:
        path = json.loads(row)["audio_filepath"]
        yield path, (home / path).read_bytes()
    yield MANIFEST, b"".join(row + b"\n" for row in rows)


def _is_short(row: bytes) -> bool:
    return bool(json.loads(row)["duration"] <= MOST_SECONDS)
