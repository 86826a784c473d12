"""Cut recordings into segments: one pass over a file, however many spans are cut from it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from wavemill.audio import open_recording
from wavemill.digest import digest
from wavemill.errors import RejectedError
from wavemill.pipelines.cut import TOLERANCE_SECONDS, AudioForm, Cut, cut_file
from wavemill.pipelines.segmenters.base import Segmenter
from wavemill.records import (
    NO_SEGMENTS,
    OFFSET_PAST_END,
    SHORTER_THAN_STATED,
    Recording,
    Reject,
    Segment,
    Span,
    to_json,
)

STAGE = "segment"


def segment_unit(
    recordings: Iterable[Recording], segmenter: Segmenter, form: AudioForm
) -> Iterator[Segment | Reject]:
    """Cut a unit's recordings; yields what came of each, in an order that depends on them alone."""
    by_file = groupby(recordings, key=lambda recording: (recording.url, recording.byte_offset))
    for _, group in by_file:
        yield from _segment_file(list(group), segmenter, form)


def _segment_file(
    recordings: Sequence[Recording], segmenter: Segmenter, form: AudioForm
) -> Iterator[Segment | Reject]:
    """Cut the recordings of one file; nothing of a broken file comes through."""
    opened = partial(open_recording, recordings[0])
    chosen: list[tuple[Recording, Iterable[Span]]] = []
    for recording in recordings:
        try:
            chosen.append((recording, segmenter.spans(recording, opened)))
        except RejectedError as error:  # no speech, say: it concerns this recording alone
            yield _reject(recording, error)
    try:
        if chosen:
            with opened() as stream:
                total, cuts = cut_file(stream, chosen, form)
    except RejectedError as error:
        for recording, _ in chosen:
            yield _reject(recording, error)
        return
    for number, (recording, spans) in enumerate(chosen):
        judge = _Judge(recording, total / stream.info.sample_rate, segmenter)
        yield from judge.results(cuts[number], spans, form.sample_rate or stream.info.sample_rate)


@dataclass(frozen=True)
class _Judge:
    """Says what became of one recording once its file's length is known."""

    recording: Recording
    total_seconds: float
    segmenter: Segmenter

    def results(
        self, cuts: Sequence[Cut], spans: Iterable[Span], sample_rate: int
    ) -> Iterator[Segment | Reject]:
        """Turn cuts into segments, and what could not be cut into rejects."""
        stated = self.segmenter.stated
        try:
            _check_statements(self.recording, self.total_seconds)
            _check_found(self.segmenter, cuts, self.total_seconds)
        except RejectedError as error:
            yield _reject(self.recording, error)
            return
        past = self._past_the_end(spans) if stated else {}
        yield from past.values()
        for cut in cuts:
            if cut.index in past or (cut.is_empty and not stated):
                continue  # what remains of a window after its last whole piece may be no sample
            if cut.error:
                yield replace(_reject(self.recording, cut.error), id=self._id(cut.span, cut.index))
                continue
            span = cut.span
            if not stated and len(cuts) == 1:  # in one piece: its text still holds
                span = self.recording.window
            yield Segment(
                id=self._id(cut.span, cut.index),
                recording_id=self.recording.id,
                start_seconds=cut.start_seconds,
                num_samples=cut.num_samples,
                sample_rate=sample_rate,
                num_channels=cut.num_channels,
                text=span.text,
                language=span.language,
                speaker=span.speaker,
                custom=span.custom,
                audio=cut.audio,
            )

    def _id(self, span: Span, index: int) -> str:
        if span is self.recording.window or not self.segmenter.numbered:
            return self.recording.id
        return f"{self.recording.id}@{index:04d}"

    def _past_the_end(self, spans: Iterable[Span]) -> dict[int, Reject]:
        """Reject the spans that the input states and the file does not hold."""
        past = {}
        for index, span in enumerate(spans):
            if span is self.recording.window and not self.recording.explicit_window:
                continue  # a rounded duration; `_check_statements` has judged it
            end = span.start_seconds + (span.duration_seconds or 0.0)
            if (
                span.start_seconds >= self.total_seconds
                or end > self.total_seconds + TOLERANCE_SECONDS
            ):
                words = f"{span.start_seconds:g} to {end:g} s lies outside"
                error = RejectedError(
                    OFFSET_PAST_END, f"{words} the file's {self.total_seconds:.3f} s"
                )
                past[index] = replace(_reject(self.recording, error), id=self._id(span, index))
        return past


def _check_found(segmenter: Segmenter, cuts: Sequence[Cut], total_seconds: float) -> None:
    if not segmenter.stated and not cuts:
        raise RejectedError(NO_SEGMENTS, f"nothing to cut in {total_seconds:.2f} s")


def _check_statements(recording: Recording, total_seconds: float) -> None:
    window = recording.window
    end = window.start_seconds + (window.duration_seconds or 0.0)
    slack = max(TOLERANCE_SECONDS, 0.01 * (window.duration_seconds or 0.0))
    if recording.explicit_window:
        if window.start_seconds >= total_seconds or end > total_seconds + TOLERANCE_SECONDS:
            raise RejectedError(
                OFFSET_PAST_END,
                f"the row wants {window.start_seconds:g} to {end:g} s,"
                f" the file ends at {total_seconds:.3f} s",
            )
    elif end > total_seconds + slack:
        raise RejectedError(
            SHORTER_THAN_STATED,
            f"the row states {end:g} s, the file holds {total_seconds:.3f} s;"
            " correct the row or fetch the file again",
        )


def _reject(recording: Recording, error: RejectedError) -> Reject:
    return Reject(
        id=recording.id,
        stage=STAGE,
        reason=error.reason,
        detail=error.detail,
        source=recording.source,
    )


def segment_row(result: Segment | Reject) -> dict[str, Any]:
    """Turn a result into a row of `SEGMENT_SCHEMA`."""
    if isinstance(result, Reject):
        return {
            "id": result.id,
            "recording_id": result.id.split("@", 1)[0],
            "start_seconds": 0.0,
            "num_samples": 0,
            "sample_rate": 0,
            "num_channels": 0,
            "num_audio_bytes": 0,
            "custom": "{}",
            "reject_reason": result.reason,
            "reject_detail": result.detail,
            "reject_source": result.source,
        }
    row = {
        name: getattr(result, name)
        for name in ("id", "recording_id", "start_seconds", "num_samples", "sample_rate",
                     "num_channels", "text", "language", "speaker", "audio")
    }  # fmt: skip
    return {
        **row,
        "custom": to_json(dict(result.custom)),
        "num_audio_bytes": len(result.audio),
        # The same samples give the same FLAC, so this finds exact duplicates.
        "audio_digest": int(digest(result.audio), 16),
    }


__all__ = ["STAGE", "AudioForm", "segment_row", "segment_unit"]
