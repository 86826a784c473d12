import pytest
import torch

from wavemill.errors import UsageError
from wavemill.models.token_lm.sampling import Sampler

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0]).log_softmax(0)


def shares(**settings: float) -> torch.Tensor:
    """How often each id is drawn."""
    sampler = Sampler(rows=range(2), **settings)  # type: ignore[arg-type]
    drawn = sampler.draw(LOGITS.expand(2, 20_000, 4))
    return drawn.flatten().bincount(minlength=4) / 40_000


def test_ids_are_drawn_as_often_as_the_softmax_says() -> None:
    torch.testing.assert_close(shares(), LOGITS.exp(), rtol=0, atol=0.01)


def test_temperature_sharpens_and_at_0_the_likeliest_is_taken() -> None:
    wanted = (LOGITS / 0.5).softmax(0)
    torch.testing.assert_close(shares(temperature=0.5), wanted, rtol=0, atol=0.01)
    assert shares(temperature=0).tolist() == [1, 0, 0, 0]


def test_top_k_draws_from_so_many_and_top_p_from_such_a_share() -> None:
    two = LOGITS[:2].softmax(0)
    assert LOGITS.exp()[:2].sum() > 0.85
    for found in (
        shares(top_k=2),
        shares(top_p=0.85),
        shares(top_p=0.7),
        shares(top_k=3, top_p=0.7),
    ):
        torch.testing.assert_close(found[:2], two, rtol=0, atol=0.01)
        assert found[2:].tolist() == [0, 0]
    assert shares(top_p=0.6).tolist() == [1, 0, 0, 0]
    assert shares(top_p=1e-6).tolist() == [1, 0, 0, 0]
    torch.testing.assert_close(shares(top_k=9, top_p=1.0), LOGITS.exp(), rtol=0, atol=0.01)


def test_a_row_draws_the_same_whatever_is_drawn_beside_it() -> None:
    logits = torch.randn(5, 7, 9)
    together = [Sampler(rows=range(5), seed=3).draw(logits) for _ in range(2)]
    assert together[0].equal(together[1])
    alone = Sampler(rows=[2], seed=3)
    assert alone.draw(logits[2:3]).equal(together[0][2:3])
    assert not Sampler(rows=range(5), seed=4).draw(logits).equal(together[0])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": -1}, "--temperature -1"),
        ({"top_k": 0}, "--top-k 0"),
        ({"top_p": 0}, "--top-p 0"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Sampler(rows=[0], **settings)
