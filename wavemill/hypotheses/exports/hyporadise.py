"""The JSON of HyPoradise: https://arxiv.org/abs/2309.15701.

A file is one list. A row of the data form is {"input": [hypotheses], "output": reference}, some
with `id`, `score` or `am_score`; one of the trainer's form has `input1`, the best with a full stop,
and `input2`, the others, each with a full stop and a blank; one that has these two in it cannot be
told from two. The published files repeat hypotheses where there were too few; here each is kept
once, and the row is marked.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wavemill import storage
from wavemill.errors import DatasetError
from wavemill.hypotheses.records import Correction, Hypothesis, Utterance

SCORES = ("score", "am_score")
SPLIT = "test"
"""Of what is read: the files do not say."""
_KNOWN = {"id", "input", "output", "input1", "input2", *SCORES}


@dataclass(frozen=True)
class HyporadiseFile:
    """A published file, read as a folder of hypotheses without corrections is."""

    url: str

    def utterances(self, *splits: str) -> Iterator[Utterance]:
        """Yield its rows; all are of the split `test`.

        Raises:
            DatasetError: it is none, or a row is not of its form.

        """
        if not splits or SPLIT in splits:
            yield from read(self.url)

    def corrections(self) -> list[str]:
        """Return no name: it holds none."""
        return []

    def read_corrections(self, name: str) -> Iterator[Correction]:
        """Raise, as there are none."""
        raise KeyError(name)

    def correction_facts(self, name: str) -> Mapping[str, Any]:
        """Raise, as there are none."""
        raise KeyError(name)


def read(url: str) -> Iterator[Utterance]:
    """Yield the rows of a file of either form, in their order.

    Scores are those that are published, else 0. Fields that are not known here go to `custom`.

    Raises:
        DatasetError: it is not such a file, or a row is not of its form.

    """
    try:
        rows = json.loads(storage.read_bytes(url))
    except ValueError as error:
        raise DatasetError(f"{url} is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise DatasetError(f'{url} is no list of {{"input": [...], "output": ...}}')
    stem = url.rpartition("/")[2].removesuffix(".json")
    for number, row in enumerate(rows):
        try:
            yield _utterance(row, f"{stem}-{number:06d}")
        except (KeyError, TypeError, ValueError) as error:
            words = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise DatasetError(
                f"row {number} of {url} is not of HyPoradise's form: {words}"
            ) from error


def _utterance(row: Mapping[str, Any], name: str) -> Utterance:
    texts = _texts(row)
    scores = next((row[key] for key in SCORES if key in row), [0.0] * len(texts))
    if not isinstance(row["output"], str | None):
        raise TypeError("its output is no text")
    best: dict[str, float] = {}
    for text, score in zip(texts, scores, strict=True):
        best.setdefault(text.strip(), float(score))
    name = str(row.get("id", name))
    return Utterance(
        id=name,
        recording_id=name,
        hypotheses=tuple(
            Hypothesis(text=text, score=score, raw=text) for text, score in best.items()
        ),
        is_short=len(best) < len(texts),
        reference=row["output"],
        reference_raw=row["output"],
        split=SPLIT,
        custom={key: value for key, value in row.items() if key not in _KNOWN},
    )


def _texts(row: Mapping[str, Any]) -> list[str]:
    """Return the hypotheses of a row of either form, the best first."""
    texts = row["input"] if "input" in row else [row["input1"], row["input2"]]
    if not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        raise TypeError("its hypotheses are no list of texts")
    if "input" in row:
        return texts
    texts = [texts[0], *texts[1].split(". ")]
    return [text.strip().removesuffix(".") for text in texts if text.strip()]


def write(url: str, utterances: Iterable[Utterance], *, trainer: bool = False) -> int:
    """Write utterances as one list, a row a line, in their order; none is padded with repeats.

    Args:
        url: of the file.
        utterances: those without a reference or a hypothesis are left out: the form has none.
        trainer: the trainer's form.

    Returns:
        How many rows there are.

    """
    written = 0

    def lines() -> Iterator[str]:
        nonlocal written
        before = "["
        for one in utterances:
            if one.reference is not None and one.hypotheses:
                yield before
                row = json.dumps(_row(one, trainer=trainer), ensure_ascii=False)
                before, written = f"{row},", written + 1
        yield before.removesuffix(",")
        yield "]"

    storage.write_text(url, lines())
    return written


def _row(utterance: Utterance, *, trainer: bool) -> dict[str, Any]:
    if trainer:
        best, *others = utterance.texts
        return {
            "input1": f"{best}.",
            "input2": "".join(f"{text}. " for text in others),
            "output": utterance.reference,
        }
    return {
        "id": utterance.id,
        "input": list(utterance.texts),
        "output": utterance.reference,
        "score": [hypothesis.score for hypothesis in utterance.hypotheses],
    }
