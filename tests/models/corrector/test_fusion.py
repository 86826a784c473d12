"""Uncertainty-aware fusion of a language model and a recognizer."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.models.corrector.fusion import TOLERANCE, Fusion, calibrate, write_fused

LOGITS = st.lists(st.floats(-60, 60, width=32), min_size=6, max_size=6).map(torch.tensor)
TEMPERATURES = st.floats(0.1, 10)


@settings(max_examples=40)
@given(LOGITS, TEMPERATURES)
def test_the_weight_of_the_recognizer_stays_below_a_half(
    logits: torch.Tensor, temperature: float
) -> None:
    weight = float(Fusion(language_temperature=temperature).weight(logits))
    assert 0 <= weight < 0.5


def test_however_little_a_model_knows_the_weight_stays_below_a_half() -> None:
    assert 0.49 < float(Fusion().weight(torch.zeros(200_000))) < 0.5


@settings(max_examples=40)
@given(LOGITS, LOGITS)
def test_a_language_model_that_is_sure_decides_alone(
    language: torch.Tensor, speech: torch.Tensor
) -> None:
    sure = language * 0
    sure[int(language.argmax())] = 1000.0
    fused = Fusion().probabilities(sure, speech)
    assert torch.equal(fused, sure.softmax(0))


@settings(max_examples=40)
@given(LOGITS, LOGITS)
def test_what_is_fused_is_the_sum_that_was_published(
    language: torch.Tensor, speech: torch.Tensor
) -> None:
    p, q = (language / 2).softmax(0), (speech / 3).softmax(0)
    entropy = -(p.clamp(min=1e-38).log() * p).sum()
    fused = Fusion(language_temperature=2, speech_temperature=3).probabilities(language, speech)
    torch.testing.assert_close(fused, p + (entropy.sigmoid() - 0.5) * q)


def test_a_recognizer_helps_where_the_language_model_is_unsure() -> None:
    language = {0: torch.tensor([1.0, 0.9, -9.0]), 1: torch.tensor([-9.0, -9.0, 9.0])}
    speech = {0: torch.tensor([-9.0, 9.0, -9.0]), 1: torch.tensor([9.0, -9.0, -9.0])}
    written = write_fused(
        lambda before: language[len(before)],
        lambda before: speech[len(before)],
        Fusion(),
        end=2,
        most=9,
    )
    assert written == [1]


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_a_model_that_is_too_sure_or_not_sure_enough_is_calibrated(
    seed: int, factor: float
) -> None:
    dice = torch.Generator().manual_seed(seed)
    logits = torch.randn(3000, 12, generator=dice) * 2
    targets = torch.multinomial(logits.softmax(1), 1, generator=dice)[:, 0]
    found = calibrate(logits * factor, targets)
    assert found.is_reached
    sure = (logits * factor / found.temperature).softmax(1).amax(1).mean()
    right = (logits.argmax(1) == targets).double().mean()
    assert abs(float(sure - right)) <= TOLERANCE + 1e-5


def test_where_no_temperature_is_right_it_says_so() -> None:
    found = calibrate(torch.tensor([[5.0, 0.0, 0.0]]), torch.tensor([1]))
    assert not found.is_reached
    assert found.gap > 0.3
