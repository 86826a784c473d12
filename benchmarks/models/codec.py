"""Train the preset `small` of `codec`, and compare it with frames of a codebook at its bit rate.

    python benchmarks/models/codec.py [--work DIR] [quantizer=sq ...]

English prompts (`asterisk-en`), a tenth of them held out. The figure is of held-out prompts and
what is decoded of them, the mean absolute difference of their log-mel frames (nats, 80 bands, 100
a second; what lies 40 dB under an average band of speech is raised to that):

    untrained     the same network before its first step
    mel codebook  each log-mel frame becomes the nearest of as many as the codec's bits can tell
                  apart, drawn from the training part, or of all there, and sound is made of them
                  (`mel_codec.py`)
    frames alone  the same without sound, which no codec can claim: frames that need not go with
                  their neighbours
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mel_codec import Frames, audible, draw, nearest

sys.path.insert(0, str(Path(__file__).parents[1]))
import corpora

from wavemill.commands.prepare import prepare
from wavemill.commands.train import train
from wavemill.loader import ShardLoader
from wavemill.loader.split import Split
from wavemill.models.codec.model import CODEC, CodecModel, Part
from wavemill.models.training.run import load_run
from wavemill.tokenizers.features import FRAME_RATE, SAMPLE_RATE, log_mel

CORPUS, HELD_OUT = "asterisk-en", 0.1
FLOOR = 1e-4
"""Of the power of a mel band; 1 is about that of speech at -26 dBFS."""


def measure(work: Path, *settings: str) -> dict[str, Any]:
    """Train, and return how it and what stands beside it do."""
    data, run = prepared(work), work / "codec"
    began = time.perf_counter()
    words = ["codec", "--data", data, "--out", run, "--held-out", HELD_OUT, "--device", "cpu"]
    words += [word for setting in settings for word in ("--set", setting)]
    train.main(args=list(map(str, words)), standalone_mode=False)
    seconds = time.perf_counter() - began
    found = load_run(str(run))
    trained = found.build()
    torch.manual_seed(0)
    untrained = found.recipe.build().eval()
    assert isinstance(trained, CodecModel)
    assert isinstance(untrained, CodecModel)
    held_out = list(clips(data, held_out=True))
    bits = bits_a_second(trained)
    size = 2 ** round(bits / FRAME_RATE)
    codebook = draw(np.concatenate([heard(clip) for clip in clips(data, held_out=False)]), size)
    chosen = [nearest(heard(clip), codebook) for clip in held_out]
    alone = [np.abs(mel - heard(clip)).mean() for mel, clip in zip(chosen, held_out, strict=True)]
    sounds = {
        "codec": [decoded(trained, clip) for clip in held_out],
        "untrained": [decoded(untrained, clip) for clip in held_out],
        "mel": [audible(mel, len(clip)) for mel, clip in zip(chosen, held_out, strict=True)],
    }
    off = {name: round(distance(held_out, found), 3) for name, found in sounds.items()}
    baseline = f"mel codebook of {len(codebook):,} frames"
    return {
        "recipe": "codec",
        "baseline": baseline,
        "score": off["codec"],
        "baseline_score": off["mel"],
        "unit": f"log-mel distance, {len(held_out)} prompts, {bits:,.0f} bit/s",
        "seconds": round(seconds),
        "others": {"untrained": off["untrained"], "frames alone": round(float(np.mean(alone)), 3)},
        "more": [
            {"score": off["codec"], "baseline": "untrained", "baseline_score": off["untrained"],
             "unit": "the same"},
        ],
    }  # fmt: skip


def prepared(work: Path) -> Path:
    """Make the dataset, unless it is there."""
    corpus, out = work / "corpora" / CORPUS, work / "codec-data"
    corpora.build(CORPUS, corpus)
    words = [corpus / "manifest.jsonl", "--out", out, "--segment", "none", "--quiet"]
    prepare.main(args=list(map(str, words)), standalone_mode=False)
    return out


def clips(data: Path, *, held_out: bool) -> Iterator[Frames]:
    """Yield the clips, each [N]."""
    split = Split(share=HELD_OUT, held_out=held_out)
    loader = ShardLoader(
        str(data), streams=[], audio=True, sample_rate=SAMPLE_RATE, batch_size=1, split=split
    )
    for batch in loader:
        assert batch.audio is not None
        yield batch.audio[0].numpy().copy()


def bits_a_second(model: CodecModel) -> float:
    """Return the codec's bit rate."""
    network = model.network
    bits = network.quantizer.num_codebooks * math.log2(network.quantizer.codebook_size)
    return network.sizes.frame_rate * bits


@torch.no_grad()
def decoded(model: CodecModel, clip: Frames) -> Frames:
    """Code and decode a clip."""
    audio_BN = torch.from_numpy(clip)[None]
    found_BN, _ = model.run(audio_BN, torch.tensor([len(clip)]), Part(turn=CODEC))
    audio: Frames = found_BN[0].numpy()
    return audio


def heard(clip: Frames) -> Frames:
    """Return what is heard of log-mel frames, [T, 80]."""
    frames: Frames = np.maximum(log_mel(clip), np.float32(math.log(FLOOR)))
    return frames


def distance(given: list[Frames], found: list[Frames]) -> float:
    """Return the mean distance of clips."""
    pairs = zip(given, found, strict=True)
    return float(np.mean([np.abs(heard(one) - heard(other)).mean() for one, other in pairs]))


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of the model")
    parser.add_argument("--work", type=Path, default=Path("build/models"))
    options = parser.parse_args()
    print(json.dumps(measure(options.work, *options.settings), indent=1))


if __name__ == "__main__":
    main()
