"""Train each recipe's small preset and measure it beside its baseline: the table of docs/models.md.

    python benchmarks/models/table.py --work build/models
    python benchmarks/models/table.py --work build/models --write docs/models.md
    python benchmarks/models/table.py spear beats --work build/models

Each recipe has a file beside this one whose `measure` makes its corpus, trains as `wavemill train`
does, and measures on samples that were held out. What was measured is kept in the folder and not
measured again: remove `<name>.json` there to do so.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

RECIPES = ("codec", "sylber", "beats", "spear", "asr", "token_lm")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = ("recipe", "score", "baseline", "its score", "what is measured", "training, s")


def measured(name: str, work: Path) -> dict[str, Any]:
    """Measure a recipe, or read what was measured before."""
    place = work / f"{name}.json"
    if not place.exists():
        result = importlib.import_module(name).measure(work)
        place.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return dict(json.loads(place.read_text(encoding="utf-8")))


def as_table(rows: list[dict[str, Any]]) -> list[str]:
    """Lay results out in markdown."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'-|' * len(HEAD)}"]
    for row in rows:
        for one in (row, *row.get("more", ())):
            cells = (f"`{row['recipe']}`", one["score"], one["baseline"], one["baseline_score"],
                     one["unit"], f"{row['seconds']:,}")  # fmt: skip
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def write(page: Path, lines: list[str]) -> None:
    """Put the table into a page, between its marks."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]), encoding="utf-8")


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=", ".join(RECIPES))
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    parser.add_argument("--write", type=Path, help="a page with the table's marks")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    lines = as_table([measured(name, options.work) for name in options.recipes or RECIPES])
    print("\n".join(lines))
    if options.write:
        write(options.write, lines)


if __name__ == "__main__":
    main()
