"""Turn a unit's segments into hypotheses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from wavemill.digest import digest_number
from wavemill.errors import RejectedError
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.recognizers import Recognizer, Request, distinct
from wavemill.hypotheses.records import HYPOTHESIS_TYPE, Hypothesis, Utterance
from wavemill.pipelines import whereabouts
from wavemill.pipelines.hypotheses.conditions import Room
from wavemill.pipelines.tokenize import read_clip
from wavemill.records import SEGMENT_SCHEMA
from wavemill.spool import UnitReader

HEARD_SCHEMA = pa.schema(
    [
        pa.field("hypotheses", pa.list_(HYPOTHESIS_TYPE)),
        *(SEGMENT_SCHEMA.field(f"reject_{name}") for name in ("reason", "detail", "source")),
    ]
)
"""One row a row of the unit's segments, in the same order; null of rejects."""

SAID = ("id", "recording_id", "num_samples", "sample_rate", "text", "language", "speaker", "custom",
        "reject_reason")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What hears, and how."""

    recognizer: Recognizer
    normalizer: Normalizer
    room: Room
    count: int
    language: str | None
    """Of segments that do not say theirs."""
    seed: int

    def hear(self, segments: UnitReader, index: int) -> dict[str, Any]:
        """Return a row of `HEARD_SCHEMA` of one segment."""
        about = segments.row(index, ("id", "language"))
        language = about["language"] or self.language
        request = Request(
            count=self.count, language=language, seed=digest_number([self.seed, about["id"]])
        )
        rate = self.recognizer.facts.sample_rate
        clip = self.room(read_clip(segments, index, rate), about["id"])
        try:
            heard = self.recognizer.hear(clip, request)
            found = distinct(heard, lambda text: self.normalizer(text, language), self.count)
        except RejectedError as error:
            return {"reject_reason": error.reason, "reject_detail": error.detail}
        return {"hypotheses": [vars(one) for one in found]}


def recognize_unit(segments: UnitReader, hearing: Hearing) -> Iterator[dict[str, Any]]:
    """Yield a row of `HEARD_SCHEMA` for every row of the segments, in their order."""
    for index in range(len(segments)):
        about = segments.row(index, ("id", "reject_reason"))
        if about["reject_reason"] is not None:
            yield {}
            continue
        whereabouts.note(f"the recognizer {hearing.recognizer.facts.name}, segment {about['id']}")
        yield hearing.hear(segments, index)


def utterances_of(
    segments: UnitReader,
    heard: UnitReader,
    normalizer: Normalizer,
    count: int,
    language: str | None,
) -> Iterator[Utterance]:
    """Yield the utterances of a unit, without their splits.

    Args:
        segments: of the unit.
        heard: rows of `HEARD_SCHEMA`.
        normalizer: of references.
        count: how many hypotheses were asked for.
        language: of segments that do not say theirs.

    """
    lists = heard.column("hypotheses")
    refused = heard.column("reject_reason")
    for index, (hypotheses, reason) in enumerate(zip(lists, refused, strict=True)):
        row = segments.row(index, SAID)
        if reason is not None or row["reject_reason"] is not None:
            continue
        spoken = row["language"] or language
        yield Utterance(
            id=row["id"],
            recording_id=row["recording_id"],
            hypotheses=tuple(Hypothesis(**fields) for fields in hypotheses),
            is_short=len(hypotheses) < count,
            reference=None if row["text"] is None else normalizer(row["text"], spoken),
            reference_raw=row["text"],
            duration_seconds=row["num_samples"] / row["sample_rate"],
            language=spoken,
            speaker=row["speaker"],
            custom=json.loads(row["custom"]),
        )
