"""Make golden/sq.npz: what the authors' SQ-Codec gives for random weights.

    git clone https://github.com/yangdongchao/SimpleSpeech && git -C SimpleSpeech checkout 6b95cf0
    python3.11 -m venv oracle && oracle/bin/pip install torch==2.11.0 torchaudio==2.11.0 numpy
    PYTHONPATH=.:SimpleSpeech/ldm/models oracle/bin/python tests/parity/make_sq.py

Their file imports pytorch_lightning and omegaconf for its training alone, so stand-ins will do.
"""

import sys
import types
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from tests.parity.weights import random_clip, random_state

SIZES = {
    "num_bands": 1, "sample_rate": 16_000, "num_samples": 2,
    "downsample_factors": [2, 4, 4, 5], "downsample_kernel_sizes": [4, 8, 8, 10],
    "upsample_factors": [5, 4, 4, 2], "upsample_kernel_sizes": [10, 8, 8, 4],
    "latent_hidden_dim": 32, "default_kernel_size": 7, "delay_kernel_size": 5,
    "init_channel": 8, "res_kernel_size": 7,
}  # fmt: skip
LENGTHS = (320, 7_777, 40_001)


def random_sq_state(like: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Draw the weights that the golden file is made with: slopes of activations near 0.2."""
    state = random_state({name: tuple(part.shape) for name, part in like.items()}, seed=1)
    for name in state:
        state[name] *= 0.2 if "activation" in name else 1
    return {name: torch.from_numpy(part) for name, part in state.items()}


def main() -> None:
    """Run the authors' model, causal and not, on three lengths."""
    sys.modules["pytorch_lightning"] = types.SimpleNamespace(LightningModule=torch.nn.Module)  # type: ignore[assignment]
    sys.modules["omegaconf"] = types.SimpleNamespace(OmegaConf=None)  # type: ignore[assignment]
    from scalar16k import ScalarModel  # type: ignore[import-not-found]

    arrays = {}
    for causal in (True, False):
        model = ScalarModel(causal=causal, **SIZES).eval()
        model.load_state_dict(random_sq_state(model.state_dict()))
        for length in LENGTHS:
            clip = torch.from_numpy(random_clip(length, seed=1))
            with torch.inference_mode():
                _, rounded, audio = model.inference(clip[None, None])
            name = f"{'causal' if causal else 'centred'}_{length}"
            arrays[f"{name}_rounded"] = (9 * rounded[0]).round().to(torch.int8).numpy()
            arrays[f"{name}_audio"] = audio[0, 0, :4000].numpy()
    place = Path(__file__).parent / "golden" / "sq.npz"
    np.savez_compressed(place, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
