"""Measure how long `wavemill score` takes, beside jiwer's WER and CER of the 1-best alone.

    python benchmarks/hypotheses/scoring.py                      # 100,000 utterances, three times
    python benchmarks/hypotheses/scoring.py --utterances 10_000 --page

Texts are drawn: 12 words of a vocabulary of 5,000, and five hypotheses with an eighth of the words
changed, left out or put in, and one set of corrections. Ours is timed with a bootstrap of 1,000
draws and without; all in this process, one after the other. Seconds are those of the processor.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jiwer
import numpy as np

from wavemill.hypotheses.folder import FACTS, FORMAT, HypothesesFolder, part_name, write_part
from wavemill.hypotheses.records import Correction, Hypothesis, Utterance
from wavemill.hypotheses.scoring.page import write_page
from wavemill.hypotheses.scoring.scores import score

WORDS = 5000
ERRORS = 0.125


def spoil(text: list[str], dice: np.random.Generator) -> str:
    """Change, leave out or put in an eighth of the words."""
    out = []
    for word, kind, other in zip(
        text, dice.random(len(text)), dice.integers(0, WORDS, len(text)), strict=True
    ):
        if kind < ERRORS / 3:
            continue
        out.append(f"w{other}" if kind < 2 * ERRORS / 3 else word)
        if kind > 1 - ERRORS / 3:
            out.append(f"w{other}")
    return " ".join(out)


def draw(count: int) -> list[Utterance]:
    """Draw utterances."""
    dice = np.random.default_rng(0)
    found = []
    for number in range(count):
        said = [f"w{word}" for word in (WORDS * dice.random(12) ** 3).astype(int)]
        texts = dict.fromkeys(spoil(said, dice) for _ in range(5))
        found.append(
            Utterance(
                id=f"u{number:07d}",
                recording_id=f"r{number // 10}",
                hypotheses=tuple(
                    Hypothesis(text=text, score=-0.1 * rank) for rank, text in enumerate(texts)
                ),
                reference=" ".join(said),
                speaker=f"s{number % 50}",
                split="test",
            )
        )
    return found


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    started = time.process_time()
    call()
    return time.process_time() - started


def main() -> None:
    """Measure, and print medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--page", action="store_true", help="Time the HTML page, too.")
    options = parser.parse_args()
    utterances = draw(options.utterances)
    said = [one.reference or "" for one in utterances]
    heard = [one.best for one in utterances]
    with tempfile.TemporaryDirectory() as place:
        write_part(str(Path(place) / part_name(0)), utterances)
        facts = {"format": FORMAT, "parts": [{"name": part_name(0)}]}
        (Path(place) / FACTS).write_text(json.dumps(facts), encoding="utf-8")
        folder = HypothesesFolder.open(place)
        second = (Correction(id=one.id, text=one.texts[-1]) for one in utterances)
        folder.write_corrections("second", second, {"kind": "correction"})
        calls: dict[str, Callable[[], object]] = {
            "jiwer wer, 1-best": lambda: jiwer.wer(said, heard),
            "jiwer cer, 1-best": lambda: jiwer.cer(said, heard),
            "score": lambda: score(folder, resamples=0),
            "score, 1,000 draws": lambda: score(folder),
        }
        if options.page:
            found = score(folder, resamples=0)
            calls["page"] = lambda: write_page(f"{place}/page.html", folder, found)
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(options.runs):
            for name, call in calls.items():
                seconds[name].append(timed(call))
        same = score(folder, resamples=0).whole.score("1-best").wer == jiwer.wer(said, heard)
    medians = {name: round(statistics.median(each), 2) for name, each in seconds.items()}
    print(json.dumps({"utterances": options.utterances, "seconds": medians, "same wer": same}))


if __name__ == "__main__":
    main()
