"""Fit the quantizer that ships with the package, and say how it does on each corpus.

    python benchmarks/corpora.py asterisk-en asterisk-es asterisk-fr asterisk-it asterisk-ru \
        effects long --out CORPORA
    python benchmarks/fit_default_mvq.py CORPORA [--out wavemill/tokenizers/weights]

It draws equally many frames of each corpus but `long`, which it only measures (it is the English
prompts again, with pauses and noise). Of the effects it takes those whose notice says CC0. A third
of the clips come louder or softer and a third in noise, so that there are entries for such audio
too. The same corpora give the same file on the same kind of processor. About ten minutes on one
core.
"""

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch

from wavemill import storage
from wavemill.audio import open_audio, resample, to_mono
from wavemill.tokenizers.features import FEATURE_KIND, SAMPLE_RATE, log_mel
from wavemill.tokenizers.fit_mvq import FitMvqConfig, fit_mvq
from wavemill.tokenizers.quantizer_files import FeatureQuantizer
from wavemill.tokenizers.reservoir import FrameReservoir

Samples = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).parents[1] / "wavemill/tokenizers/weights"
NAME = "mvq_logmel80_4x256"
FITTED = ("asterisk-en", "asterisk-es", "asterisk-fr", "asterisk-it", "asterisk-ru", "effects")
MEASURED = (*FITTED, "long")
FRAMES_EACH = 60_000
GAINS_DB = (-15.0, 6.0)
SNR_DB = (10.0, 40.0)  # of white noise
CONFIG = FitMvqConfig(codebooks=4, iterations=(8000, 8000), seed=1)
CC0_SOUND = re.compile(r"^Files: etc/samples/(\S+\.flac)\n(?:.+\n)*?License: CC0$", re.MULTILINE)


def files(corpus: Path) -> list[Path]:
    """List the audio of a corpus; of the effects, what is CC0."""
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").open(encoding="utf-8")]
    paths = [corpus / row["audio_filepath"] for row in rows]
    if corpus.name != "effects":
        return paths
    free = set(CC0_SOUND.findall((corpus / "LICENSE.txt").read_text("utf-8")))
    return [path for path in paths if path.parent.name == "samples" and path.name in free]


def clips(corpus: Path) -> Iterator[Samples]:
    """Decode a corpus to 16 kHz mono."""
    for path in files(corpus):
        with open_audio(str(path)) as stream:
            blocks = [to_mono(block) for block in stream.blocks()]
        yield resample(np.concatenate(blocks), stream.info.sample_rate, SAMPLE_RATE)


def vary(clip: Samples, number: int, random: np.random.Generator) -> Samples:
    """Leave a third of the clips, make a third louder or softer, put a third into noise."""
    if number % 3 == 0:
        return clip
    if number % 3 == 1:
        gain = 10 ** (random.uniform(*GAINS_DB) / 20)
        varied = clip * np.float32(gain)
    else:
        level = np.sqrt(np.mean(clip**2)) * 10 ** (-random.uniform(*SNR_DB) / 20)
        noise = random.standard_normal(len(clip), dtype=np.float32)
        varied = clip + noise * np.float32(level)
    clipped: Samples = np.clip(varied, -1.0, 1.0)
    return clipped


def draw(corpus: Path, seed: int) -> Samples:
    """Draw log-mel frames of a corpus; a small one is gone through until there are enough."""
    random = np.random.default_rng(seed)
    reservoir = FrameReservoir(FRAMES_EACH, seed)
    turn = 0
    while reservoir.seen < FRAMES_EACH:
        for number, clip in enumerate(clips(corpus)):
            reservoir.add(log_mel(vary(clip, number + turn, random)))
        turn += 1
    print(f"{corpus.name}: {FRAMES_EACH} of {reservoir.seen} frames", flush=True)
    return reservoir.frames()


def perplexities(ids: npt.NDArray[np.uint8]) -> list[float]:
    """Compute the perplexity of each codebook's ids [T, N]: 256 when all are equally common."""
    found = []
    for column in ids.T:
        shares = np.bincount(column, minlength=256) / len(column)
        used = shares[shares > 0]
        found.append(round(float(np.exp(-(used * np.log(used)).sum())), 1))
    return found


def measure(corpus: Path, model: FeatureQuantizer) -> dict[str, Any]:
    """Measure a fit on all of a corpus, as it is."""
    frames = np.concatenate([log_mel(clip) for clip in clips(corpus)])
    ids = model.encode(frames, 5)
    scale = model.std.numpy()
    error = np.square((model.decode(ids) - frames) / scale).sum()
    spread = np.square((frames - frames.mean(axis=0)) / scale).sum()
    result = {
        "frames": len(ids),
        "perplexity": perplexities(ids),
        "relative_error": round(float(error / spread), 4),
    }
    print(f"{corpus.name}: {result}", flush=True)
    return result


def report_progress(done: int, total: int, error: float) -> None:
    """Print the relative error of a batch now and then."""
    if done % 1000 == 0:
        print(f"{done}/{total}: relative error {error:.3f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("corpora", type=Path, help="the folder that holds the corpora")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)

    frames = [draw(options.corpora / name, seed) for seed, name in enumerate(FITTED)]
    fitted = fit_mvq(np.concatenate(frames), CONFIG, report_progress)
    model = FeatureQuantizer(fitted.quantizer, fitted.mean, fitted.std)
    measured = {name: measure(options.corpora / name, model) for name in MEASURED}
    config = {"features": FEATURE_KIND, **fitted.report, "corpora": measured}
    base = str(options.out / NAME)
    storage.write_text(f"{base}.json", [json.dumps(config, indent=2, sort_keys=True)])
    storage.write_bytes(f"{base}.safetensors", safetensors.torch.save(model.state()))


if __name__ == "__main__":
    main()
