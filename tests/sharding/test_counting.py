"""Ids are counted the same way with torch and without it."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sharding.drawn import stream
from wavemill.pipelines.tokenize import npy_bytes
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
    with_torch = count(facts, arrays)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "torch")
        assert count(facts, arrays) == with_torch == expected


def test_an_id_out_of_range_is_refused() -> None:
    facts = stream("codec", 50.0, 8, 1024)
    codes = np.full((1, 8), 1023, np.uint16)
    codes[0, 7] = 1024
    with pytest.raises(ValueError, match="id 1024 of codec is out of range"):
        count(facts, [codes])
