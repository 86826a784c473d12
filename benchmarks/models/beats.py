"""BEATs: whether a second iteration tells sounds better apart than the first.

    python benchmarks/models/beats.py --work build/models

Runs `wavemill iterate beats` on the corpus `effects`, and probes each model's layers, their mean
and deviation over time, for the labels of the files: logistic regression over a learnt sum of the
layers, 40 splits of the files, the mean recall over labels on those held out. The models hear all
files, and no label.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from probe import Floats, compare, embed_all, heard_of, log_mel, pooled, probe, read_labelled
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
import corpora

from wavemill.commands.iterate import iterate
from wavemill.models.beats.masked_prediction import BeatsModel
from wavemill.models.training.run import load_run


def measure(work: Path, *more: str) -> dict[str, Any]:
    """Train both iterations, and return how they and what stands beside them do."""
    corpus, out = work / "corpora" / "effects", work / "beats"
    corpora.build("effects", corpus)
    began = time.perf_counter()
    command = ["beats", str(corpus / "manifest.jsonl"), "--out", str(out), "--max-rejected", "0.2",
               "--workers", "1", "--device", "cpu", *more]  # fmt: skip
    iterate.main(args=command, standalone_mode=False)
    seconds = time.perf_counter() - began
    data = read_labelled(out / "iteration-0" / "prepared", "label")
    run = load_run(str(out / "iteration-0" / "model"))
    torch.manual_seed(0)
    models = {
        "untrained": run.recipe.build().eval(),
        "iteration 0": run.build(),
        "iteration 1": load_run(str(out / "iteration-1" / "model")).build(),
    }
    found: dict[str, Floats] = {
        name: probe(embed_all(data.audio, _embedder(model)), data.labels)
        for name, model in models.items()
    }
    found["log-mel"] = probe(embed_all(data.audio, log_mel), data.labels)
    means = {name: round(float(np.mean(scores)), 4) for name, scores in found.items()}
    return {
        "recipe": "beats",
        "baseline": "iteration 0",
        "score": means["iteration 1"],
        "baseline_score": means["iteration 0"],
        "unit": f"mean recall of {len(set(data.labels))} labels, {len(data.labels)} files",
        "seconds": round(seconds),
        "others": {name: means[name] for name in ("untrained", "log-mel")},
        "against_iteration_0": compare(found, "iteration 1", "iteration 0"),
        "iteration_0_against_untrained": compare(found, "iteration 0", "untrained"),
    }


def _embedder(model: Any) -> Any:
    assert isinstance(model, BeatsModel)

    def embed(audio_BN: Tensor, samples_B: Tensor) -> Tensor:
        with heard_of([*model.encoder.layers]) as layers:
            model.features(audio_BN, samples_B)
        return torch.stack([pooled(layer_BTD) for layer_BTD in layers], 1)

    return embed


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options, more = parser.parse_known_args()
    print(json.dumps(measure(options.work, *more), indent=1))


if __name__ == "__main__":
    main()
