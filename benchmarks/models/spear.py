"""SPEAR: whether what it learns tells sounds better apart than the log-mel bands it hears.

    python benchmarks/models/spear.py --work build/models

Prepares the corpus `effects` with the `mvq` tokenizer that ships, trains `spear` on it, and probes
mean and standard deviation over time of its features, and of log-mel, for the labels of the files,
as `beats.py` does. The model hears all files, and no label.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from probe import Floats, compare, embed_all, log_mel, mean_and_std, probe, read_labelled
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
import corpora

from wavemill.commands.prepare import prepare
from wavemill.commands.train import train
from wavemill.models.spear.model import SpearModel
from wavemill.models.training.run import load_run


def measure(work: Path, *more: str) -> dict[str, Any]:
    """Train, and return how the features and what stands beside them do."""
    corpus, data, out = work / "corpora" / "effects", work / "spear-data", work / "spear"
    corpora.build("effects", corpus)
    command = [str(corpus / "manifest.jsonl"), "--out", str(data), "--tokenizer", "mvq",
               "--max-rejected", "0.2", "--workers", "1"]  # fmt: skip
    prepare.main(args=command, standalone_mode=False)
    began = time.perf_counter()
    train.main(args=["spear", "--data", str(data), "--out", str(out), "--device", "cpu", *more],
               standalone_mode=False)  # fmt: skip
    seconds = time.perf_counter() - began
    found_data = read_labelled(data, "label")
    run = load_run(str(out))
    torch.manual_seed(0)
    embeds = {
        "untrained": _embedder(run.recipe.build().eval()),
        "spear": _embedder(run.build()),
        "log-mel": log_mel,
    }
    found: dict[str, Floats] = {
        name: probe(embed_all(found_data.audio, embed), found_data.labels)
        for name, embed in embeds.items()
    }
    means = {name: round(float(np.mean(scores)), 4) for name, scores in found.items()}
    labels = found_data.labels
    return {
        "recipe": "spear",
        "baseline": "log-mel",
        "score": means["spear"],
        "baseline_score": means["log-mel"],
        "unit": f"mean recall of {len(set(labels))} labels, {len(labels)} files",
        "seconds": round(seconds),
        "others": {"untrained": means["untrained"]},
        "against_log_mel": compare(found, "spear", "log-mel"),
        "against_untrained": compare(found, "spear", "untrained"),
    }


def _embedder(model: Any) -> Any:
    assert isinstance(model, SpearModel)

    def embed(audio_BN: Tensor, samples_B: Tensor) -> Tensor:
        return mean_and_std(model.features(audio_BN, samples_B)[0])

    return embed


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options, more = parser.parse_known_args()
    print(json.dumps(measure(options.work, *more), indent=1))


if __name__ == "__main__":
    main()
