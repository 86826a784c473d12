import pytest
import torch
from torch import Tensor
from torchaudio.models import Conformer as PublishedConformer

from wavemill.models.conformer import Conformer


def alone_and_together() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    alone = torch.randn(1, 40, 32)
    filled = torch.cat([alone, torch.full((1, 60, 32), 0.5)], 1)
    return alone, torch.cat([filled, torch.randn(1, 100, 32)])


@torch.no_grad()
def test_what_is_padded_does_not_matter() -> None:
    alone, together = alone_and_together()
    model = Conformer(layers=2, width=32, heads=2, dropout=0.0).eval()
    expected = model(alone, torch.tensor([40]))[0]
    found = model(together, torch.tensor([40, 100]))[0, :40]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("group_norm", [False, True])
def test_to_torchaudio_s_it_does(group_norm: bool) -> None:
    """The reason why there is one of our own; where this fails, theirs may serve."""
    alone, together = alone_and_together()
    model = PublishedConformer(32, 2, 64, 2, 9, use_group_norm=group_norm).eval()
    expected = model(alone, torch.tensor([40]))[0][0]
    found = model(together, torch.tensor([40, 100]))[0][0, :40]
    assert float((found - expected).norm() / expected.norm()) > 1e-3
