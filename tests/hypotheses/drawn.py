"""Utterances that hypothesis draws, and folders of them."""

import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from wavemill.hypotheses.folder import FACTS, FORMAT, HypothesesFolder, part_name, write_part
from wavemill.hypotheses.records import Hypothesis, Utterance

WORDS = st.lists(st.sampled_from(["the", "a", "cat", "sat", "on", "mat", "and", "ran"]), max_size=6)
TEXTS = WORDS.map(" ".join)
HYPOTHESES = st.lists(TEXTS, min_size=1, max_size=5, unique=True).map(
    lambda texts: tuple(
        Hypothesis(text=text, score=-float(rank), raw=text.upper())
        for rank, text in enumerate(texts)
    )
)
UTTERANCES = st.builds(
    Utterance,
    id=st.uuids().map(str),
    recording_id=st.sampled_from(["one", "two", "three"]),
    hypotheses=HYPOTHESES,
    is_short=st.booleans(),
    reference=WORDS.filter(bool).map(" ".join),
    duration_seconds=st.floats(0.1, 30),
    language=st.sampled_from([None, "en", "fr"]),
    speaker=st.sampled_from([None, "anna", "bo"]),
    split=st.sampled_from(["train", "validation", "test"]),
    custom=st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)


def make_folder(utterances: Sequence[Utterance], at: Path) -> HypothesesFolder:
    """Write a folder of utterances, and open it."""
    at.mkdir(parents=True, exist_ok=True)
    write_part(str(at / part_name(0)), utterances)
    content = {"format": FORMAT, "parts": [{"name": part_name(0)}]}
    (at / FACTS).write_text(json.dumps(content), encoding="utf-8")
    return HypothesesFolder.open(str(at))
