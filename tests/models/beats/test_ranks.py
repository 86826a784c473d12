"""Training as users run it, on one rank and on two."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import SPEECH
from tests.models.beats.drawn import FACTS, TINY, shaken
from tests.models.training.runs import environment, largest_difference, losses
from tests.sharding.drawn import clip_samples, make_dataset
from wavemill.models.beats.encoder import BeatsNet, Sizes
from wavemill.models.beats.microsoft import checkpoint
from wavemill.models.training.run import load_run

TEACHER = Sizes(layers=1, width=16, heads=2, feed=16, dropout=0.0)


def run(data: Path, out: Path, recipe: str, *settings: str, ranks: int) -> list[float]:
    launch = ["-m", "wavemill"]
    if ranks > 1:
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks),
                  *launch]  # fmt: skip
    words = [word for each in (*TINY, *settings) for word in ("--set", each)]
    training = ("steps=4", "batch_seconds=8", "batches=2", "learning_rate=0.003", "warmup=0")
    words += [word for each in training for word in ("--train", each)]
    command = [sys.executable, *launch, "train", recipe, "--data", str(data), "--out", str(out),
               "--device", "cpu", *words]  # fmt: skip
    subprocess.run(command, env={**os.environ, **environment()}, check=True, timeout=240)
    return losses(out)


@pytest.mark.slow
def test_one_rank_and_two_with_the_same_batches_learn_the_same(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    data = make_dataset(
        clip_samples(SPEECH / "audio", 40, (replace(FACTS, codebook_size=1024),)), tmp_path, "flac",
        1, (replace(FACTS, codebook_size=1024),),
    )  # fmt: skip
    net = shaken(BeatsNet(TEACHER))
    assert isinstance(net, BeatsNet)
    (tmp_path / "teacher.pt").write_bytes(checkpoint(net, TEACHER))
    distilled = ("words=16", "estimator_layers=1", f"teacher={tmp_path / 'teacher.pt'}")
    for recipe, settings in (("beats", ("predictor_layers=1",)), ("beats-tokenizer", distilled)):
        one, two = tmp_path / f"{recipe}-1", tmp_path / f"{recipe}-2"
        curves = [run(data, one, recipe, *settings, ranks=1),
                  run(data, two, recipe, *settings, ranks=2)]  # fmt: skip
        assert len(curves[0]) == 4
        assert largest_difference(*curves) < 1e-4
        weights = [load_run(str(place)).weights for place in (one, two)]
        for name, weight in weights[0].items():
            torch.testing.assert_close(weights[1][name], weight, rtol=1e-2, atol=1e-3)
