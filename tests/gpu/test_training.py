"""Training on a real GPU: each recipe learns, and the loop goes on where it stood."""

from pathlib import Path

import pytest
import torch

from tests.models.peaks import dataset_facts, stream_facts
from tests.models.training import runs
from tests.sharding.drawn import make_dataset, token_samples
from wavemill.models.step import LATE, LOSS, Stepper
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.table import make_recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts

BEATS = TokenizerFacts(
    name="beats", kind="beats", sample_rate=16_000, frame_rate=50.0, num_codebooks=1,
    codebook_size=64, weights_digest="0",
)  # fmt: skip
CODES = stream_facts(codebooks=4, size=64)
ADVERSARY = (
    "phases=learnt", "adversarial=1", "features=1", "filters_2d=4", "windows=512x128",
)  # fmt: skip
RECIPES = {
    "asr": ("asr", "small", ()),
    "beats": ("beats", "small", ()),
    "codec": ("codec", "small", ("codebooks_from=0",)),
    "codec against a discriminator": ("codec", "small", ("codebooks_from=0", *ADVERSARY)),
    "spear": ("spear", "small", ()),
    "sylber": ("sylber", "small-0", ()),
    "token-lm": ("token-lm", "small", ()),
    "token-lm, hierarchical": ("token-lm", "small", ("layout=hierarchical",)),
}
STEPS = 40


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("label", RECIPES)
def test_each_recipe_learns_what_it_sees_again_and_again(label: str, precision: str) -> None:
    name, preset, settings = RECIPES[label]
    data = dataset_facts(BEATS if name == "beats" else CODES)
    recipe = make_recipe(name, preset, settings, data)
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = recipe.build()
        batch = make_batch(
            recipe.needs, data, Extent(seconds=2.0, tokens={"codes": 200, "beats": 96}), 4
        )
    training = TrainSettings(
        steps=STEPS, warmup=5, learning_rate=2e-3, precision=precision, schedule="constant"
    )
    stepper = Stepper(recipe, model, training, device="cuda")
    if name == "codec":  # its codebooks are filled first, at a step of its settings
        stepper.step(0, [batch])
    late = LATE if name == "codec" else 0
    found = [stepper.step(late + number, [batch]) for number in range(STEPS)]
    key = next(key for key in found[-1] if key.endswith(LOSS) and not key.startswith("disc"))
    losses = torch.stack([each[key] for each in found]).tolist()
    assert all(map(torch.isfinite, found[-1].values()))
    assert sum(losses[-5:]) < 0.98 * sum(losses[:5]), losses


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_goes_on_as_one_that_was_not_stopped(tmp_path: Path, precision: str) -> None:
    data = make_dataset(token_samples(120, 0.6), tmp_path / "data", "none", 0.2)
    more = ("--device", "cuda", "--precision", precision, "--train", "schedule=constant")
    runs.run(data, tmp_path / "whole", *more)
    for steps in ("11", str(runs.STEPS)):
        runs.run(data, tmp_path / "twice", *more, "--steps", steps)
    whole, twice = (runs.losses(tmp_path / name) for name in ("whole", "twice"))
    # Sums of a GPU come in another order each time.
    assert runs.largest_difference(whole, twice) < (1e-3 if precision == "float32" else 1e-2)


def test_in_float32_a_gpu_learns_what_a_cpu_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = [setting for setting in runs.MODEL if not setting.startswith("dropout=")]
    monkeypatch.setattr(runs, "MODEL", (*model, "dropout=0"))
    data = make_dataset(token_samples(120, 0.6), tmp_path / "data", "none", 0.2)
    for device in ("cuda", "cpu"):
        runs.run(data, tmp_path / device, "--device", device)
    found = [runs.losses(tmp_path / device) for device in ("cuda", "cpu")]
    assert runs.largest_difference(*found) < 2e-2
