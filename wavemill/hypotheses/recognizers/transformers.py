"""`transformers`: any speech model of the transformers package, sequence to sequence or CTC.

Whisper, Moonshine, Speech2Text; wav2vec 2.0, HuBERT, WavLM, Data2Vec. A folder or a name on the hub
with the model and its processor. Of CTC the beam of prefixes is ours (`models/asr/ctc_search.py`).
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from wavemill.digest import digest
from wavemill.errors import RejectedError, UsageError
from wavemill.hypotheses.recognizers.base import Clip, RecognizerFacts, Request, in_pieces
from wavemill.models.asr.ctc_search import prefix_search
from wavemill.models.asr.hypotheses import Transcript
from wavemill.packages import require
from wavemill.records import RECOGNIZER_FAILED
from wavemill.specs import check_range
from wavemill.tokenizers.checkpoints import digest_tensors, find_model, quiet_transformers
from wavemill.tokenizers.device import PlaceSettings

VERSION = 1
"""Goes up when the same audio and settings would give other hypotheses."""
EXTRA = "hypotheses"
WHAT = "recognizer transformers"
LEAST_SECONDS = 0.1
"""Shorter clips are filled up with silence: convolutions need a few hundred samples."""


@dataclass(frozen=True, kw_only=True)
class TransformersConfig(PlaceSettings):
    """Where the model is, and how texts are searched."""

    model: str
    """A folder, or a name on the hub."""
    beam: int = 20
    """Texts that are searched at once; all of them may become hypotheses."""
    samples: int = 0
    """Texts that are drawn instead, if any; not from CTC."""
    temperature: float = 1.0
    """Of what is drawn."""
    max_tokens: int = 256
    """Of a piece's text."""
    language: str | None = None
    """Code of what is spoken where nothing else says it, for a Whisper of many languages."""
    chunk_seconds: float = 30.0
    """Longer audio is cut, where it is quietest."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range("beam", self.beam, 1, 1000)
        check_range("samples", self.samples, 0, 1000)
        check_range("temperature", self.temperature, 0.01, 10)
        check_range("max_tokens", self.max_tokens, 1, 10_000)
        check_range("chunk_seconds", self.chunk_seconds, 1, 3600)


class TransformersRecognizer:
    """Hears what the model was trained on."""

    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = EXTRA
    weights: ClassVar[str] = "a folder or the hub"

    def __init__(self, config: TransformersConfig) -> None:
        """Load the model.

        Raises:
            UsageError: it cannot be had, or is no such model.

        """
        self._package = package = require("transformers", EXTRA, WHAT)
        folder = find_model(config.model, WHAT)
        self._config, self._place = config, config.place(WHAT)
        try:
            with quiet_transformers(package):
                self._is_ctc = _is_ctc(package.AutoConfig.from_pretrained(folder))
                if self._is_ctc and config.samples:
                    raise UsageError(f"{WHAT}: {folder} is a CTC model: nothing can be drawn of it")
                kind = "AutoModelForCTC" if self._is_ctc else "AutoModelForSpeechSeq2Seq"
                self._model = getattr(package, kind).from_pretrained(folder, dtype=torch.float32)
                self._processor = package.AutoProcessor.from_pretrained(folder)
        except (OSError, ValueError, KeyError, ImportError) as error:
            words = str(error).strip().splitlines() or [type(error).__name__]
            raise UsageError(f"{WHAT}: cannot load {folder}: {words[0]}") from error
        self._model.eval().to(config.device)
        self._tokenizer = self._processor.tokenizer
        self._rate = int(self._processor.feature_extractor.sampling_rate)
        self.facts = RecognizerFacts(
            name="transformers",
            sample_rate=self._rate,
            digest=self._digest(),
            draws=bool(config.samples),
        )

    def hear(self, clip: Clip, request: Request) -> Iterator[Transcript]:
        """Yield what may have been said; see `Recognizer`."""
        short = round(LEAST_SECONDS * self._rate) - len(clip)
        clip = np.pad(clip, (0, max(short, 0)))
        count = max(self._config.samples or self._config.beam, request.count)
        hear = partial(self._hear_piece, request=request)
        return in_pieces(clip, self._rate, self._config.chunk_seconds, count, hear)

    def _digest(self) -> str:
        config = self._config
        settings: dict[str, Any] = {
            "beam": config.beam,
            "language": config.language,
            "tokens": config.max_tokens,
        }
        if config.samples:
            settings |= {"samples": config.samples, "temperature": config.temperature}
        weights = digest_tensors(self._model.state_dict())
        model = [weights, self._model.config.to_json_string(), self._tokenizer.get_vocab()]
        version = metadata.version("transformers")
        place = self._place.digest_parts
        return digest([VERSION, version, settings, config.chunk_seconds, place, *model])

    def _hear_piece(self, piece: Clip, request: Request) -> Iterator[Transcript]:
        made = self._processor.feature_extractor(
            piece, sampling_rate=self._rate, return_tensors="pt"
        )
        heard = made[self._model.main_input_name].to(self._config.device)
        try:
            with self._place.running():
                search = self._by_ctc if self._is_ctc else self._by_decoder
                found = search(heard, request)
        except (RuntimeError, IndexError) as error:
            words = str(error).splitlines()[0]
            raise RejectedError(RECOGNIZER_FAILED, f"transformers: {words}") from error
        yield from sorted(found, key=lambda one: (-one.score, one.text))

    def _by_ctc(self, heard: Tensor, request: Request) -> list[Transcript]:
        del request
        scores_TV = self._model(heard).logits[0].float().log_softmax(-1).cpu().numpy()
        blank = self._tokenizer.pad_token_id
        # Ours has the blank last.
        order = [*(unit for unit in range(scores_TV.shape[1]) if unit != blank), blank]
        beam = self._config.beam
        return [
            Transcript(
                text=self._text([order[unit] for unit in one.ids]),
                log_probability=one.log_probability,
                units=len(one.ids),
            )
            for one in prefix_search(scores_TV[:, order], beam=beam, count=beam)
        ]

    def _by_decoder(self, heard: Tensor, request: Request) -> list[Transcript]:
        config, model = self._config, self._model
        how: dict[str, Any] = {"num_beams": config.beam, "num_return_sequences": config.beam,
                               "do_sample": False}  # fmt: skip
        if config.samples:
            how = {"do_sample": True, "num_return_sequences": config.samples, "num_beams": 1,
                   "temperature": config.temperature, "top_k": 0}  # fmt: skip
        prompt = self._prompt(heard, request.language or config.language)
        told = copy.deepcopy(model.generation_config)
        told.forced_decoder_ids = None  # what Whisper's old checkpoints have in place of a prompt
        told.max_length = None
        told.update(max_new_tokens=config.max_tokens, **how)
        with torch.random.fork_rng(devices=[heard.device] if heard.is_cuda else []):
            torch.manual_seed(request.seed % 2**63)
            # Whisper's own `generate` searches window by window, and takes no prompt.
            sequences = self._package.GenerationMixin.generate(
                model,
                heard,
                generation_config=told,
                decoder_input_ids=torch.tensor([prompt], device=heard.device),
            )
        special = {*self._tokenizer.all_special_ids, told.pad_token_id}
        texts = {
            tuple(i for i in ids[len(prompt) :] if i not in special) for ids in sequences.tolist()
        }
        return self._score(heard, prompt, sorted(texts))

    def _score(
        self, heard: Tensor, prompt: Sequence[int], texts: Sequence[tuple[int, ...]]
    ) -> list[Transcript]:
        """Score texts by what the model gives to their tokens, and the end after them."""
        end = self._model.generation_config.eos_token_id
        end = end[0] if isinstance(end, list) else end
        encoder = self._model.get_encoder()(heard)
        found = []
        for ids in texts:
            given = torch.tensor([[*prompt, *ids]], device=heard.device)
            logits_TV = self._model(encoder_outputs=encoder, decoder_input_ids=given).logits[0]
            wanted = torch.tensor([*ids, end], device=heard.device)
            scores_TV = logits_TV[len(prompt) - 1 :].float().log_softmax(-1)
            total = float(scores_TV.gather(1, wanted[:, None]).double().sum())
            text = self._text(list(ids))
            found.append(Transcript(text=text, log_probability=total, units=len(ids)))
        return found

    def _text(self, ids: list[int]) -> str:
        how: dict[str, Any] = {"skip_special_tokens": True}
        if "CTC" in type(self._tokenizer).__name__:  # which would take "ll" for one "l"
            how["group_tokens"] = False
        return str(self._tokenizer.decode(ids, **how)).strip()

    def _prompt(self, heard: Tensor, language: str | None) -> list[int]:
        """Return what stands before the text: a token to begin with, and what Whisper is told."""
        config = self._model.generation_config
        start = config.decoder_start_token_id
        plain = getattr(config, "no_timestamps_token_id", None)
        if plain is None:
            return [start]
        if not getattr(config, "is_multilingual", False):
            return [start, plain]
        code = (language or "").lower().replace("_", "-").split("-", 1)[0]
        spoken = config.lang_to_id.get(f"<|{code}|>")
        if spoken is None:
            spoken = int(self._model.detect_language(heard)[0])
        return [start, spoken, config.task_to_id["transcribe"], plain]


def _is_ctc(config: Any) -> bool:
    """Say which of the two kinds a model is."""
    from transformers.models.auto import modeling_auto as auto

    named = (config.architectures or [""])[0]
    ctc, decoder = auto.MODEL_FOR_CTC_MAPPING_NAMES, auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES
    if config.model_type not in {*ctc, *decoder}:
        raise UsageError(f"{WHAT}: a {config.model_type} is no speech model that writes texts")
    return named.endswith("ForCTC") or (
        config.model_type in ctc and config.model_type not in decoder
    )
