"""Cut recordings into segments: one pass over a file, however many spans are cut from it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from wavemill.audio import open_recording
from wavemill.digest import digest_number
from wavemill.errors import RejectedError
from wavemill.pipelines import whereabouts
from wavemill.pipelines.cut import TOLERANCE_SECONDS, AudioForm, Cut, cut_file
from wavemill.pipelines.measures import count_characters
from wavemill.pipelines.segmenters.base import Segmenter, whole_of
from wavemill.records import (
    INVALID_ROW,
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
    whereabouts.note(f"the recording {recordings[0].id} ({recordings[0].source})")
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
        """Turn cuts into segments, and what could not be cut into rejects; one at least comes."""
        stated = self.segmenter.stated
        # What remains of a window after its last whole piece may be no sample.
        kept = [cut for cut in cuts if stated or not cut.is_empty]
        try:
            _check_statements(self.recording, self.total_seconds)
            problems = self._problems(spans, cuts) if stated else {}
            self._check_found(kept or problems)
        except RejectedError as error:
            yield _reject(self.recording, error)
            return
        yield from problems.values()
        for cut in kept:
            if cut.index in problems:
                continue
            if cut.error:
                yield replace(_reject(self.recording, cut.error), id=self._id(cut.span, cut.index))
            else:
                yield self._segment(cut, sample_rate, alone=len(kept) == 1)

    def _segment(self, cut: Cut, sample_rate: int, *, alone: bool) -> Segment:
        span = cut.span
        assert cut.measures is not None
        if alone and not self.segmenter.stated:  # in one piece: its text still holds
            span = whole_of(self.recording, cut.start_seconds)
        return Segment(
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
            measures=cut.measures,
        )

    def _id(self, span: Span, index: int) -> str:
        if span is self.recording.window or not self.segmenter.numbered:
            return self.recording.id
        return f"{self.recording.id}@{index:04d}"

    def _problems(self, spans: Iterable[Span], cuts: Sequence[Cut]) -> dict[int, Reject]:
        """Reject the spans of the input that make no sense, or that the file does not hold."""
        begun = {cut.index for cut in cuts}
        found: dict[int, Reject] = {}
        for index, span in enumerate(spans):
            rounded = span is self.recording.window and not self.recording.explicit_window
            end = span.start_seconds + (span.duration_seconds or 0.0)
            if span.problem is not None:
                error = RejectedError(INVALID_ROW, span.problem)
            elif rounded:
                continue  # `_check_statements` has judged it
            elif index not in begun or end > self.total_seconds + TOLERANCE_SECONDS:
                words = f"{span.start_seconds:g} to {end:g} s lies outside"
                words = f"{words} the file's {self.total_seconds:.3f} s"
                error = RejectedError(OFFSET_PAST_END, words)
            else:
                continue
            found[index] = replace(_reject(self.recording, error), id=self._id(span, index))
        return found

    def _check_found(self, found: object) -> None:
        window = self.recording.window
        length = window.duration_seconds if self.recording.explicit_window else None
        length = self.total_seconds - window.start_seconds if length is None else length
        if not found:
            words = f"nothing to cut out of {length:g} s; give the row a longer window"
            raise RejectedError(NO_SEGMENTS, words)


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
        **vars(result.measures),
        "num_characters": count_characters(result.text),
        "custom": to_json(dict(result.custom)),
        "num_audio_bytes": len(result.audio),
        # The same samples give the same FLAC, so this finds exact duplicates.
        "audio_digest": digest_number(result.audio),
    }


__all__ = ["STAGE", "AudioForm", "segment_row", "segment_unit"]
