"""Make golden/gfsq.npz: what Fish-Speech 1.4's own modules give for random weights.

    git clone https://github.com/fishaudio/fish-speech && git -C fish-speech checkout v1.4.3
    python3.11 -m venv oracle && oracle/bin/pip install torch==2.11.0 torchaudio==2.11.0 numpy \
        einops einx vector-quantize-pytorch==1.14.24
    PYTHONPATH=.:fish-speech oracle/bin/python tests/parity/make_gfsq.py

The sizes are those of its `configs/firefly_gan_vq.yaml`, and the quantizer is of the version that
it pins.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.parity.weights import random_clip, random_state
from wavemill.tokenizers.firefly import FireflySizes

LENGTHS = (1_000, 30_000, 123_457)
GAIN = 4.0
"""On the projections before the quantizers, so that the ids spread."""
DECODED_STEPS = 2
PUBLISHED = FireflySizes()
SMALL = FireflySizes(depths=(1, 1, 2, 1), dims=(16, 24, 32, 48), head_channels=32)


def architecture(sizes: FireflySizes) -> Any:
    """Put the authors' modules together as their configuration does."""
    from fish_speech.models.vqgan.modules import firefly, fsq  # type: ignore[import-not-found]
    from fish_speech.utils.spectrogram import LogMelSpectrogram  # type: ignore[import-not-found]

    return firefly.FireflyArchitecture(
        spec_transform=LogMelSpectrogram(44_100, 2048, 2048, 512, 160),
        backbone=firefly.ConvNeXtEncoder(
            160, list(sizes.depths), list(sizes.dims), drop_path_rate=0.2, kernel_size=7
        ),
        head=firefly.HiFiGANGenerator(
            hop_length=512, upsample_rates=[8, 8, 2, 2, 2], num_mels=sizes.dims[-1],
            upsample_kernel_sizes=[16, 16, 4, 4, 4], resblock_kernel_sizes=[3, 7, 11],
            resblock_dilation_sizes=[[1, 3, 5]] * 3, upsample_initial_channel=sizes.head_channels,
            pre_conv_kernel_size=13, post_conv_kernel_size=13,
        ),
        quantizer=fsq.DownsampleFiniteScalarQuantize(
            input_dim=sizes.dims[-1], n_groups=8, n_codebooks=1, levels=[8, 5, 5, 5],
            downsample_factor=[2, 2],
        ),
    ).eval()  # fmt: skip


def random_firefly_state(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Draw the weights that the golden file is made with."""
    state = random_state(shapes, seed=2)
    for name in state:
        if name.endswith("project_in.weight"):
            state[name] *= GAIN
    return {name: torch.from_numpy(part) for name, part in state.items()}


def residual_quantizer() -> dict[str, Any]:
    """Run the package's quantizer with two in a row, which the codec does not have."""
    from vector_quantize_pytorch import GroupedResidualFSQ

    model = GroupedResidualFSQ(dim=32, levels=[8, 5, 5, 5], num_quantizers=2, groups=4)
    shapes = {name: tuple(part.shape) for name, part in model.state_dict().items()}
    model.load_state_dict(random_firefly_state(shapes))
    inputs = random_clip(32 * 50, seed=3).reshape(1, 50, 32) * 10
    with torch.inference_mode():
        features, ids = model(torch.from_numpy(inputs))
    return {"residual_ids": ids[:, 0].to(torch.int16).numpy(), "residual": features[0].numpy()}


@torch.inference_mode()
def codec(sizes: FireflySizes) -> dict[str, Any]:
    """Run the authors' model on three lengths."""
    model = architecture(sizes)
    shapes = {name: tuple(part.shape) for name, part in model.state_dict().items()}
    model.load_state_dict(random_firefly_state(shapes))
    arrays = {}
    for length in LENGTHS:
        clip = torch.from_numpy(random_clip(length, seed=2))[None, None]
        ids, _ = model.encode(clip, torch.tensor([length]))
        arrays[f"ids_{length}"] = ids[0].T.to(torch.int16).numpy()
    audio, _ = model.decode(ids[..., :DECODED_STEPS], torch.tensor([DECODED_STEPS]))
    return {**arrays, "audio": audio[0, 0].numpy()}


def main() -> None:
    """Run the authors' model at two sizes on three lengths."""
    arrays = residual_quantizer()
    for name, sizes in (("small", SMALL), ("published", PUBLISHED)):
        arrays.update({f"{name}_{key}": array for key, array in codec(sizes).items()})
    place = Path(__file__).parent / "golden" / "gfsq.npz"
    np.savez_compressed(place, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
