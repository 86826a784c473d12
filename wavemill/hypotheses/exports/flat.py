"""A Parquet file with a plain row an utterance: a list of texts and one of scores."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from wavemill.hypotheses.folder import write_rows
from wavemill.hypotheses.records import Utterance

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("input", pa.list_(pa.string()), nullable=False),
        pa.field("score", pa.list_(pa.float64()), nullable=False),
        pa.field("output", pa.string()),
        pa.field("is_short", pa.bool_(), nullable=False),
        pa.field("speaker", pa.string()),
        pa.field("language", pa.string()),
        pa.field("duration", pa.float64()),
    ]
)
"""`input` and `output` are HyPoradise's names; `duration` is in seconds."""


def write(url: str, utterances: Iterable[Utterance]) -> int:
    """Write utterances in their order, atomically; return how many."""
    return write_rows(url, SCHEMA, map(_row, utterances))


def _row(one: Utterance) -> dict[str, Any]:
    return {
        "id": one.id,
        "split": one.split,
        "input": list(one.texts),
        "score": [hypothesis.score for hypothesis in one.hypotheses],
        "output": one.reference,
        "is_short": one.is_short,
        "speaker": one.speaker,
        "language": one.language,
        "duration": one.duration_seconds,
    }
