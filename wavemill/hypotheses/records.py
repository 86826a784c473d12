"""Hypothesis, Utterance and Correction: what travels here, and how it lies in Arrow.

An *utterance* is a sample with what a recognizer may have heard in it: its *hypotheses*, the best
first. A *correction* is what was made of one utterance's hypotheses by anything: a model, a vote, a
rescoring.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wavemill.records import to_json

# Flags of corrections: why an answer was not taken as it is. They are part of the data format.
REFUSED = "refused"
CHATTER = "chatter"
EMPTY_ANSWER = "empty"
LENGTH = "length"
FAR = "far-from-hypotheses"
UNANSWERED = "unanswered"
UNHEARD = "unheard"


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One thing that may have been said."""

    text: str
    """Normalised (`normalize.py`)."""
    score: float
    """Mean log-probability: the sum over tokens, divided by one more than their number. Scores of
    one recognizer compare with each other, those of two do not."""
    raw: str = ""
    """As the recognizer wrote it."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A sample, and its hypotheses."""

    id: str
    """The sample's key, by which its audio is found."""
    recording_id: str
    hypotheses: tuple[Hypothesis, ...]
    """Distinct, the best first. There may be fewer than were asked for: see `is_short`."""
    is_short: bool = False
    """Whether there are fewer distinct ones than were asked for; none is ever repeated."""
    reference: str | None = None
    """What was said, normalised; None where it is not known."""
    reference_raw: str | None = None
    """As it was given."""
    duration_seconds: float | None = None
    """None of what came from text alone."""
    language: str | None = None
    speaker: str | None = None
    split: str = "train"
    """`train`, `validation` or `test`."""
    custom: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The text of the first hypothesis; empty if there is none."""
        return self.hypotheses[0].text if self.hypotheses else ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The hypotheses' texts, the best first."""
        return tuple(hypothesis.text for hypothesis in self.hypotheses)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What was made of an utterance's hypotheses."""

    id: str
    """The utterance's."""
    text: str
    """What is taken; the first hypothesis where the answer was not fit to be."""
    answer: str | None = None
    """What came back, where it was not taken as it is."""
    flags: tuple[str, ...] = ()
    """Why it was not."""


HYPOTHESIS_TYPE = pa.struct(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
    ]
)

UTTERANCE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("hypotheses", pa.list_(HYPOTHESIS_TYPE), nullable=False),
        pa.field("is_short", pa.bool_(), nullable=False),
        pa.field("reference", pa.string()),
        pa.field("reference_raw", pa.string()),
        pa.field("duration_seconds", pa.float64()),
        pa.field("language", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("custom", pa.string(), nullable=False),
    ]
)
"""`custom` is JSON: its fields have no fixed types."""

CORRECTION_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("answer", pa.string()),
        pa.field("flags", pa.list_(pa.string()), nullable=False),
    ]
)


def utterance_row(utterance: Utterance) -> dict[str, Any]:
    """Turn an utterance into a row of `UTTERANCE_SCHEMA`."""
    row = {name: getattr(utterance, name) for name in UTTERANCE_SCHEMA.names}
    row["hypotheses"] = [vars(hypothesis) for hypothesis in utterance.hypotheses]
    row["custom"] = to_json(dict(utterance.custom))
    return row


def utterance_from_row(row: Mapping[str, Any]) -> Utterance:
    """Turn a row of `UTTERANCE_SCHEMA` back into an utterance."""
    hypotheses = tuple(Hypothesis(**fields) for fields in row["hypotheses"])
    return Utterance(**{**row, "hypotheses": hypotheses, "custom": json.loads(row["custom"])})


def correction_row(correction: Correction) -> dict[str, Any]:
    """Turn a correction into a row of `CORRECTION_SCHEMA`."""
    return {**vars(correction), "flags": list(correction.flags)}


def correction_from_row(row: Mapping[str, Any]) -> Correction:
    """Turn a row of `CORRECTION_SCHEMA` back into a correction."""
    return Correction(**{**row, "flags": tuple(row["flags"])})
