"""The segmentation: that of Sylber's package, and what holds whatever the features are."""

from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.sylber_inputs import MATRICES, Case, random_cases, speech_cases, steps
from wavemill.tokenizers.syllables import find_syllables

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "sylber.npz"


@pytest.fixture(scope="module")
def golden() -> list[npt.NDArray[np.int16]]:
    with np.load(GOLDEN, allow_pickle=False) as stored:
        return np.split(stored["spans"], np.cumsum(stored["counts"])[:-1])


def find(case: Case) -> list[list[int]]:
    features, norm, merge = case
    found: list[list[int]] = find_syllables(
        features, norm_threshold=norm, merge_threshold=merge
    ).tolist()
    return found


def test_the_segments_are_those_of_the_published_package(
    golden: list[npt.NDArray[np.int16]],
) -> None:
    cases = list(chain(random_cases(), speech_cases()))
    assert len(cases) == len(golden) > MATRICES >= 1000
    different = [
        number
        for number, (case, spans) in enumerate(zip(cases, golden, strict=True))
        if find(case) != spans.tolist()
    ]
    assert different == []


def test_the_golden_inputs_hold_every_kind_of_decision(
    golden: list[npt.NDArray[np.int16]],
) -> None:
    counts = [len(spans) for spans in golden]
    assert min(counts) == 0
    assert sum(counts[MATRICES:]) > 500  # of speech
    touching = sum((spans[1:, 0] == spans[:-1, 1]).sum() for spans in golden)
    assert touching > 10_000
    assert sum(counts) - touching > 1_000


@settings(max_examples=200)
@given(
    frames=st.integers(0, 80),
    seed=st.integers(0, 10_000),
    noise=st.floats(0, 2),
    norm=st.sampled_from([0.0, 1.0, 4.0]),
    merge=st.sampled_from([-1.0, 0.0, 0.5, 0.8, 1.0]),
)
def test_spans_are_in_order_and_hold_all_loud_frames_and_no_others(
    frames: int, seed: int, noise: float, norm: float, merge: float
) -> None:
    features = steps(np.random.default_rng(seed), frames, 8, noise).astype(np.float32)
    spans = find_syllables(features, norm_threshold=norm, merge_threshold=merge)
    assert spans.shape[1] == 2
    assert (spans[:, 0] < spans[:, 1]).all()
    assert all(left[1] <= right[0] for left, right in pairwise(spans.tolist()))
    held = np.zeros(frames, bool)
    for start, end in spans:
        held[start:end] = True
    norms = np.linalg.norm(features, axis=1)
    clear = np.abs(norms - norm) > 1e-3
    assert np.array_equal(held[clear], (norms >= norm)[clear])


def test_noisy_steps_are_found_where_they_are() -> None:
    random = np.random.default_rng(3)
    lengths = random.integers(5, 15, 40)
    vectors = 5 * random.standard_normal((40, 64)) / 8
    features = np.repeat(vectors, lengths, axis=0)
    features += 0.3 * 5 * random.standard_normal(features.shape) / 8
    bounds = np.cumsum([0, *lengths])
    spans = find_syllables(features.astype(np.float32))
    assert spans.tolist() == [list(pair) for pair in pairwise(bounds.tolist())]


def test_silence_and_nothing_have_no_syllables() -> None:
    for features in (np.zeros((0, 8)), np.zeros((1, 8)), np.zeros((50, 8))):
        assert find_syllables(features.astype(np.float32)).shape == (0, 2)


def test_frames_of_zeros_can_be_compared() -> None:
    spans = find_syllables(np.zeros((20, 8), np.float32), norm_threshold=0.0)
    assert spans[0, 0] == 0
    assert spans[-1, 1] == 20
