"""Write a checkpoint of random weights, as the hub has it and of the published size.

    python benchmarks/random_models.py encodec --out /tmp/encodec
    wavemill prepare examples/speech/manifest.jsonl --out prepared \
        --tokenizer encodec:model=/tmp/encodec

For trying things where no hub can be reached: the tokens mean nothing, but cost what real ones do.
The same name gives the same weights.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.parity.weights import random_state
from wavemill.tokenizers.checkpoints import require
from wavemill.tokenizers.codec_layouts import ENCODEC_48KHZ

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "encodec": ("Encodec", {}),
    "encodec-48khz": ("Encodec", ENCODEC_48KHZ),
    "dac": (
        "Dac",
        {"downsampling_ratios": [2, 4, 8, 8], "codebook_size": 1024, "sampling_rate": 44_100},
    ),
    "mimi": ("Mimi", {}),
}
"""Name -> (family in transformers, what the published config.json says besides the defaults)."""
SEED = 0


def write_model(name: str, folder: Path) -> int:
    """Write config.json and model.safetensors; return the number of weights."""
    transformers = require("transformers", "codecs", name)
    family, settings = MODELS[name]
    config = getattr(transformers, f"{family}Config")(**settings)
    model = getattr(transformers, f"{family}Model")(config)
    state = {key: part for key, part in model.state_dict().items() if part.ndim}
    for key, drawn in random_state({key: part.shape for key, part in state.items()}, SEED).items():
        state[key].copy_(torch.from_numpy(drawn))
    model.save_pretrained(folder)
    return sum(part.numel() for part in state.values())


def main() -> None:
    """Write the model that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    arguments = parser.parse_args()
    weights = write_model(arguments.name, arguments.out)
    print(f"{arguments.out}: {arguments.name} of {weights / 1e6:.1f} M random weights")


if __name__ == "__main__":
    main()
