"""The layouts of the codecs' original files, turned into the hub's.

EnCodec's `encodec_24khz-d7cc33bc.th` and `encodec_48khz-7e698e3e.th` are bare state dicts, DAC's
`weights*.pth` a state dict with the constructor's arguments, Mimi's
`tokenizer-e351c8d8-checkpoint125.safetensors` tensors alone.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Layout = tuple[dict[str, Any], dict[str, Tensor]]
"""Settings of a model, and its tensors, both named as on the hub."""

ENCODEC_KEYS = (
    (r"^(encoder|decoder)\.model\.", r"\1.layers."),
    (r"\.(conv\.conv|convtr\.convtr)\.", ".conv."),
    (r"\.(conv|convtr)\.norm\.", ".norm."),
    (r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook."),
)
ENCODEC_48KHZ = {
    "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
    "sampling_rate": 48_000,
    "audio_channels": 2,
    "use_causal_conv": False,
    "norm_type": "time_group_norm",
    "normalize": True,
    "chunk_length_s": 1.0,
    "overlap": 0.01,
}
DAC_SETTINGS = {
    "encoder_dim": "encoder_hidden_size",
    "encoder_rates": "downsampling_ratios",
    "decoder_dim": "decoder_hidden_size",
    "n_codebooks": "n_codebooks",
    "codebook_size": "codebook_size",
    "codebook_dim": "codebook_dim",
    "sample_rate": "sampling_rate",
}
DAC_UNIT = ("snake1", "conv1", "snake2", "conv2")
MIMI_HEADS = 8
MIMI_KEYS = (
    (r"^(encoder|decoder)\.model\.", r"\1.layers."),
    (r"\.(conv(\.conv){1,2}|convtr(\.convtr){1,2})\.", ".conv."),
    (r"^(encoder|decoder)_transformer\.transformer\.", r"\1_transformer."),
    (r"\.linear([12])\.", r".mlp.fc\1."),
    (r"\.self_attn\.(out_proj|out_projs\.0)\.", ".self_attn.o_proj."),
    (r"\.self_attn\.(in_proj_weight|in_projs\.0\.weight)$", ".self_attn.in_proj_weight"),
    (r"\.norm1\.", ".input_layernorm."),
    (r"\.norm2\.", ".post_attention_layernorm."),
    (r"\.layer_scale_1\.", ".self_attn_layer_scale."),
    (r"\.layer_scale_2\.", ".mlp_layer_scale."),
    (r"^quantizer\.rvq_first\.(vq\.)?", "quantizer.semantic_residual_vector_quantizer."),
    (r"^quantizer\.rvq_rest\.(vq\.)?", "quantizer.acoustic_residual_vector_quantizer."),
    (r"\._codebook\._initialized$", ".codebook.initialized"),
    (r"\._codebook\.embedding_sum$", ".codebook.embed_sum"),
    (r"\._codebook\.", ".codebook."),
)


def encodec_layout(checkpoint: Mapping[str, Any]) -> Layout:
    """Convert EnCodec; which of the two it is, is seen from the first layer's channels."""
    first = "encoder.model.0.conv.conv.weight"
    weight = checkpoint.get(first, checkpoint.get(f"{first}_v"))
    if not isinstance(weight, Tensor):
        raise ValueError(f"it has no {first}")  # noqa: TRY004 - of a file, not of an argument
    return ENCODEC_48KHZ if weight.shape[1] == 2 else {}, _renamed(checkpoint, ENCODEC_KEYS)


def mimi_layout(checkpoint: Mapping[str, Any]) -> Layout:
    """Convert Mimi: attention's three matrices lie in one, and its rotations interleave."""
    state: dict[str, Tensor] = {}
    for name, tensor in _renamed(checkpoint, MIMI_KEYS).items():
        if name.endswith(".in_proj_weight"):
            query, key, value = tensor.chunk(3)
            place = name.removesuffix("in_proj_weight")
            state[f"{place}q_proj.weight"] = _rotated_by_halves(query)
            state[f"{place}k_proj.weight"] = _rotated_by_halves(key)
            state[f"{place}v_proj.weight"] = value
        else:
            state[name] = tensor
    return {}, state


def _rotated_by_halves(weight: Tensor) -> Tensor:
    """Reorder a head's rows from pairs side by side to first halves, then second halves."""
    rows, columns = weight.shape
    pairs = weight.view(MIMI_HEADS, rows // MIMI_HEADS // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)


def dac_layout(checkpoint: Mapping[str, Any]) -> Layout:
    """Convert DAC: the hub has weights with their normalisation folded in."""
    state, metadata = checkpoint.get("state_dict"), checkpoint.get("metadata")
    arguments = metadata.get("kwargs") if isinstance(metadata, Mapping) else None
    if not isinstance(state, Mapping) or not isinstance(arguments, Mapping):
        raise ValueError("it has no state_dict and metadata")  # noqa: TRY004 - of a file
    missing = [name for name in DAC_SETTINGS if name not in arguments]
    if missing:
        raise ValueError(f"its metadata lacks {', '.join(missing)}")
    settings = {ours: arguments[theirs] for theirs, ours in DAC_SETTINGS.items()}
    blocks = len(settings["downsampling_ratios"])
    tensors = {name: part for name, part in state.items() if isinstance(part, Tensor)}
    return settings, {_dac_key(name, blocks): part for name, part in _unnormed(tensors).items()}


def _dac_key(name: str, blocks: int) -> str:
    """Name a tensor as transformers does; blocks and units count from 0 and 1 there."""
    match = re.match(r"(encoder\.block|decoder\.model)\.(\d+)\.(.*)", name)
    if not match:
        return name
    half, number, rest = match[1].split(".")[0], int(match[2]), match[3]
    ends = {0: "conv1", blocks + 1: "snake1", blocks + 2: "conv2"}
    if number in ends:
        return f"{half}.{ends[number]}.{rest}"
    return f"{half}.block.{number - 1}.{_dac_part(half, rest)}"


def _dac_part(half: str, name: str) -> str:
    """Name a part of a block: three units before an encoder's convolution, or after a decoder's."""
    unit = re.match(r"block\.(\d+)\.block\.(\d+)\.(.*)", name)
    if unit:
        number = int(unit[1]) + (1 if half == "encoder" else -1)
        return f"res_unit{number}.{DAC_UNIT[int(unit[2])]}.{unit[3]}"
    parts = {"3": "snake1", "4": "conv1"} if half == "encoder" else {"0": "snake1", "1": "conv_t1"}
    return re.sub(r"^block\.(\d+)\.", lambda match: f"{parts.get(match[1], match[1])}.", name)


def _unnormed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold weight normalisation: g * v / |v|, with a length for each first index."""
    folded = {name: part for name, part in state.items() if not name.endswith(("_g", "_v"))}
    for name, direction in state.items():
        if name.endswith(".weight_v"):
            weight = name.removesuffix("_v")
            if f"{weight}_g" not in state:
                raise ValueError(f"it has no {weight}_g")
            folded[weight] = torch._weight_norm(direction, state[f"{weight}_g"], 0)  # noqa: SLF001
    return folded


def _renamed(checkpoint: Mapping[str, Any], keys: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, part in checkpoint.items():
        if isinstance(part, Tensor):
            for pattern, replacement in keys:
                name = re.sub(pattern, replacement, name)  # noqa: PLW2901 - one rule after another
            state[name] = part
    return state
