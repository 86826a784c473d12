"""From audio or token ids to texts, many at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from wavemill.errors import UsageError
from wavemill.models.asr.decoding import DecodingConfig, for_model, search
from wavemill.models.asr.hypotheses import Transcript, join, transcripts
from wavemill.models.asr.model import AsrModel
from wavemill.models.asr.recipe import Asr
from wavemill.models.training.run import TrainedRun

AHEAD = 64
"""Pieces that are read before the first is recognized, so that those of like length go together."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What is heard at once: a recording, or a part of a long one."""

    id: str
    heard: npt.NDArray[np.float32] | npt.NDArray[np.int64]
    """Audio [N] at the model's rate, or ids [T, Q]."""
    seconds: float
    text: str | None = None
    """What is known to be said in the whole recording."""
    is_last: bool = True
    """Of its recording."""
    is_broken: bool = False
    """What comes after cannot be heard: nothing is said of the recording."""


@dataclass(kw_only=True)
class Recognized:
    """A recording, and what was recognized in it."""

    id: str
    best: list[Transcript]
    """The best first, none twice."""
    seconds: float
    reference: str | None = None


@dataclass(kw_only=True)
class _Open:
    """A recording whose pieces are not all there."""

    parts: list[list[Transcript]] = field(default_factory=list)
    seconds: float = 0.0


class Recognizer:
    """A trained model, and how texts are searched with it. Not thread-safe."""

    def __init__(
        self,
        run: TrainedRun,
        config: DecodingConfig,
        *,
        device: str = "cpu",
        batch_seconds: float = 120.0,
    ) -> None:
        """Build the model.

        Args:
            run: of `asr`.
            config: of the search.
            device: where it runs.
            batch_seconds: padded audio that is recognized at once.

        Raises:
            UsageError: the run is of another recipe, or cannot be searched so.

        """
        if not isinstance(run.recipe, Asr):
            raise UsageError(f"the run is one of {run.name}; give one of `wavemill train asr`")
        self.recipe = run.recipe
        model = run.build(device)
        assert isinstance(model, AsrModel)
        self._model, self._device = model, device
        self._batch_seconds = batch_seconds
        self.config = for_model(config, model)

    def recognize(self, pieces: Iterable[Piece]) -> Iterator[Recognized]:
        """Recognize recordings; the pieces of each follow each other.

        What is recognized in a piece does not depend on the others, but for rounding.
        """
        opened = _Open()
        source = iter(pieces)
        while taken := list(islice(source, AHEAD)):
            for piece, found in zip(taken, self._search(taken), strict=True):
                opened.parts.append(found)
                opened.seconds += piece.seconds
                if not piece.is_last:
                    continue
                if not piece.is_broken:
                    yield Recognized(
                        id=piece.id,
                        best=join(opened.parts, self.config.count),
                        seconds=opened.seconds,
                        reference=piece.text,
                    )
                opened = _Open()

    def _search(self, pieces: Sequence[Piece]) -> list[list[Transcript]]:
        found: list[list[Transcript]] = [[] for _ in pieces]
        for numbers in self._batches(pieces):
            heard, lengths = _padded([pieces[number].heard for number in numbers])
            hypotheses = search(
                self._model, heard.to(self._device), lengths.to(self._device), self.config
            )
            for number, each in zip(numbers, hypotheses, strict=True):
                found[number] = transcripts(each, self.recipe.vocabulary.decode, self.config.count)
        return found

    def _batches(self, pieces: Sequence[Piece]) -> Iterator[list[int]]:
        """Yield the numbers of pieces of like length; together they are not too long."""
        batch: list[int] = []
        longest = 0.0
        for number in sorted(range(len(pieces)), key=lambda one: pieces[one].seconds):
            longest = max(longest, pieces[number].seconds)
            if batch and longest * (len(batch) + 1) > self._batch_seconds:
                yield batch
                batch, longest = [], pieces[number].seconds
            batch.append(number)
        if batch:
            yield batch


def _padded(
    arrays: Sequence[npt.NDArray[np.float32] | npt.NDArray[np.int64]],
) -> tuple[torch.Tensor, torch.Tensor]:
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    lengths = torch.tensor([len(one) for one in tensors])
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lengths
