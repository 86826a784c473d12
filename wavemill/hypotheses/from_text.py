"""Hypotheses without audio: what a recognizer might have made of texts.

Whatever draws them (`confusions/drawing.py`, `llm_mishearing.py`) is told how wrong its first
hypotheses should be, and what came of it is measured here.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wavemill import storage
from wavemill.digest import digest, digest_number
from wavemill.errors import DatasetError
from wavemill.hypotheses.confusions.calibrate import Wrongness, measure
from wavemill.hypotheses.confusions.pronounce import Pronouncer
from wavemill.hypotheses.normalize import Normalizer
from wavemill.hypotheses.records import Hypothesis, Utterance
from wavemill.pipelines.ingest import read_inputs
from wavemill.records import Recording
from wavemill.specs import check_range

PILOT = 300
"""Texts on which what draws is tuned; chosen by their digests."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """What was said."""

    id: str
    text: str
    """Normalised."""
    raw: str
    language: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, kw_only=True)
class FromTextSettings:
    """How wrong hypotheses should be."""

    count: int = 5
    wer: float = 0.2
    """Edits of words of the first hypotheses, a word that was said."""
    phone_distance: float | None = None
    """The same of phones; None is what real errors of that error rate have."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--n", self.count, 1, 1000)
        check_range("--wer", self.wer, 0, 1)
        check_range("--phone-distance", self.phone_distance, 0, 1)


class Drawing(Protocol):
    """Draws hypotheses of texts."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """`name` and `digest` of what draws, and more for people."""
        ...

    def prepare(self, pilot: Sequence[Text]) -> None:
        """Tune it on some of the texts, before the first is drawn from."""
        ...

    def draw(self, texts: Iterable[Text]) -> Iterator[tuple[Text, tuple[Hypothesis, ...]]]:
        """Yield texts, in their order, with distinct hypotheses, the best first."""
        ...


@dataclass(kw_only=True)
class Measured:
    """How wrong the first hypotheses are, so far."""

    pronouncer: Pronouncer
    edits: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])

    def add(self, said: str, heard: str) -> None:
        """Count an utterance."""
        found = measure([(said, heard)], self.pronouncer)
        words, phones = len(said.split()), len(self.pronouncer.say_all(said))
        more = (found.wer * words, words, found.phone_distance * phones, phones)
        self.edits = [total + one for total, one in zip(self.edits, more, strict=True)]

    @property
    def wrongness(self) -> Wrongness:
        """Of all that was counted."""
        words, of_words, phones, of_phones = self.edits
        return Wrongness(wer=words / max(of_words, 1), phone_distance=phones / max(of_phones, 1))


def read_texts(
    inputs: Sequence[str], normalizer: Normalizer, language: str | None
) -> Iterator[Text]:
    """Yield the texts of inputs that have words; no audio is read.

    Args:
        inputs: files of a text a line (`.txt`), and all that `prepare` takes.
        normalizer: of the texts.
        language: of those that do not say it.

    """
    for url in inputs:
        rows = _lines(url) if url.endswith(".txt") else _rows(url)
        for name, raw, spoken, speaker in rows:
            text = normalizer(raw, spoken or language)
            if any(map(str.isalnum, text)):
                yield Text(
                    id=name, text=text, raw=raw, language=spoken or language, speaker=speaker
                )


Row = tuple[str, str, str | None, str | None]


def _lines(url: str) -> Iterator[Row]:
    stem = url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".txt")
    with storage.open_read(url) as file:
        for number, line in enumerate(file, 1):
            yield f"{stem}-{number:08d}", line.decode("utf-8", "replace").strip(), None, None


def _rows(url: str) -> Iterator[Row]:
    for row in read_inputs([url]):
        if not isinstance(row, Recording):
            continue
        if row.window.text:
            yield row.id, row.window.text, row.window.language, row.window.speaker
        else:
            for number, span in enumerate(row.spans):
                if span.text:
                    yield f"{row.id}-{number:04d}", span.text, span.language, span.speaker


def choose_pilot(texts: Iterable[Text]) -> tuple[list[Text], str]:
    """Choose texts to tune on, and digest all of them.

    Raises:
        DatasetError: there is none.

    """
    chosen: list[tuple[int, int, Text]] = []
    whole, count = "", 0
    for count, text in enumerate(texts, 1):
        whole = digest([whole, text.id, text.text])
        item = (-digest_number([text.id, text.text]), -count, text)
        if len(chosen) < PILOT:
            heapq.heappush(chosen, item)
        else:
            heapq.heappushpop(chosen, item)
    if not count:
        raise DatasetError("the inputs hold no texts; give a .txt file, or a manifest with texts")
    return [text for _, _, text in sorted(chosen, key=lambda item: -item[1])], whole


def utterances(
    drawing: Drawing, texts: Iterable[Text], count: int, measured: Measured
) -> Iterator[Utterance]:
    """Yield utterances of texts.

    Args:
        drawing: that was prepared.
        texts: what was said.
        count: of hypotheses that were asked for.
        measured: takes how wrong they are.

    """
    for text, heard in drawing.draw(texts):
        measured.add(text.text, heard[0].text if heard else "")
        yield Utterance(
            id=text.id,
            recording_id=text.id,
            hypotheses=heard,
            is_short=len(heard) < count,
            reference=text.text,
            reference_raw=text.raw,
            language=text.language,
            speaker=text.speaker,
        )
