"""Write the texts of a manifest, a line each, for what measures language models.

    python benchmarks/hypotheses/texts.py build/corpora/asterisk-en/manifest.jsonl texts.txt

Of more than three words, in small letters, none twice, in an order that is drawn.
"""

import argparse
import json
import random
from pathlib import Path

LEAST_WORDS = 4


def main() -> None:
    """Read and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    rows = map(json.loads, given.manifest.read_text("utf-8").splitlines())
    lines = sorted(
        {row["text"].lower().rstrip(".") for row in rows if len(row["text"].split()) >= LEAST_WORDS}
    )
    random.Random(0).shuffle(lines)
    given.out.write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main()
