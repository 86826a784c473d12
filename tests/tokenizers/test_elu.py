"""ELU in one pass is ELU, to the last digit or two, everywhere."""

import numpy as np
import pytest
import torch

from wavemill.tokenizers.elu import elu_into


def elu(values: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(values)
    elu_into(values, out)
    return out


def test_values_are_true_to_float32() -> None:
    small = torch.logspace(-30, 2.3, 100_001, dtype=torch.float64).float()
    values = torch.cat([-small, small, torch.linspace(-20, 20, 100_001)])
    exact = values.double()
    exact = torch.where(exact > 0, exact, torch.expm1(exact))
    assert ((elu(values) - exact).abs() <= 2e-7 * exact.abs()).all()


def test_what_is_no_number_stays_so() -> None:
    found = elu(torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0]))
    assert found[0].isnan()
    assert found[1:].tolist() == [float("inf"), -1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_that_lie_apart_are_read_where_they_are(dtype: torch.dtype) -> None:
    values = torch.from_numpy(np.linspace(-3, 3, 60, dtype=np.float32).reshape(5, 3, 4)).to(dtype)
    out = torch.empty(5, 4, dtype=dtype)
    elu_into(values[:, 1], out)
    assert torch.allclose(out.float(), torch.nn.functional.elu(values[:, 1].float()), atol=0.02)
