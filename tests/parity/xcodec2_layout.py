"""X-Codec 2's encoder with random weights: its sizes, and the authors' names of its tensors.

What only decodes is left small; the semantic model has its published width and depth, and narrow
feed-forward layers.
"""

import re
from collections.abc import Mapping
from typing import Any

SETTINGS: dict[str, Any] = {
    "num_hidden_layers": 1,
    "intermediate_size": 64,
    "semantic_model_config": {
        "model_type": "wav2vec2-bert", "num_hidden_layers": 16, "intermediate_size": 64,
    },
}  # fmt: skip
"""Of transformers' Xcodec2Config."""
SEED = 7
CODES = "golden/xcodec2.json"
LENGTHS = (1, 16_000, 70_001)
_UNIT = {"snake1": "0.act", "conv1": "1", "snake2": "2.act", "conv2": "3"}
_KEYS = (
    (r"^semantic_encoder\.", "semantic_model."),
    (r"^semantic_adapter\.conv1\.", "SemanticEncoder_module.initial_conv."),
    (r"^semantic_adapter\.conv2\.", "SemanticEncoder_module.residual_blocks.1."),
    (r"^semantic_adapter\.conv3\.", "SemanticEncoder_module.residual_blocks.3."),
    (r"^semantic_adapter\.conv4\.", "SemanticEncoder_module.final_conv."),
    (r"^acoustic_encoder\.conv1\.", "CodecEnc.conv_blocks.0."),
    (r"^acoustic_encoder\.snake1\.act\.", "CodecEnc.conv_final_block.0.act."),
    (r"^acoustic_encoder\.conv2\.", "CodecEnc.conv_final_block.1."),
    (r"^fc_encoder\.", "fc_prior."),
    (r"^quantizer\.", "generator.quantizer."),
)
_BLOCK = re.compile(r"^acoustic_encoder\.block\.(\d+)\.(.*)")
_RESIDUAL = re.compile(r"^res_unit(\d)\.(snake1|conv1|snake2|conv2)\.(?:act\.)?(.*)")


def encoder_shapes(state: Mapping[str, Any]) -> dict[str, list[int]]:
    """Take the shapes of what makes ids, by transformers' names."""
    decoder = "acoustic_decoder."
    return {name: list(part.shape) for name, part in state.items() if not name.startswith(decoder)}


def authors_name(name: str) -> str:
    """Name a tensor of transformers' encoder as the authors do."""
    name = re.sub(r"\.act\.beta$", ".act.bias", name)
    if match := _BLOCK.match(name):
        return f"CodecEnc.conv_blocks.{int(match[1]) + 1}.block.{_part(match[2])}"
    for pattern, replacement in _KEYS:
        name = re.sub(pattern, replacement, name)
    return name


def _part(name: str) -> str:
    if match := _RESIDUAL.match(name):
        return f"{int(match[1]) - 1}.block.{_UNIT[match[2]]}.{match[3]}"
    return re.sub(r"^conv1\.", "4.", re.sub(r"^snake1\.", "3.", name))
