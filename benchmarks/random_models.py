"""Write checkpoints with random weights in the layouts that the published ones have.

    python benchmarks/random_models.py NAME --out DIR [--small] [--seed N]
    python benchmarks/random_models.py --list

For tests and for timing: the tokens mean nothing. `--small` makes a model of the same layout that
runs in milliseconds, where the layout says how large it is.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.parity.weights import random_state
from wavemill.tokenizers.codec_layouts import ENCODEC_48KHZ

SQ_SIZES: dict[str, Any] = {
    "num_bands": 1,
    "sample_rate": 16_000,
    "causal": True,
    "num_samples": 2,
    "downsample_factors": [2, 4, 4, 5],
    "downsample_kernel_sizes": [4, 8, 8, 10],
    "upsample_factors": [5, 4, 4, 2],
    "upsample_kernel_sizes": [10, 8, 8, 4],
    "latent_hidden_dim": 32,
    "default_kernel_size": 7,
    "delay_kernel_size": 5,
    "init_channel": 48,
    "res_kernel_size": 7,
}
"""32 numbers at 50 Hz. The published `config.yaml` could not be had: the channels are a guess."""


def sq(out: Path, *, small: bool) -> None:
    """Write SQ-Codec's `config.yaml` and `ckpt_00190000.pth` as its zip files have them."""
    from wavemill.tokenizers.scalar_codec import ScalarCodec
    from wavemill.tokenizers.sq import read_sizes

    sizes = SQ_SIZES | ({"init_channel": 4} if small else {})
    config = {"generator": {"name": "ScalarModel", "config": sizes}}
    (out / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    codec = ScalarCodec(read_sizes(str(out / "config.yaml")))
    with torch.no_grad():
        # First weights give numbers near 0; these fill the levels.
        codec.encoder[-1].parametrizations.weight.original0.mul_(20)  # type: ignore[union-attr,operator]
    torch.save({"codec_model": codec.published_state()}, out / "ckpt_00190000.pth")


def gfsq(out: Path, *, small: bool) -> None:
    """Write Fish-Speech 1.4's codec; its file has one size, so small is no other."""
    from wavemill.tokenizers.convnext import ConvNeXtBlock
    from wavemill.tokenizers.firefly import Firefly

    del small
    codec = Firefly()
    with torch.no_grad():
        for block in codec.modules():
            if isinstance(block, ConvNeXtBlock):
                block.gamma.fill_(1)  # at 1e-6 the blocks would pass their input on
        for rvq in codec.quantizer.residual_fsq.rvqs:
            rvq.project_in.weight.mul_(8)  # type: ignore[union-attr,operator]
    torch.save(codec.state_dict(), out / "firefly-gan-vq-fsq-8x1024-21hz-generator.pth")


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


DAC_SIZES: dict[str, Any] = {
    "downsampling_ratios": [2, 4, 8, 8],
    "codebook_size": 1024,
    "sampling_rate": 44_100,
}


def codec(out: Path, *, small: bool, family: str, settings: Mapping[str, Any]) -> None:
    """Write a codec as the hub has it: `config.json` and `model.safetensors`; in one size."""
    import transformers

    del small
    config = getattr(transformers, f"{family}Config")(**settings)
    model = getattr(transformers, f"{family}Model")(config)
    state = {key: part for key, part in model.state_dict().items() if part.ndim}
    for key, drawn in random_state({key: part.shape for key, part in state.items()}, 0).items():
        state[key].copy_(torch.from_numpy(drawn))
    model.save_pretrained(out)


MODELS: dict[str, Callable[..., None]] = {
    "dac": partial(codec, family="Dac", settings=DAC_SIZES),
    "encodec": partial(codec, family="Encodec", settings={}),
    "encodec-48khz": partial(codec, family="Encodec", settings=ENCODEC_48KHZ),
    "gfsq": gfsq,
    "mimi": partial(codec, family="Mimi", settings={}),
    "sq": sq,
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
