"""The card of the codec that ships, made of its weights, its run and its scores."""

import json
from pathlib import Path
from typing import Any

from wavemill.tokenizers.trained import read_trained
from wavemill.tokenizers.trained_codec import (
    RECIPE,
    TrainedCodecConfig,
    TrainedCodecTokenizer,
)

TEXT = """# tiny

The codec behind `--tokenizer tiny`: {codebooks} residual codebooks of {size:,} entries,
{rate:g} frames a second, so {kbps:g} kbit/s at 16 kHz; fewer codebooks (`tiny:codebooks=2`) are
0.5 kbit/s each. {weights:.2f} million weights, of which the file has float16. It codes and decodes
block by block; a frame hears 20 ms ahead, and its sound waits for nothing. It is meant to be heard
within a minute of installing, and to try things with: not for records. Digest `{digest}`.

## How it was made

    python benchmarks/tiny_codec.py train WORK
    python benchmarks/tiny_codec.py export WORK

`wavemill train codec`: {steps:,} steps of {batch} pieces of 1 s, about an hour of one core of an
x86-64 server. The network lies between spectra of 10 ms, of which it hears and gives magnitudes
(`spectra=160`); the loss is theirs, and the phases of what is decoded are found (`phases=found`).
There is no discriminator. The settings are in `tiny.json`.

## What it heard

| corpus | minutes | sample rate | by | licence |
|-|-|-|-|-|
| asterisk-en, telephone prompts | 22 | 16 kHz | Allison Smith | CC-BY-SA-3.0 |
| asterisk-es, the same | 29 | 8 kHz | Allison Smith | CC-BY-SA-3.0 |
| asterisk-fr, the same | 23 | 8 kHz | June Wallack | CC-BY-SA-3.0 |
| asterisk-it, the same | 21 | 8 kHz | Carlo Flora | CC-BY-3.0 |
| espeak, English prompts | 27 | 22.05 kHz | seven voices of espeak-ng | CC-BY-SA-3.0, the texts |

The recordings come from the Debian packages `asterisk-core-sounds-*` 1.6.1-1; their copyright
notices have the authors' addresses and the texts of the licences. None of the recordings is in this
file: it holds weights that thousands of them moved. It is given under the licence of this project,
with the attribution above. No author endorses it.

It did not hear every tenth English prompt, the Russian prompts (Maxim Topal, CC-BY-3.0: another
voice, another language), and one voice of espeak-ng. The scores are of those.

## How good it is

    python benchmarks/tiny_codec.py card WORK

Mel: mean absolute difference of log-mel frames (nats, 80 bands; what is 40 dB under an average band
of speech is raised to that). STOI: 0 to 1. WER: of Whisper base on what is decoded, in percent; the
line `original` has its own mistakes. codec2 takes 8 kHz. Opus has no lower rate than 6 kbit/s.

{tables}
## What it is not

Five people and a synthesizer, all speaking close to a microphone, three of them by telephone: it
has not heard noise, rooms, children or music, and what it makes of them is not speech. Above 4 kHz
it knows one voice and espeak-ng's. The waveform is not that of the original, since its phases are
others. Its ids are of sound, not of phonemes.
"""


def make_card(weights: Path, scores: dict[str, Any]) -> str:
    """Return the card of exported weights, with what `tiny_scores.score` found of them."""
    tokenizer = TrainedCodecTokenizer(TrainedCodecConfig(name="tiny", model=str(weights)))
    facts = tokenizer.facts
    tensors = read_trained(str(weights), RECIPE, best=False).tensors
    made = json.loads(weights.with_suffix(".json").read_text("utf-8"))
    return TEXT.format(
        codebooks=facts.num_codebooks, size=facts.codebook_size, rate=facts.frame_rate,
        kbps=facts.num_codebooks * (facts.codebook_size - 1).bit_length() * 0.05,
        weights=sum(tensor.numel() for tensor in tensors.values()) / 1e6,
        digest=facts.weights_digest, steps=made["training"]["steps"],
        batch=made["training"]["batch_size"],
        tables="\n".join(map(_table, scores.items())),
    )  # fmt: skip


def _table(item: tuple[str, dict[str, Any]]) -> str:
    voice, found = item
    lines = [f"{voice.capitalize()}: {found['clips']} clips, {found['seconds']:.0f} s.", ""]
    lines += ["| | kbit/s | mel | STOI | WER |", "|-|-|-|-|-|"]
    for name, values in found.items():
        if isinstance(values, dict):
            wer = f"{values['wer']:.1f}" if "wer" in values else ""
            cells = (name, f"{values['kbps']:.1f}", f"{values['mel']:.2f}",
                     f"{values['stoi']:.2f}", wer)  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
