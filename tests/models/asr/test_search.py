"""Searches against all texts that there are, on vocabularies small enough to try them all."""

import itertools
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from wavemill.models.asr.beam_search import BeamConfig, BeamSearch
from wavemill.models.asr.ctc_prefix import CtcPrefixScorer
from wavemill.models.asr.ctc_search import best_path, prefix_search
from wavemill.models.asr.decoder import TextDecoder
from wavemill.models.asr.hypotheses import Hypothesis
from wavemill.models.padding import is_real

UNITS = 2
WIDTH = 16
seeds = st.integers(0, 10_000)


def scores(seed: int, *shape: int, sharpness: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(*shape, generator=generator)).log_softmax(-1)


def collapse(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(unit for unit, _ in itertools.groupby(path) if unit != blank)


def all_texts(scores_TV: npt.NDArray[np.float32]) -> dict[tuple[int, ...], float]:
    """The log probability of each text, by all paths there are."""
    frames, units = scores_TV.shape
    found: dict[tuple[int, ...], float] = defaultdict(lambda: float("-inf"))
    for path in itertools.product(range(units), repeat=frames):
        total = float(scores_TV[np.arange(frames), path].astype(np.float64).sum())
        text = collapse(path, units - 1)
        found[text] = float(np.logaddexp(found[text], total))
    return found


def ranked(texts: dict[tuple[int, ...], float]) -> list[Hypothesis]:
    each = [Hypothesis(ids=ids, log_probability=total) for ids, total in texts.items()]
    return sorted(each, key=lambda one: -one.score)


def assert_alike(found: list[Hypothesis], expected: list[Hypothesis]) -> None:
    assert [one.ids for one in found] == [one.ids for one in expected]
    assert [one.score for one in found] == pytest.approx(
        [one.score for one in expected], rel=1e-5, abs=1e-6
    )


def make_decoder(seed: int) -> TextDecoder:
    torch.manual_seed(seed)
    decoder = TextDecoder(units=UNITS, layers=2, width=WIDTH, heads=2, dropout=0.0).eval()
    for weight in decoder.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return decoder


def whole_score(
    decoder: TextDecoder, ids: tuple[int, ...], speech_1TD: Tensor, real_1T: Tensor
) -> float:
    """Of a text by the decoder, all positions at once and nothing kept."""
    with torch.no_grad():
        logits = decoder(torch.tensor([ids], dtype=torch.int64), speech_1TD, real_1T)
    targets = torch.tensor([*ids, UNITS])
    return -float(functional.cross_entropy(logits[0].double(), targets, reduction="sum"))


@given(seeds, st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_a_wide_beam_of_prefixes_finds_the_probability_of_every_text(
    seed: int, frames: int
) -> None:
    scores_TV = scores(seed, frames, UNITS + 1).numpy()
    found = prefix_search(scores_TV, beam=10_000, count=10_000, least=float("-inf"))
    assert_alike(found, ranked(all_texts(scores_TV)))


@given(seeds, st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_a_narrow_beam_of_prefixes_finds_no_more_than_there_is(
    seed: int, frames: int, beam: int
) -> None:
    scores_TV = scores(seed, frames, UNITS + 1).numpy()
    texts = all_texts(scores_TV)
    found = prefix_search(scores_TV, beam=beam, count=3)
    assert 1 <= len(found) <= min(beam, 3)
    assert len({one.ids for one in found}) == len(found)
    for one in found:
        assert one.log_probability <= texts[one.ids] + 1e-6
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@given(seeds, st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_the_best_path_is_that_of_the_most_probable_unit_of_each_frame(
    seed: int, frames: int
) -> None:
    scores_TV = scores(seed, frames, 4).numpy()
    found = best_path(scores_TV)
    assert found.ids == collapse(tuple(scores_TV.argmax(1).tolist()), 3)
    assert found.log_probability == pytest.approx(float(scores_TV.max(1).sum()), rel=1e-5)


@given(seeds, st.integers(1, 6), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_ctc_s_prefix_scores_are_sums_over_all_texts_that_begin_so(
    seed: int, frames: int, padding: int
) -> None:
    scores_TV = scores(seed, frames, UNITS + 1)
    padded = torch.cat([scores_TV, scores(seed + 1, padding, UNITS + 1)])
    texts = all_texts(scores_TV.numpy())
    scorer = CtcPrefixScorer(padded[None], torch.tensor([frames]))
    prefixes, last = scorer.start(1), torch.tensor([[UNITS]])
    text: tuple[int, ...] = ()
    for unit in (0, 0, 1, 0):
        assert scorer.end(prefixes).exp().item() == pytest.approx(
            np.exp(texts.get(text, -np.inf)), rel=1e-5, abs=1e-12
        )
        following = scorer.following(prefixes, last, torch.tensor([[[0, 1]]]))[0, 0].exp()
        for other in range(UNITS):
            begun = (*text, other)
            expected = sum(
                np.exp(total) for ids, total in texts.items() if ids[: len(begun)] == begun
            )
            assert following[other].item() == pytest.approx(expected, rel=1e-5, abs=1e-12)
        prefixes = scorer.grow(prefixes, last, torch.tensor([[unit]]))
        text, last = (*text, unit), torch.tensor([[unit]])


@given(seeds, st.sampled_from([0.0, 0.3, 1.0]), st.integers(2, 5))
@settings(max_examples=15, deadline=None)
def test_a_wide_beam_finds_what_trying_all_texts_finds(
    seed: int, weight: float, frames: int
) -> None:
    decoder, limit = make_decoder(seed), 4
    speech_1TD, real_1T = torch.randn(1, frames, WIDTH), torch.ones(1, frames, dtype=torch.bool)
    scores_1TV = scores(seed, 1, frames, UNITS + 1)
    ctc = all_texts(scores_1TV[0].numpy())
    expected = {
        ids: (1 - weight) * whole_score(decoder, ids, speech_1TD, real_1T)
        + (weight * ctc.get(ids, -np.inf) if weight else 0.0)
        for length in range(limit + 1)
        for ids in itertools.product(range(UNITS), repeat=length)
    }
    expected = {ids: total for ids, total in expected.items() if total > -np.inf}
    search = BeamSearch(
        decoder,
        speech_1TD,
        real_1T,
        BeamConfig(beam=UNITS**limit, count=6, ctc_weight=weight, patience=None),
        limits=[limit],
        ctc=CtcPrefixScorer(scores_1TV, torch.tensor([frames])),
    )
    assert_alike(search.run()[0], ranked(expected)[:6])


@given(seeds, st.lists(st.integers(1, 12), min_size=2, max_size=4), st.sampled_from([0.0, 0.4]))
@settings(max_examples=15, deadline=None)
def test_what_is_found_does_not_depend_on_the_batch(
    seed: int, frames: list[int], weight: float
) -> None:
    decoder = make_decoder(seed)
    lengths = torch.tensor(frames)
    speech_BTD = torch.randn(len(frames), max(frames), WIDTH)
    scores_BTV = scores(seed, len(frames), max(frames), UNITS + 1)
    config = BeamConfig(beam=3, count=2, ctc_weight=weight, patience=2)
    together = BeamSearch(
        decoder,
        speech_BTD,
        is_real(lengths, max(frames)),
        config,
        limits=frames,
        ctc=CtcPrefixScorer(scores_BTV, lengths),
    ).run()
    for number, count in enumerate(frames):
        part = slice(number, number + 1)
        alone = BeamSearch(
            decoder,
            speech_BTD[part, :count],
            is_real(lengths[part], count),
            config,
            limits=[count],
            ctc=CtcPrefixScorer(scores_BTV[part, :count], lengths[part]),
        ).run()
        assert_alike(together[number], alone[0])


@given(seeds, st.lists(st.integers(0, UNITS - 1), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_units_one_by_one_score_as_all_at_once(seed: int, ids: list[int]) -> None:
    decoder = make_decoder(seed)
    speech_BTD, real_BT = torch.randn(2, 6, WIDTH), is_real(torch.tensor([6, 4]), 6)
    targets = torch.tensor([ids, ids[::-1]])
    whole = decoder(targets, speech_BTD, real_BT)
    state = decoder.start(speech_BTD, real_BT, 2)
    steps = functional.pad(targets, (1, 0), value=UNITS)
    for place in range(len(ids) + 1):
        logits = decoder.step(steps[:, place : place + 1].expand(-1, 2), state)
        torch.testing.assert_close(logits[:, 0], whole[:, place], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits[:, 1], whole[:, place], rtol=1e-4, atol=1e-5)
