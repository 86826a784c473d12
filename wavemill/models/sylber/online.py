"""Segments found in a batch's features: the one place where a training step reads values.

The segmentation is that of the tokenizer (`wavemill/tokenizers/syllables.py`), compiled for the
CPU: a GPU is waited for once a step, and its features copied once. To torch it is an operation of
its own, so that a step on tensors without data goes past it.

Shapes end names: B batch, F frames, D features.
"""

import torch
from torch import Tensor

from wavemill.tokenizers.syllables import find_syllables


@torch.library.custom_op("wavemill::find_segments", mutates_args=())
def find_segments(
    features_BFD: Tensor, frames_B: Tensor, norm_threshold: Tensor, merge_B: Tensor
) -> Tensor:
    """Return the number of each frame's segment, [B, F] int64, 0 where there is none.

    Args:
        features_BFD: of the teacher.
        frames_B: how many of F are real, int64.
        norm_threshold: of speech, a scalar.
        merge_B: threshold of cosines of each clip.

    """
    features = features_BFD.float().cpu().numpy()
    found = torch.zeros(features_BFD.shape[:2], dtype=torch.int64)
    clips = zip(frames_B.tolist(), merge_B.tolist(), strict=True)
    for row, (frames, merge) in enumerate(clips):
        spans = find_syllables(
            features[row, :frames], norm_threshold=float(norm_threshold), merge_threshold=merge
        )
        for number, (start, end) in enumerate(spans.tolist(), 1):
            found[row, start:end] = number
    return found.to(features_BFD.device)


@find_segments.register_fake
def _(features_BFD: Tensor, frames_B: Tensor, norm_threshold: Tensor, merge_B: Tensor) -> Tensor:
    del frames_B, norm_threshold, merge_B
    return features_BFD.new_zeros(features_BFD.shape[:2], dtype=torch.int64)
