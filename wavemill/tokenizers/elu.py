"""ELU, in one compiled pass: five times as fast as torch's, which is a tenth of EnCodec's time.

The exponential is Cephes' `expf` (Moshier): 2^k times a polynomial. Its last steps are left as sums
of what is small, so that near zero nothing cancels. It is within 4e-8 of the true value, as torch's
is within 3e-8.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from wavemill.tokenizers.compiled import compiled

F = np.float32
LOG2_E = F(1.4426950408889634)
LN_2_HIGH, LN_2_LOW = F(0.693359375), F(-2.12194440e-4)
LEAST = F(-87)
"""Below it the result is -1 to the last digit, and 2^k would have no float32."""
P5, P4, P3 = F(1.9875691500e-4), F(1.3981999507e-3), F(8.3334519073e-3)
P2, P1, P0 = F(4.1665795894e-2), F(1.6666665459e-1), F(5.0000001201e-1)


def elu_into(x: Tensor, out: Tensor) -> None:
    """Write ELU (alpha 1) of `x` into `out`, both of one shape and type, `out` contiguous."""
    if x.is_cpu and x.dtype == torch.float32:
        _elu(x.contiguous().view(-1).numpy(), out.view(-1).numpy())
    else:
        functional.elu_(out.copy_(x))


@compiled
def _elu(x: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    for n in range(x.size):
        value = x[n]
        low = max(min(value, F(0)), LEAST)
        power = np.int32(low * LOG2_E - F(0.5))
        rest = low - F(power) * LN_2_HIGH - F(power) * LN_2_LOW
        series = ((((P5 * rest + P4) * rest + P3) * rest + P2) * rest + P1) * rest + P0
        less_one = series * rest * rest + rest
        # 2^power, of which these are a float32's bits.
        scale = np.int32((power + np.int32(127)) << np.int32(23)).view(F)
        out[n] = max(value, F(0)) + (scale * less_one + (scale - F(1)))
