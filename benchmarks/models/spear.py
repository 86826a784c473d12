"""SPEAR: whether what it learns tells words better apart than the log-mel bands it hears.

    python benchmarks/models/spear.py --work build/models

Prepares the corpus `espeak`, synthetic speech of eight voices whose words and phonemes are known,
with the `mvq` tokenizer that ships, trains `spear` on it, and probes the encoder's layers: their
mean over the frames of each word, logistic regression over a learnt sum of the layers, the mean
recall over words in texts that are held out. Beside it the same of the filter bank that the encoder
takes, and of a model that was never trained; and all of it again with voices held out, and with the
frame in the midst of each phoneme. The model hears all speech, and no label.
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

SPLITS = {"words": 6, "phonemes": 3}
LEAST = {"words": 20, "phonemes": 50}
"""Labels that come less often are left out."""
Frames = Callable[[Tensor, Tensor], Tensor]
"""Takes a clip [1, N] and its length [1]; returns its frames, [T, L, D], of L layers."""


@dataclass(kw_only=True)
class Heard:
    """Labelled stretches of a prepared dataset, and what each kind of features has of them."""

    labels: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)
    rows: dict[str, list[Tensor]] = field(default_factory=dict)

    def probe(self, what: str, groups: list[str]) -> dict[str, Floats]:
        """Probe each kind of features, some groups being held out."""
        counts = Counter(self.labels)
        kept = [place for place, label in enumerate(self.labels) if counts[label] >= LEAST[what]]
        labels, held = [self.labels[place] for place in kept], [groups[place] for place in kept]
        return {
            name: probe(torch.stack(rows).float().numpy()[kept], labels, held, SPLITS[what])
            for name, rows in self.rows.items()
        }


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
    heard = {what: Heard(rows={name: [] for name in kinds}) for what in LEAST}
    read(data, kinds, 100 / trained.config.subsample, heard)
    words, phonemes = heard["words"], heard["phonemes"]
    found = words.probe("words", words.texts)
    also = {
        "words, other voices": words.probe("words", words.voices),
        "phonemes, other texts": phonemes.probe("phonemes", phonemes.texts),
    }
    return {
        "recipe": "spear",
        "baseline": "log-mel",
        "score": _means(found)["spear"],
        "baseline_score": _means(found)["log-mel"],
        "unit": "mean recall of words in other texts, by a linear probe",
        "seconds": round(seconds),
        "others": {"untrained": _means(found)["untrained"]},
        "against_log_mel": compare(found, "spear", "log-mel"),
        "against_untrained": compare(found, "spear", "untrained"),
        "also": {
            name: {
                **_means(scores),
                "against_log_mel": compare(scores, "spear", "log-mel"),
                "against_untrained": compare(scores, "spear", "untrained"),
            }
            for name, scores in also.items()
        },
    }


def _means(found: dict[str, Floats]) -> dict[str, float]:
    return {name: round(float(np.mean(scores)), 4) for name, scores in found.items()}


def layers_of(model: SpearModel, audio_BN: Tensor, samples_B: Tensor) -> Tensor:
    """Return what the encoder's blocks make of a clip, [T, L, D]."""
    with heard_of([*model.encoder.blocks]) as found:
        model.features(audio_BN, samples_B)
    return torch.stack([frames_BTD[0] for frames_BTD in found], 1)


def read(data: Path, kinds: dict[str, Frames], rate: float, heard: dict[str, Heard]) -> None:
    """Add what is heard of words, their mean, and of phonemes, their middle frame.

    Args:
        data: a prepared dataset.
        kinds: of features.
        rate: of their frames, a second.
        heard: by `words` and `phonemes`, which the cuts have.

    """
    loader = ShardLoader(
        str(data), streams=[], audio=True, sample_rate=16_000, cuts=True, batch_size=1
    )
    for batch in loader:
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        assert batch.cuts is not None
        assert batch.text is not None
        with torch.inference_mode():
            frames = {name: hear(batch.audio, batch.audio_lengths) for name, hear in kinds.items()}
        cut = batch.cuts[0]
        for what, found in heard.items():
            for label, start, end in cut["custom"][what]:
                found.labels.append(label.lower() if what == "words" else label)
                found.texts.append(batch.text[0] or "")
                found.voices.append(cut["supervisions"][0]["speaker"])
                first, last = int(start * rate), int(end * rate)
                if what == "phonemes":
                    first = last = int((start + end) / 2 * rate)
                for name, rows in found.rows.items():
                    first = min(first, len(frames[name]) - 1)
                    rows.append(frames[name][first : max(last, first + 1)].mean(0))


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options, more = parser.parse_known_args()
    print(json.dumps(measure(options.work, *more), indent=1))


if __name__ == "__main__":
    main()
