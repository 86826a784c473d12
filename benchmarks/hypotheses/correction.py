"""From speech to corrected texts, and a table of what each step is worth.

    python benchmarks/hypotheses/correction.py CORPUS --work DIR
    python benchmarks/hypotheses/correction.py --hypotheses DIR --work DIR [--base FOLDER]

N-best lists of CORPUS by `wavemill hypotheses`, split by text so that no text is in two parts; a
corrector that `wavemill train` makes of one part; and `wavemill score` on the part that it never
saw: 1-best, oracles, vote, rescoring and correction, with their intervals. What is in the work
folder is not made again. `--base` adds a language model that is adapted (`--preset lora`).
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SPLITS = "0.6,0,0.4"
"""Of train, validation and test."""


def wavemill(*words: str) -> dict[str, Any]:
    """Run a command, and return what it says of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "wavemill", *words, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1", **os.environ},
    )
    if done.returncode:
        sys.exit(f"wavemill {words[0]} ended with {done.returncode}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def made(options: argparse.Namespace) -> str:
    """Return a folder of hypotheses: the one that was given, or one made of the corpus."""
    if options.hypotheses:
        return str(options.hypotheses)
    folder = str(Path(options.work) / "hypotheses")
    wavemill(
        "hypotheses", options.corpus, "--out", folder, "--recognizer", options.recognizer,
        "--n", "5", "--split-by", "text", "--splits", SPLITS,
    )  # fmt: skip
    return folder


def corrected(folder: str, name: str, work: Path, *settings: str, only_heard: bool = False) -> None:
    """Train a corrector, and correct the part that it did not see."""
    run = str(work / name)
    wavemill("train", "corrector", "--data", folder, "--out", run, "--device", "auto", *settings)
    held: dict[str, list[str]] = {name: []}
    if only_heard:
        held[f"{name}-heard"] = ["--only-words-of-hypotheses"]
    for called, more in held.items():
        wavemill("correct", folder, "--model", run, "--name", called, *more)


def main() -> None:
    """Do all of it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", help="What `wavemill hypotheses` takes.")
    parser.add_argument("--hypotheses", help="A folder that is there, in place of a corpus.")
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--recognizer", default="pocketsphinx")
    parser.add_argument("--base", help="A language model to adapt as well.")
    parser.add_argument("--steps", default="200", help="That it is adapted for.")
    options = parser.parse_args()
    if bool(options.corpus) == bool(options.hypotheses):
        parser.error("give a CORPUS or --hypotheses DIR")
    folder = made(options)
    wavemill("rescore", folder, "--split", "test")
    corrected(folder, "pointer", options.work, only_heard=True)
    if options.base:
        corrected(
            folder, "lora", options.work, "--preset", "lora", "--set", f"base={options.base}",
            "--steps", options.steps, "--batch-size", "8", "--train", "batches=1",
        )  # fmt: skip
    table(wavemill("score", folder, "--split", "test"))


def table(scores: dict[str, Any]) -> None:
    """Print it as Markdown."""
    print(f"{scores['utterances']:,} utterances, {scores['words']:,} words\n")
    print("| | WER | 95 % | to the 1-best | 95 % | |\n|-|-|-|-|-|-|")
    for one in scores["systems"]:
        print(
            f"| {one['name']} | {one['wer']:.2%} | {between(one['wer_interval'])}"
            f" | {100 * one['difference']:+.2f} | {between(one['difference_interval'])}"
            f" | {one['verdict'] or ''} |"
        )


def between(interval: list[float] | None) -> str:
    """Write an interval in percent."""
    return "" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}"


if __name__ == "__main__":
    main()
