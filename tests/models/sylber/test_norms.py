import pytest
import torch

from wavemill.models.sylber.norms import NormStatistics


def noted(steps: int, decay: float = 0.9999) -> NormStatistics:
    """Statistics of drawn norms: of speech around 4, of others around 1."""
    torch.manual_seed(0)
    found = NormStatistics(decay)
    for _ in range(steps):
        speech = torch.rand(4, 500) < 0.7
        norms = torch.where(speech, 4 + 0.8 * torch.randn(4, 500), 1 + 0.4 * torch.randn(4, 500))
        found.add(norms, speech, torch.ones_like(speech))
        found.finish_step()
    return found


@pytest.mark.parametrize("steps", [1, 50])
def test_the_threshold_is_where_both_densities_are_the_same(steps: int) -> None:
    threshold = float(noted(steps).threshold())
    densities = [
        torch.distributions.Normal(mean, spread).log_prob(torch.tensor(threshold))
        for mean, spread in ((1.0, 0.4), (4.0, 0.8))
    ]
    assert float(densities[0]) == pytest.approx(float(densities[1]), abs=0.5)
    assert threshold == pytest.approx(2.09, abs=0.1)


def test_before_anything_is_noted_all_is_speech() -> None:
    assert float(NormStatistics(0.9999).threshold()) == 0


def test_as_long_as_silence_has_norms_like_those_of_speech_all_is_speech() -> None:
    torch.manual_seed(0)
    found = NormStatistics(0.9)
    speech = torch.rand(4, 500) < 0.7
    near = torch.where(speech, 10.7, 10.4) + 0.2 * torch.randn(4, 500)
    found.add(near, speech, torch.ones_like(speech))
    found.finish_step()
    assert float(found.threshold()) == 0
    for _ in range(50):
        found.add(torch.where(speech, near, near - 5), speech, torch.ones_like(speech))
        found.finish_step()
    assert 6 < float(found.threshold()) < 10


def test_what_is_padded_does_not_count_and_old_norms_are_forgotten() -> None:
    found = NormStatistics(0.5)
    for mean in (9.0, *[3.0] * 30):
        norms = torch.tensor([[mean, mean + 1, 0.5, 1.5, 77.0]])
        speech = torch.tensor([[True, True, False, False, True]])
        found.add(norms, speech, torch.tensor([[True] * 4 + [False]]))
        found.finish_step()
    count, total, _ = found.running.unbind(1)
    torch.testing.assert_close(total / count, torch.tensor([1.0, 3.5]), rtol=1e-4, atol=1e-4)
