"""A writer and a recognizer that were trained here, fused: one reads hypotheses, the other hears.

Both have the decoder of `asr` and one vocabulary, so their next units compare.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.hypotheses.records import Utterance
from wavemill.models.asr.decoder import TextDecoder
from wavemill.models.asr.model import AsrModel
from wavemill.models.asr.recipe import Asr
from wavemill.models.asr.text import normalize
from wavemill.models.corrector.fusion import Calibration, Fusion, NextLogits, calibrate, write_fused
from wavemill.models.corrector.recipe import CorrectorRecipe
from wavemill.models.corrector.writer import Writer, WriterModel
from wavemill.models.recipe import Recipe
from wavemill.models.training.run import TrainedRun


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An utterance, and what the recognizer hears of it."""

    utterance: Utterance
    heard: Tensor
    """Audio [1, N] at the recognizer's rate, or ids [1, T, Q]."""
    length: Tensor
    """[1]"""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a decoder looks at while it writes."""

    decoder: TextDecoder
    features: Tensor
    """[1, T, D]"""
    real: Tensor
    """[1, T]"""

    def logits(self, written: Tensor) -> Tensor:
        """Return the logits of each unit of a text and of its end, [U + 1, V]."""
        return self.decoder(written[None], self.features, self.real)[0]  # type: ignore[no-any-return]

    @property
    def next(self) -> NextLogits:
        """Return what says which unit comes next."""
        device = self.features.device
        return lambda written: self.logits(
            torch.tensor(list(written), dtype=torch.int64, device=device)
        )[-1]


class FusedCorrector:
    """Corrects by both. Not thread-safe."""

    def __init__(
        self, writer: TrainedRun, recognizer: TrainedRun, fusion: Fusion, *, device: str = "cpu"
    ) -> None:
        """Build both models.

        Args:
            writer: a run of `corrector --preset writer`.
            recognizer: one of `asr` with a decoder and the same vocabulary.
            fusion: how they are fused; see `calibrated`.
            device: where they run.

        Raises:
            UsageError: the runs are of others, or do not go together.

        """
        self._kind = _writer_of(writer.recipe)
        if not isinstance(recognizer.recipe, Asr):
            raise UsageError(f"the recognizer is a run of {recognizer.name}; give one of asr")
        spelt = recognizer.recipe.config
        if spelt.alphabet or spelt.vocabulary != writer.recipe.config.vocabulary:
            raise UsageError(
                "the writer and the recognizer spell with different vocabularies: train both with"
                " the same --set vocabulary=FILE, or both without"
            )
        self.fusion = fusion
        self._writer, self._recognizer = writer.build(device), recognizer.build(device)

    @torch.inference_mode()
    def correct(self, one: Heard) -> str:
        """Return the text that both together find likeliest, unit by unit."""
        language, speech = self._read(one)
        units = write_fused(
            language.next,
            speech.next,
            self.fusion,
            end=self._kind.vocabulary.size,
            most=self._kind.limit(one.utterance),
        )
        return self._kind.vocabulary.decode(units)

    @torch.inference_mode()
    def calibrated(self, held_out: Iterable[Heard]) -> tuple[Calibration, Calibration]:
        """Calibrate both on utterances with references that neither was trained on.

        Returns:
            The writer's and the recognizer's; their temperatures become those of `fusion`.

        """
        language: list[Tensor] = []
        speech: list[Tensor] = []
        targets: list[Tensor] = []
        for one in held_out:
            spelt = self._kind.vocabulary.encode(normalize(one.utterance.reference or ""))
            units = torch.tensor(spelt, dtype=torch.int64, device=one.heard.device)
            reads = self._read(one)
            for found, read in zip((language, speech), reads, strict=True):
                found.append(read.logits(units).cpu())
            targets.append(torch.tensor([*spelt, self._kind.vocabulary.size]))
        ways = [calibrate(torch.cat(one), torch.cat(targets)) for one in (language, speech)]
        self.fusion = replace(
            self.fusion,
            language_temperature=ways[0].temperature,
            speech_temperature=ways[1].temperature,
        )
        return ways[0], ways[1]

    def _read(self, one: Heard) -> tuple[Read, Read]:
        writer, recognizer = self._writer, self._recognizer
        assert isinstance(writer, WriterModel)
        assert isinstance(recognizer, AsrModel)
        if recognizer.decoder is None:
            raise UsageError("the recognizer has no decoder (ctc_weight=1): train one that has")
        ids, ranks, real = self._kind.read([one.utterance], one.heard.device)
        speech = recognizer.encode(one.heard, one.length)
        return (
            Read(decoder=writer.decoder, features=writer.encode(ids, ranks, real), real=real),
            Read(decoder=recognizer.decoder, features=speech.features, real=speech.real),
        )


def _writer_of(recipe: Recipe) -> Writer:
    if not isinstance(recipe, CorrectorRecipe) or not isinstance(recipe.kind, Writer):
        raise UsageError("the writer is no run of `wavemill train corrector --preset writer`")
    return recipe.kind
