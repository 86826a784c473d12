"""Train `asr` on 24 minutes of one voice, and count its errors on utterances that it never saw.

    python benchmarks/models/asr.py --work build/models

1. Twenty utterances are learnt by heart: the word error rate on them is to be 0.
2. The preset `small` learns from nine in ten utterances of asterisk-en; its word error rate on the
   tenth is compared with that of the same model untrained. Many prompts share words and some share
   their whole text: those whose text was never trained on are counted apart, too.

All is done by the commands that users have: prepare, train, transcribe.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wavemill.models.asr.text import normalize
from wavemill.models.asr.word_errors import WordErrors

CORPUS = "asterisk-en"
HELD_OUT = 10
"""One utterance in so many is not trained on."""
BY_HEART = 20
OVERFIT = ("dropout=0", "augment=0", "tempo=0")
OVERFIT_TRAINING = ("steps=300", "batch_seconds=60", "warmup=30", "schedule=constant",
                    "save_every=300")  # fmt: skip
BENCHMARKS = Path(__file__).parent.parent


def measure(work: Path) -> dict[str, Any]:
    """Train and score; what is prepared or trained in `work` already is used again."""
    rows, work = _corpus(work / "corpora" / CORPUS), work / "asr"
    work.mkdir(exist_ok=True)
    held = [row for number, row in enumerate(rows) if number % HELD_OUT == 0]
    learnt = [row for number, row in enumerate(rows) if number % HELD_OUT]
    short = sorted(learnt, key=lambda row: abs(row["duration"] - 2.0))[:BY_HEART]
    data = {name: _prepare(work, name, part)
            for name, part in (("held", held), ("train", learnt), ("twenty", short))}  # fmt: skip
    _train(work / "by-heart", data["twenty"], OVERFIT, OVERFIT_TRAINING)
    by_heart = _transcribe(work / "by-heart", data["twenty"])
    started = time.monotonic()
    _train(work / "small", data["train"], (), ())
    seconds = time.monotonic() - started
    _train(work / "untrained", data["train"], (), ("steps=1", "learning_rate=0"))
    known = {normalize(row["text"]) for row in learnt}
    scores = {run: _transcribe(work / run, data["held"]) for run in ("small", "untrained")}
    return {
        "recipe": "asr",
        "unit": f"word error rate on {len(held)} utterances of the same voice, held out",
        "baseline": "untrained",
        "score": _rate(scores["small"], set()),
        "baseline_score": _rate(scores["untrained"], set()),
        "seconds": round(seconds),
        "score_of_texts_not_trained_on": _rate(scores["small"], known),
        "greedy": _rate(_transcribe(work / "small", data["held"], "greedy"), set()),
        "by_heart": _rate(by_heart, set()),
    }


def _corpus(folder: Path) -> list[dict[str, Any]]:
    _run([sys.executable, str(BENCHMARKS / "corpora.py"), CORPUS, "--out", str(folder)])
    lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [{**row, "audio_filepath": str(folder / row["audio_filepath"])} for row in rows]


def _prepare(work: Path, name: str, rows: Sequence[dict[str, Any]]) -> Path:
    manifest, out = work / f"{name}.jsonl", work / name
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    _wavemill("prepare", str(manifest), "--out", str(out), "--quiet")
    return out


def _train(run: Path, data: Path, settings: Sequence[str], training: Sequence[str]) -> None:
    more = [word for setting in settings for word in ("--set", setting)]
    more += [word for setting in training for word in ("--train", setting)]
    _wavemill("train", "asr", "--data", str(data), "--out", str(run), "--device", "cpu", *more)


def _transcribe(run: Path, data: Path, *method: str) -> list[dict[str, Any]]:
    out = run.with_suffix(".jsonl")
    chosen = [word for name in method for word in ("--method", name)]
    _wavemill("transcribe", str(run), str(data), "--out", str(out), "--quiet", *chosen)
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def _rate(rows: Sequence[dict[str, Any]], known: set[str]) -> float | None:
    errors = WordErrors()
    for row in rows:
        said = normalize(row["reference"])
        if said not in known:
            errors.add(said, row["text"])
    return None if errors.rate is None else round(errors.rate, 4)


def _wavemill(*arguments: str) -> None:
    _run([sys.executable, "-m", "wavemill", *arguments])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Train asr and count its errors.")
    parser.add_argument("--work", type=Path, default=Path("build/models"), metavar="DIR")
    work: Path = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    print(json.dumps(measure(work), indent=1))


if __name__ == "__main__":
    main()
