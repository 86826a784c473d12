"""What is hidden from the encoder: spans of time, and spans of features.

Shapes end names: B batch, S places.
"""

import torch
from torch import Tensor
from torch.nn import functional


def draw_spans(size: int, places: int, share: float, length: int, device: torch.device) -> Tensor:
    """Draw spans of a length that may overlap, [B, S] bool: true within any of them.

    As in wav2vec 2.0 (https://arxiv.org/abs/2006.11477) their lengths add up to a share of all
    places; as they overlap, less is hidden: 1 - (1 - share / length)^length, at every place alike.
    Shapes do not depend on what is drawn; it is drawn from torch's generator.

    Args:
        size: rows, B.
        places: S.
        share: 0 to length.
        length: of a span.
        device: of the result.

    """
    # Spans that began before the first place reach into it.
    starts = torch.rand(size, places + length - 1, device=device) < share / length
    reached = functional.max_pool1d(starts[:, None].float(), length, stride=1)
    return reached[:, 0] > 0
