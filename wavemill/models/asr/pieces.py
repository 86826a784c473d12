"""Word pieces: a unigram model (https://arxiv.org/abs/1804.10959) of the `tokenizers` library.

A vocabulary is the library's own JSON: pieces and their log probabilities, nothing that runs.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from wavemill.errors import JobError, UsageError
from wavemill.models.asr.text import normalize
from wavemill.packages import require

UNKNOWN = "<unk>"
MIN_PIECES, MAX_PIECES = 8, 100_000


class Pieces:
    """The pieces of a vocabulary; a text with a character that is in none loses it."""

    def __init__(self, content: str) -> None:
        """Read a vocabulary.

        Raises:
            UsageError: it is none.

        """
        library = _library()
        try:
            kind = json.loads(content)["model"]["type"]
            self._model = library.Tokenizer.from_str(content)
        except Exception as error:  # the library raises bare `Exception`
            raise UsageError(f"vocabulary: it cannot be read ({error})") from error
        self._unknown = self._model.token_to_id(UNKNOWN)
        if kind != "Unigram" or self._unknown is None:
            raise UsageError(
                f"vocabulary: it is a {kind} model; make one with `wavemill fit pieces`"
            )
        self.size = self._model.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Spell a plain text."""
        return [one for one in self._model.encode(text).ids if one != self._unknown]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text."""
        known = [one for one in ids if one != self._unknown]
        return " ".join(str(self._model.decode(known)).split())


def fit_pieces(texts: Iterable[str], size: int) -> str:
    """Fit a vocabulary to texts, and return its content.

    Args:
        texts: are made plain first.
        size: how many pieces there are to be at most.

    Raises:
        JobError: there is no text.
        UsageError: the size is out of range.

    """
    if not MIN_PIECES <= size <= MAX_PIECES:
        raise UsageError(f"--size {size}: give {MIN_PIECES} to {MAX_PIECES}")
    library = _library()
    plain = [text for text in map(normalize, texts) if text]
    if not plain:
        raise JobError("there is no text to fit pieces to; give a manifest that has texts")
    model = library.Tokenizer(library.models.Unigram())
    model.pre_tokenizer = library.pre_tokenizers.Metaspace()
    model.decoder = library.decoders.Metaspace()
    trainer = library.trainers.UnigramTrainer(
        vocab_size=size, unk_token=UNKNOWN, special_tokens=[UNKNOWN], show_progress=False
    )
    model.train_from_iterator(plain, trainer)
    return _in_order(str(model.to_str()))


def _in_order(content: str) -> str:
    """Put pieces of equal probability in one order, and round: the library draws both anew."""
    whole = json.loads(content)
    rounded = [(piece, round(score, 6)) for piece, score in whole["model"]["vocab"]]
    rounded.sort(key=lambda pair: (pair[0] != UNKNOWN, -pair[1], pair[0]))
    whole["model"] |= {"vocab": rounded, "unk_id": 0}
    return json.dumps(whole, ensure_ascii=False)


def _library() -> Any:
    return require("tokenizers", "asr", "a vocabulary of word pieces")
