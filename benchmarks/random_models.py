"""Write checkpoints with random weights in the layouts that the published ones have.

    python benchmarks/random_models.py NAME --out DIR [--small] [--seed N]
    python benchmarks/random_models.py --list

For tests and for timing: the tokens mean nothing. `--small` makes a model of the same layout that
runs in milliseconds, where the layout says how large it is.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SMALL_HUBERT: dict[str, Any] = {
    "conv_dim": (32,) * 7,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_conv_pos_embedding_groups": 4,
    "num_conv_pos_embeddings": 16,
}
SYLBER_LAYERS = 9


def sylber(out: Path, *, small: bool) -> None:
    """Write HuBERT's first nine layers: full size as `sylber.ckpt`, small as transformers' folder.

    The published file is a bare state dict with the older names of weight norm.
    """
    from transformers import HubertConfig, HubertModel

    settings = SMALL_HUBERT if small else {}
    net = HubertModel(HubertConfig(num_hidden_layers=SYLBER_LAYERS, **settings))
    # With equal gains all frames would have one norm, which tells speech from silence.
    last: Any = net.encoder.layers[-1]
    with torch.no_grad():
        last.final_layer_norm.weight.normal_(std=0.5).pow_(3).mul_(4)
    if small:
        net.save_pretrained(out)
        return
    older = {"parametrizations.weight.original0": "weight_g",
             "parametrizations.weight.original1": "weight_v"}  # fmt: skip
    state = net.state_dict()
    for new, old in older.items():
        prefix = "encoder.pos_conv_embed.conv."
        state[prefix + old] = state.pop(prefix + new)
    torch.save(state, out / "sylber.ckpt")


MODELS: dict[str, Callable[..., None]] = {
    "sylber": sylber,
}
"""Name -> function of (folder, small). One row a model."""


def main() -> None:
    """Write one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("name", nargs="?", choices=sorted(MODELS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list or options.name is None or options.out is None:
        print("\n".join(sorted(MODELS)))
        return
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    MODELS[options.name](options.out, small=options.small)
    print(f"{options.name}: {options.out}")


if __name__ == "__main__":
    main()
