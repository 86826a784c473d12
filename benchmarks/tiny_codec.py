"""Make the codec that ships, `tiny`, and its scores.

    python benchmarks/tiny_codec.py train WORK      # corpora, datasets, an hour of training
    python benchmarks/tiny_codec.py export WORK     # writes the weights into the package
    python benchmarks/tiny_codec.py score WORK      # beside other codecs; see tiny_scores.py
    python benchmarks/tiny_codec.py card WORK       # the same, written into the card

`train` goes on where it was stopped.

Of the corpora of `corpora.py` it hears English, Spanish, French and Italian telephone prompts and
seven voices of espeak-ng. It does not hear the Russian prompts (another voice, another language),
espeak-ng's voice `en-gb-scotland+f2`, nor every tenth English prompt.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from wavemill import storage
from wavemill.tokenizers.trained import read_trained
from wavemill.tokenizers.trained_codec import NETWORK

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "wavemill/tokenizers/weights"
NAME = "tiny"
HEARD = {
    "asterisk-en": 3.0, "asterisk-es": 1.0, "asterisk-fr": 1.0, "asterisk-it": 1.0, "espeak": 3.0,
}  # fmt: skip
"""How often each is heard, a sample: three of them end at 4 kHz."""
UNHEARD = "asterisk-ru"
UNHEARD_VOICE = "en-gb-scotland+f2"
EVERY = 10
MODEL = (
    "spectra=160", "phases=found", "filters=192", "ratios=2", "residuals=4", "dim=64",
    "codebooks=6", "codebook_size=1024", "dropout=0.25", "gain_db=6", "l1=0", "mel=1",
    "adversarial=0", "features=0", "codebooks_from=600",
)  # fmt: skip
TRAINING = (
    "steps=6000", "batch_size=16", "learning_rate=1e-3", "warmup=100", "beta1=0.9", "beta2=0.99",
    "max_norm=1", "save_every=250", "validate_every=1000", "log_every=25", "seed=1",
)  # fmt: skip


def is_held_out(corpus: str, number: int, row: dict[str, Any]) -> bool:
    """Say whether a row of a corpus is kept for the scores."""
    if corpus == "asterisk-en":
        return number % EVERY == 0
    return corpus == UNHEARD or row["speaker"] == UNHEARD_VOICE


def rows(work: Path, corpus: str, *, held_out: bool) -> list[dict[str, Any]]:
    """Return the rows of a corpus's manifest that are held out, or all others."""
    manifest = work / "corpora" / corpus / "manifest.jsonl"
    found = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    return [row for number, row in enumerate(found) if is_held_out(corpus, number, row) == held_out]


def build_corpora(work: Path) -> None:
    """Build those that are not there."""
    names = [*HEARD, UNHEARD]
    run([str(HERE / "corpora.py"), *names, "--out", str(work / "corpora")])


def prepare(work: Path, corpus: str, *, held_out: bool) -> Path:
    """Make a dataset of a corpus's rows, once."""
    kind = "held-out" if held_out else "heard"
    manifest = work / "corpora" / corpus / f"{kind}.jsonl"
    lines = [json.dumps(row) for row in rows(work, corpus, held_out=held_out)]
    manifest.write_text("\n".join(lines) + "\n", "utf-8")
    out = work / "datasets" / f"{corpus}-{kind}"
    run(["-m", "wavemill", "prepare", str(manifest), "--out", str(out), "--segment", "none"])
    return out


def run(arguments: Sequence[str]) -> None:
    """Run Python on something, and end with it if it fails."""
    paths = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    code = subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode
    if code:
        raise SystemExit(code)


def train(work: Path, settings: Sequence[str]) -> None:
    """Train, or go on."""
    build_corpora(work)
    validation = prepare(work, "asterisk-en", held_out=True)
    data = {prepare(work, corpus, held_out=False): weight for corpus, weight in HEARD.items()}
    given = {one.split("=")[0]: one for one in (*TRAINING, *settings)}
    command = ["-m", "wavemill", "train", "codec", "--out", str(work / "run")]
    command += ["--validation", str(validation)]
    for flag, values in (
        ("--data", data), ("--weight", data.values()), ("--set", MODEL),
        ("--train", given.values()),
    ):  # fmt: skip
        command += [part for value in values for part in (flag, str(value))]
    run(command)


def export(work: Path) -> None:
    """Write the network alone, in float16, with its settings beside it."""
    trained = read_trained(str(work / "run"), "codec", best=False)
    tensors = {
        name: tensor.to(torch.float16)
        for name, tensor in trained.tensors.items()
        if name.startswith(NETWORK)
    }
    base = WEIGHTS / NAME
    storage.write_bytes(f"{base}.safetensors", save(tensors))
    training = json.loads((work / "run" / "run.json").read_text("utf-8"))["training"]
    content = {"recipe": "codec", "config": trained.settings, "training": training}
    storage.write_text(f"{base}.json", [json.dumps(content, indent=1)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("train", "export", "score", "card"))
    parser.add_argument("work", type=Path, help="folder of corpora, datasets and the run")
    parser.add_argument("--train", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--model", help="what is scored; what ships if left out")
    parser.add_argument("--clips", type=int, default=60, help="of each voice, at most")
    options = parser.parse_args(arguments)
    if options.what == "train":
        train(options.work, options.train)
    elif options.what == "export":
        export(options.work)
    else:
        from tiny_card import make_card
        from tiny_scores import score

        weights = WEIGHTS / f"{NAME}.safetensors"
        scores = score(options.work, options.model or str(weights), options.clips)
        if options.what == "score":
            print(json.dumps(scores, indent=1))
        else:
            storage.write_text(str(weights.with_suffix(".md")), [make_card(weights, scores)])


if __name__ == "__main__":
    main()
