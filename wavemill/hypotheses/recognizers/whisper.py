"""`whisper`: OpenAI's Whisper as CTranslate2 runs it, in the format of faster-whisper.

Radford et al., https://arxiv.org/abs/2212.04356. A hub's name (`Systran/faster-whisper-base`) or a
folder with `model.bin`. As HyPoradise does, a wide beam is searched and the best texts that differ
are kept (https://arxiv.org/abs/2309.15701); or texts are drawn, with `samples=` and `temperature=`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from wavemill.digest import digest
from wavemill.errors import RejectedError, UsageError
from wavemill.hypotheses.recognizers.base import Clip, RecognizerFacts, Request, in_pieces
from wavemill.models.asr.hypotheses import Transcript
from wavemill.packages import require
from wavemill.records import RECOGNIZER_FAILED
from wavemill.specs import check_range
from wavemill.tokenizers.checkpoints import find_model
from wavemill.tokenizers.converted_whisper import load_converted
from wavemill.tokenizers.device import PlaceSettings

VERSION = 1
"""Goes up when the same audio and settings would give other hypotheses."""
SAMPLE_RATE = 16_000
WINDOW_SECONDS = 30.0
MOST_TOKENS = 448
"""Of a window's text, with what stands before it."""
EXTRA = "hypotheses"
WHAT = "recognizer whisper"
CONVERT = (
    "; ct2-transformers-converter makes one of a model of transformers, which --recognizer"
    " transformers takes as it is"
)


@dataclass(frozen=True, kw_only=True)
class WhisperConfig(PlaceSettings):
    """Where the model is, and how texts are searched."""

    model: str
    """A folder, or a name on the hub."""
    beam: int = 50
    """Texts that are searched at once; all of them may become hypotheses."""
    samples: int = 0
    """Texts that are drawn instead, if any."""
    temperature: float = 1.0
    """Of what is drawn."""
    topk: int = 0
    """Tokens of which one is drawn; 0 is all."""
    language: str | None = None
    """Code of what is spoken where nothing else says it; detected if left out."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range("beam", self.beam, 1, 1000)
        check_range("samples", self.samples, 0, 1000)
        check_range("temperature", self.temperature, 0.01, 10)
        check_range("topk", self.topk, 0, 100_000)


class WhisperRecognizer:
    """Hears what Whisper was trained on: some hundred languages, or English alone."""

    packages: ClassVar[tuple[str, ...]] = ("ctranslate2", "tokenizers", "transformers")
    extra: ClassVar[str] = EXTRA
    weights: ClassVar[str] = "a folder or the hub"

    def __init__(self, config: WhisperConfig) -> None:
        """Load the model.

        Raises:
            UsageError: it cannot be had, or is no Whisper for CTranslate2.

        """
        folder = Path(find_model(config.model, WHAT))
        place = config.place(WHAT)
        self._package = require("ctranslate2", EXTRA, WHAT)
        self._folder, self._place = folder, place
        self._model = self._load()
        self._tokenizer = _tokenizer(folder)
        package = require("transformers", EXTRA, WHAT)
        self._extractor: Any = package.WhisperFeatureExtractor(feature_size=self._model.n_mels)
        self._config = config
        self._token("<|notimestamps|>")
        weights = digest((folder / "model.bin").read_bytes())
        settings: dict[str, Any] = {
            "beam": config.beam,
            "samples": config.samples,
            "language": config.language,
        }
        if config.samples:
            settings |= {"temperature": config.temperature, "topk": config.topk}
        versions = [VERSION, metadata.version("ctranslate2")]
        self.facts = RecognizerFacts(
            name="whisper",
            sample_rate=SAMPLE_RATE,
            digest=digest([*versions, weights, settings, place.digest_parts]),
            draws=bool(config.samples),
        )

    def hear(self, clip: Clip, request: Request) -> Iterator[Transcript]:
        """Yield what may have been said; see `Recognizer`."""
        count = max(self._config.samples or self._config.beam, request.count)
        hear = partial(self._hear_piece, request=request)
        return in_pieces(clip, SAMPLE_RATE, WINDOW_SECONDS, count, hear)

    def _load(self) -> Any:
        return load_converted(self._package, str(self._folder), self._place, WHAT, CONVERT)

    def _hear_piece(self, piece: Clip, request: Request) -> Iterator[Transcript]:
        mel = self._extractor(piece, sampling_rate=SAMPLE_RATE, return_tensors="np").input_features
        view = self._package.StorageView.from_array(np.ascontiguousarray(mel, np.float32))
        try:
            # Encoded once: detecting the language and the search both begin with it.
            encoded = self._model.encode(view)
            prompt = self._prompt(encoded, request.language or self._config.language)
            result = self._generate(encoded, prompt, request)
        except RuntimeError as error:
            raise RejectedError(RECOGNIZER_FAILED, f"whisper: {error}") from error
        found = [
            # CTranslate2 divides by the number of tokens, of which the end is none.
            Transcript(text=self._tokenizer.decode(ids).strip(), log_probability=score * len(ids),
                       units=len(ids))
            for ids, score in zip(result.sequences_ids, result.scores, strict=True)
        ]  # fmt: skip
        yield from sorted(found, key=lambda one: (-one.score, one.text))

    def _generate(self, encoded: Any, prompt: list[int], request: Request) -> Any:
        config, model = self._config, self._model
        how: dict[str, Any] = {"beam_size": config.beam, "num_hypotheses": config.beam}
        if config.samples:
            # CTranslate2 seeds a thread when it first draws, and a model has threads of its own.
            self._package.set_random_seed(request.seed % 2**31)
            model = self._load()
            how = {
                "beam_size": 1,
                "num_hypotheses": config.samples,
                "sampling_topk": config.topk,
                "sampling_temperature": config.temperature,
            }
        return model.generate(
            encoded, [prompt], return_scores=True, length_penalty=1.0, max_length=MOST_TOKENS, **how
        )[0]

    def _prompt(self, encoded: Any, language: str | None) -> list[int]:
        start = ["<|startoftranscript|>"]
        if self._model.is_multilingual:
            start += [self._language(encoded, language), "<|transcribe|>"]
        return [self._token(one) for one in (*start, "<|notimestamps|>")]

    def _language(self, encoded: Any, language: str | None) -> str:
        """Return the token of a language; one that Whisper does not know is detected."""
        token = f"<|{(language or '').lower().replace('_', '-').split('-', 1)[0]}|>"
        if self._tokenizer.token_to_id(token) is not None:
            return token
        return str(self._model.detect_language(encoded)[0][0][0])

    def _token(self, text: str) -> int:
        number = self._tokenizer.token_to_id(text)
        if number is None:
            raise UsageError(f"{WHAT}: tokenizer.json has no {text}: it is not that of the model")
        return int(number)


def _tokenizer(folder: Path) -> Any:
    place = folder / "tokenizer.json"
    package = require("tokenizers", EXTRA, WHAT)
    try:
        json.loads(place.read_bytes())
        return package.Tokenizer.from_file(str(place))
    except OSError as error:
        raise UsageError(
            f"{WHAT}: {folder} has no tokenizer.json; it is that of the model which was converted"
        ) from error
    except Exception as error:  # the package raises bare Exception
        raise UsageError(f"{WHAT}: {place} is damaged: {error}") from error
