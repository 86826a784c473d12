"""The nearest of many centres."""

import torch
from torch import Tensor

_CHUNK_SCORES = 1 << 20  # of [T, K]: eight megabytes


class Nearest:
    """Finds the nearest centre of each feature, by Euclidean distance.

    All sums are of doubles: then it is not rounding that decides between centres that are nearly
    equally near, and a feature's id does not depend on how many are searched together. Of equal
    ones the first is taken.
    """

    def __init__(self, centers_KD: Tensor) -> None:
        """Prepare the search; `centers_KD` are finite."""
        self._centers_DK = centers_KD.double().T.contiguous()
        # argmin |c - x|^2 = argmax c.x - |c|^2 / 2: one matrix product and no distances.
        self._half_norms_K = -self._centers_DK.square().sum(dim=0) / 2

    def ids(self, features_TD: Tensor) -> Tensor:
        """Find ids, [T] int64."""
        chunk = max(16, _CHUNK_SCORES // len(self._half_norms_K))
        parts = [
            torch.addmm(self._half_norms_K, part.double(), self._centers_DK).argmax(dim=1)
            for part in features_TD.split(chunk)
        ]
        return torch.cat(parts)
