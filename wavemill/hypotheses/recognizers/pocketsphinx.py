"""`pocketsphinx`: CMU's recognizer with its English model, which ships in its package.

https://github.com/cmusphinx/pocketsphinx. It runs offline on one core, and errs often: good for
errors to learn from. Hypotheses are paths of a word lattice. The decoder's own answer comes first,
which the N-best search may miss, and whose first is worse (`benchmarks/hypotheses/recognizers.py`).
Scores are those of the N-best search, in nats over words; the answer has its own if the search came
by it, else the highest of the others.

Faint noise is added first: where a recording was cut to digital silence there is nothing like what
the model learnt from, and it hears fewer of the words around.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from wavemill.digest import digest
from wavemill.errors import RejectedError, UsageError
from wavemill.hypotheses.noise import add_noise, white
from wavemill.hypotheses.recognizers.base import Clip, RecognizerFacts, Request, in_pieces
from wavemill.models.asr.hypotheses import Transcript
from wavemill.packages import require
from wavemill.records import RECOGNIZER_FAILED
from wavemill.specs import check_range

VERSION = 2
"""Goes up when the same audio and settings would give other hypotheses."""
SAMPLE_RATE = 16_000
LOOKED_THROUGH = 100
"""Entries of the N-best list in which the decoder's answer is looked for."""
LEAST = math.log(5e-324)
"""Scores are products of likelihoods, which of long audio are less than any number: then this."""


@dataclass(frozen=True, kw_only=True)
class PocketsphinxConfig:
    """Another model than the package's takes `hmm`, `lm` and `dictionary` together."""

    hmm: str | None = None
    """Folder of an acoustic model for 16 kHz."""
    lm: str | None = None
    """File of a language model."""
    dictionary: str | None = None
    """File of pronunciations."""
    chunk_seconds: float = 20.0
    """Longer audio is cut, where it is quietest."""
    floor_db: float = 40.0
    """How far below the audio the noise lies that is added; at 200 there is none to speak of."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range("chunk_seconds", self.chunk_seconds, 1, 120)
        check_range("floor_db", self.floor_db, 0, 200)
        if len({self.hmm is None, self.lm is None, self.dictionary is None}) > 1:
            raise ValueError("give hmm, lm and dictionary together, or none of them")


class PocketsphinxRecognizer:
    """Hears English, or what another model is for."""

    packages: ClassVar[tuple[str, ...]] = ("pocketsphinx",)
    extra: ClassVar[str] = "hypotheses"
    weights: ClassVar[str] = "in the package"

    def __init__(self, config: PocketsphinxConfig) -> None:
        """Load the model.

        Raises:
            UsageError: the package is not installed, or the model cannot be read.

        """
        package = require("pocketsphinx", self.extra, "recognizer pocketsphinx")
        named = {"hmm": config.hmm, "lm": config.lm, "dict": config.dictionary}
        given = {name: path for name, path in named.items() if path is not None}
        try:
            self._decoder: Any = package.Decoder(
                samprate=SAMPLE_RATE, loglevel="FATAL", cmn="batch", **given
            )
            model = [_digest(Path(path)) for path in given.values()]
        except (RuntimeError, OSError) as error:
            raise UsageError(f"recognizer pocketsphinx: cannot read the model: {error}") from error
        self._config = config
        version = metadata.version("pocketsphinx")
        self.facts = RecognizerFacts(
            name="pocketsphinx",
            sample_rate=SAMPLE_RATE,
            digest=digest([VERSION, version, model, config.chunk_seconds, config.floor_db]),
        )

    def hear(self, clip: Clip, request: Request) -> Iterator[Transcript]:
        """Yield what may have been said; see `Recognizer`."""
        draw = np.random.default_rng(0)
        return in_pieces(
            add_noise(clip, white(len(clip), draw), self._config.floor_db),
            SAMPLE_RATE,
            self._config.chunk_seconds,
            2 * request.count,
            self._hear_piece,
        )

    def _hear_piece(self, piece: Clip) -> Iterator[Transcript]:
        pcm = np.rint(np.clip(piece, -1, 1) * 32767).astype("<i2").tobytes()
        try:
            # What it remembers of the clip before would change scores, and now and then the order.
            self._decoder.reinit_feat()
            self._decoder.start_utt()
            self._decoder.process_raw(pcm, full_utt=True)
            self._decoder.end_utt()
            best = self._decoder.hyp()
            found = (_transcript(one) for one in self._decoder.nbest() or () if one and one.hypstr)
            first = list(islice(found, LOOKED_THROUGH))
        except RuntimeError as error:
            raise RejectedError(RECOGNIZER_FAILED, f"pocketsphinx: {error}") from error
        if best is not None and best.hypstr:
            alike = [one for one in first if one.text == best.hypstr] or first
            score = max((one.log_probability for one in alike), default=LEAST)
            yield Transcript(
                text=best.hypstr, log_probability=score, units=len(best.hypstr.split())
            )
        yield from chain(first, found)


def _transcript(one: Any) -> Transcript:
    score = math.log(one.score) if one.score > 0 else LEAST
    return Transcript(text=one.hypstr, log_probability=score, units=len(one.hypstr.split()))


def _digest(path: Path) -> str:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return digest([[file.name, digest(file.read_bytes())] for file in files if file.is_file()])
