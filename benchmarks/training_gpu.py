"""Train recipes on a GPU, and say how fast they go and how long they wait for data.

    python benchmarks/training_gpu.py
    python benchmarks/training_gpu.py token-lm codec --steps 200 --work DIR

Each recipe is trained as `wavemill train` trains it, at the size named beside it in `RECIPES`: in
float32 (with the matrix units' tf32 where torch takes it), in bfloat16, and in bfloat16 through
`torch.compile`. The shards lie on the disk of the machine and were read once before; their lengths
are drawn like those of LibriSpeech, tokens and audio are noise. Printed are medians over the rows
of the log but those of the first steps: tokens (or seconds of audio) a second that are no padding,
what share of a second was spent waiting for the loader, and the most memory that tensors took.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.sharding.drawn import Sample, make_dataset, stream
from wavemill.audio.encode import encode_flac
from wavemill.commands.train import train
from wavemill.models.training.log import read_log

LM, AUDIO = "tokens", "audio"
CODEC = (
    "filters=32 dim=128 codebooks=8 codebook_size=1024 codebooks_from=5 adversarial=1 features=1"
    " windows=1024x256"
)
RECIPES = {
    "token-lm": (LM, "layers=24 width=1024 heads=16", "batch_tokens=40000"),
    "codec": (AUDIO, CODEC, "batch_size=64"),
    "asr": (AUDIO, "subsampling=8 channels=256 encoder_layers=16 width=512 heads=8",
            "batch_seconds=600"),
    "spear": (AUDIO, "stream=codes layers=12 width=768 heads=12", "batch_seconds=600"),
}  # fmt: skip
"""Recipe -> kind of data, size of the model, size of the batches."""
WAYS = {
    "float32": ("precision=float32", "compile=false"),
    "bfloat16": ("precision=bfloat16", "compile=false"),
    "bfloat16, compiled": ("precision=bfloat16", "compile=true"),
}
SAMPLE_RATE, RATE, CODEBOOKS, IDS = 16_000, 50.0, 4, 1024
CLIPS = 64
"""Different ones; samples are these again and again."""
EVERY = 10
"""Steps of a row with rates."""


def draw(kind: str, count: int) -> list[Sample]:
    """Draw samples as long as those of read books, half of which last 13 to 16 seconds."""
    dice = np.random.default_rng(0)
    long, short = dice.normal(14.5, 1, CLIPS), dice.uniform(2, 15, CLIPS)
    clips = []
    for seconds in np.where(dice.random(CLIPS) < 0.5, long, short).clip(1.5, 17):
        noise = dice.normal(0, 0.02, (round(seconds * SAMPLE_RATE), 1)).astype(np.float32)
        clips.append((len(noise), encode_flac(noise, SAMPLE_RATE, 16) if kind == AUDIO else b""))
    samples = []
    for number in range(count):
        size, flac = clips[number % CLIPS]
        codes = dice.integers(0, IDS, (round(size / SAMPLE_RATE * RATE), CODEBOOKS), np.uint16)
        samples.append(
            Sample(key=f"sample{number:06d}", num_samples=size, sample_rate=SAMPLE_RATE,
                   num_channels=1, flac=flac, codes=(codes,))
        )  # fmt: skip
    return samples


def make_data(work: Path, kind: str, count: int) -> Path:
    """Make a dataset, unless it is there."""
    folder = work / kind
    if not (folder / "dataset" / "dataset.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        codes = stream("codes", RATE, CODEBOOKS, IDS)
        make_dataset(draw(kind, count), folder, "flac" if kind == AUDIO else "none", 32, (codes,))
    return folder / "dataset"


def measure(recipe: str, way: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train, and return medians."""
    kind, model, batches = RECIPES[recipe]
    data = make_data(options.work, kind, options.samples)
    run = options.work / "runs" / f"{recipe}-{way}".replace(", ", "-")
    words = [recipe, "--data", data, "--out", run, "--restart", "--quiet", "--device", "cuda"]
    words += [part for one in model.split() for part in ("--set", one)]
    for one in (*WAYS[way], batches, f"steps={options.steps}", f"log_every={EVERY}",
                "save_every=1000000", "learning_rate=1e-4"):  # fmt: skip
        words += ["--train", one]
    torch.cuda.reset_peak_memory_stats()
    train.main(args=list(map(str, words)), standalone_mode=False)
    rows = [row for row in read_log(run) if "data_wait" in row][options.skip // EVERY :]
    speed = next(name for name in rows[0] if name.endswith("_per_second"))
    return {
        "recipe": recipe, "way": way, "unit": speed.removesuffix("_per_second"),
        "speed": median(row[speed] for row in rows),
        "padding": median(row["padding"] for row in rows),
        "data_wait": median(row["data_wait"] for row in rows),
        "gigabytes": torch.cuda.max_memory_allocated() / 1e9,
    }  # fmt: skip


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--skip", type=int, default=50, help="steps that do not count")
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--work", type=Path, default=Path("build/training-gpu"))
    options = parser.parse_args()
    print(torch.cuda.get_device_name())
    for recipe in options.recipes:
        for way in options.ways:
            row = measure(recipe, way, options)
            print(json.dumps(row), flush=True)
            print(f"{recipe:<10}{way:<20}{row['speed']:12,.0f} {row['unit']}/s  padding"
                  f" {row['padding']:5.1%}  data wait {row['data_wait']:5.2%}"
                  f"  {row['gigabytes']:5.1f} GB", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
