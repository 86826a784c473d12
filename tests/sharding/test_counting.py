"""Ids are counted the same by numpy, by torch and by the compiled loop."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sharding.drawn import stream
from wavemill.packages import is_installed
from wavemill.pipelines.tokenize import npy_bytes
from wavemill.sharding import counting
from wavemill.sharding.counting import IdCounter
from wavemill.tokenizers.base import Codes, TokenizerFacts

SIZES = st.sampled_from(
    [(1, 256), (8, 1024), (16, 1024), (32, 1024), (1, 16_384), (33, 1024), (3, 65_536)]
)


def draw(facts: TokenizerFacts, length: int, seed: int) -> Codes:
    shape = (length, facts.num_codebooks)
    return np.random.default_rng(seed).integers(0, facts.codebook_size, shape, facts.dtype)


def count(facts: TokenizerFacts, arrays: list[Codes]) -> list[list[int]]:
    counter = IdCounter(facts)
    for part in (arrays[:1], arrays[1:]):
        counter.add([memoryview(npy_bytes(codes)) for codes in part], list(map(len, part)))
    counts: list[list[int]] = counter.counts().tolist()
    return counts


@given(size=SIZES, lengths=st.lists(st.integers(0, 9000), max_size=4), seed=st.integers(0, 99))
def test_counts_are_those_of_each_codebook(
    size: tuple[int, int], lengths: list[int], seed: int
) -> None:
    facts = stream("codec", 50.0, *size)
    arrays = [draw(facts, length, seed + number) for number, length in enumerate(lengths)]
    codes = np.concatenate([np.zeros((0, size[0]), facts.dtype), *arrays])
    expected = [np.bincount(column, minlength=size[1]).tolist() for column in codes.T]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdCounter, "counted", 0)
        assert count(facts, arrays) == expected
        patch.delitem(sys.modules, "torch")
        assert count(facts, arrays) == expected
        patch.setattr(counting, "LOADING_PAYS", -1)
        assert count(facts, arrays) == expected


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The modules that counting looks for; a process that has counted nothing, and soon much."""
    asked: list[str] = []

    def look_for(name: str) -> bool:
        asked.append(name)
        return is_installed(name)

    monkeypatch.setattr(counting, "is_installed", look_for)
    monkeypatch.setattr(counting, "LOADING_PAYS", 10_000)
    monkeypatch.setattr(IdCounter, "counted", 0)
    counting._compiled_loop.cache_clear()
    yield asked
    counting._compiled_loop.cache_clear()


def test_the_loop_is_loaded_once_much_was_counted(loads: list[str]) -> None:
    facts = stream("codec", 50.0, 8, 1024)
    codes = draw(facts, 1000, 0)
    counted = count(facts, [codes])
    assert (IdCounter.counted, loads) == (8000, [])
    assert count(facts, [codes]) == counted
    assert count(facts, [codes]) == counted
    assert (IdCounter.counted, loads) == (24_000, ["numba"])


def test_without_numba_counting_goes_on(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    facts = stream("codec", 50.0, 8, 1024)
    codes = draw(facts, 1000, 0)
    counted = count(facts, [codes])
    monkeypatch.setattr(counting, "is_installed", lambda _: False)
    assert count(facts, [codes]) == counted
    assert count(facts, [codes]) == counted
    assert loads == []


def test_an_id_out_of_range_is_refused() -> None:
    facts = stream("codec", 50.0, 8, 1024)
    codes = np.full((1, 8), 1023, np.uint16)
    codes[0, 7] = 1024
    with pytest.raises(ValueError, match="id 1024 of codec is out of range"):
        count(facts, [codes])
