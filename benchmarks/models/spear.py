"""SPEAR: whether what it learns tells phonemes better apart than the log-mel bands it hears.

    python benchmarks/models/spear.py --work build/models

Prepares the corpus `espeak`, synthetic speech of eight voices whose phonemes are known, with the
`mvq` tokenizer that ships, trains `spear` on it, and probes the encoder's layers at the middle of
each phoneme: logistic regression over a learnt sum of them, the mean recall over phonemes in texts
that are held out. Beside it the same of the filter bank that the encoder takes for that frame, and
of a model that was never trained. The model hears all speech, and no label.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from probe import Floats, compare, heard_of, probe
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
import corpora

from wavemill.commands.prepare import prepare
from wavemill.commands.train import train
from wavemill.loader import ShardLoader
from wavemill.models.spear.model import SpearModel
from wavemill.models.training.run import load_run

SPLITS = 5
LEAST = 50
"""Phonemes that come less often are left out."""
Frames = Callable[[Tensor, Tensor], Tensor]
"""Takes a clip [1, N] and its length [1]; returns its frames, [T, L, D], of L layers."""


@dataclass(kw_only=True)
class Phonemes:
    """Phonemes of a prepared dataset: the frame of each, by each kind of features."""

    labels: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    rows: dict[str, list[Tensor]] = field(default_factory=dict)


def measure(work: Path, *more: str) -> dict[str, Any]:
    """Train, and return how the features and what stands beside them do."""
    corpus, data, out = work / "corpora" / "espeak", work / "spear-data", work / "spear"
    corpora.build("espeak", corpus)
    command = [str(corpus / "manifest.jsonl"), "--out", str(data), "--tokenizer", "mvq",
               "--workers", "1"]  # fmt: skip
    prepare.main(args=command, standalone_mode=False)
    began = time.perf_counter()
    train.main(args=["spear", "--data", str(data), "--out", str(out), "--device", "cpu", *more],
               standalone_mode=False)  # fmt: skip
    seconds = time.perf_counter() - began
    run = load_run(str(out))
    torch.manual_seed(0)
    trained, untrained = run.build(), run.recipe.build().eval()
    assert isinstance(trained, SpearModel)
    assert isinstance(untrained, SpearModel)
    kinds: dict[str, Frames] = {
        "spear": lambda audio, samples: layers_of(trained, audio, samples),
        "untrained": lambda audio, samples: layers_of(untrained, audio, samples),
        "log-mel": lambda audio, samples: trained.stack(
            audio, samples, trained.frames_of(audio.shape[1])
        )[0][:, None],
    }
    heard = read_phonemes(data, kinds, 100 / trained.config.subsample)
    counts = Counter(heard.labels)
    kept = [number for number, label in enumerate(heard.labels) if counts[label] >= LEAST]
    labels = [heard.labels[number] for number in kept]
    texts = [heard.texts[number] for number in kept]
    found: dict[str, Floats] = {
        name: probe(torch.stack(rows).float().numpy()[kept], labels, texts, SPLITS)
        for name, rows in heard.rows.items()
    }
    means = {name: round(float(np.mean(scores)), 4) for name, scores in found.items()}
    return {
        "recipe": "spear",
        "baseline": "log-mel",
        "score": means["spear"],
        "baseline_score": means["log-mel"],
        "unit": f"mean recall of {len(set(labels))} phonemes ({len(labels)}), other texts",
        "seconds": round(seconds),
        "others": {"untrained": means["untrained"]},
        "against_log_mel": compare(found, "spear", "log-mel"),
        "against_untrained": compare(found, "spear", "untrained"),
    }


def layers_of(model: SpearModel, audio_BN: Tensor, samples_B: Tensor) -> Tensor:
    """Return what the encoder's blocks make of a clip, [T, L, D]."""
    with heard_of([*model.encoder.blocks]) as found:
        model.features(audio_BN, samples_B)
    return torch.stack([frames_BTD[0] for frames_BTD in found], 1)


def read_phonemes(data: Path, kinds: dict[str, Frames], rate: float) -> Phonemes:
    """Take the frame at the middle of each phoneme; `rate` is of frames a second."""
    loader = ShardLoader(
        str(data), streams=[], audio=True, sample_rate=16_000, cuts=True, batch_size=1
    )
    found = Phonemes(rows={name: [] for name in kinds})
    for batch in loader:
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        assert batch.cuts is not None
        assert batch.text is not None
        with torch.inference_mode():
            frames = {name: hear(batch.audio, batch.audio_lengths) for name, hear in kinds.items()}
        for label, start, end in batch.cuts[0]["custom"]["phonemes"]:
            place = int((start + end) / 2 * rate)
            found.labels.append(label)
            found.texts.append(batch.text[0] or "")
            for name, rows in found.rows.items():
                rows.append(frames[name][min(place, len(frames[name]) - 1)])
    return found


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options, more = parser.parse_known_args()
    print(json.dumps(measure(options.work, *more), indent=1))


if __name__ == "__main__":
    main()
