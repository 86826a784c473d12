"""A corrector that writes: an encoder reads all hypotheses, a decoder writes the text.

The hypotheses come one after the other, each ended by a unit of its own and marked by its rank. The
decoder is that of `asr`, which looks at hypotheses here as it does at speech there, and may share
its vocabulary. It can write anything, and has to learn to copy: that takes many utterances.

Shapes end names: B utterances, S units of hypotheses, U units of a text, D features.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.hypotheses.records import Utterance
from wavemill.models.asr.beam_search import Allow, BeamConfig, BeamSearch
from wavemill.models.asr.decoder import TextDecoder
from wavemill.models.asr.hypotheses import transcripts
from wavemill.models.asr.model import pad_targets
from wavemill.models.asr.spelling import make_vocabulary
from wavemill.models.asr.text import normalize
from wavemill.models.asr.text_loss import text_loss
from wavemill.models.corrector.allowed import AllowedWords, words_of
from wavemill.models.corrector.settings import CorrectorConfig
from wavemill.models.padding import is_real
from wavemill.models.recipe import Loss
from wavemill.models.transformer import Decoder

MORE = 16
"""Units that a text may have beyond twice those of the longest hypothesis."""


class WriterModel(nn.Module):
    """Hypotheses in, logits of a text's units out."""

    def __init__(self, config: CorrectorConfig, units: int) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.table = nn.Embedding(units + 1, config.width)
        self.ranks = nn.Embedding(config.hypotheses, config.width)
        size = {"width": config.width, "heads": config.heads, "dropout": config.dropout}
        self.encoder = Decoder(layers=config.layers, **size)  # type: ignore[arg-type]
        self.decoder = TextDecoder(
            units=units,
            layers=config.decoder_layers,
            **size,  # type: ignore[arg-type]
        )

    def encode(self, ids_BS: Tensor, ranks_BS: Tensor, real_BS: Tensor) -> Tensor:
        """Return what the encoder makes of hypotheses, [B, S, D]."""
        x_BSD = self.table(ids_BS) + self.ranks(ranks_BS)
        x_BSD = functional.dropout(x_BSD, self.dropout, self.training)
        return self.encoder(x_BSD, mask=real_BS[:, None, None])  # type: ignore[no-any-return]

    def forward(
        self, ids_BS: Tensor, ranks_BS: Tensor, real_BS: Tensor, targets_BU: Tensor
    ) -> Tensor:
        """Return logits of each unit and the end, given the units before, [B, U + 1, V].

        Args:
            ids_BS: units of the hypotheses, each with its end.
            ranks_BS: of the hypothesis that each is of, from 0.
            real_BS: which are not padded.
            targets_BU: units of the texts.

        """
        read = self.encode(ids_BS, ranks_BS, real_BS)
        return self.decoder(targets_BU, read, real_BS)  # type: ignore[no-any-return]


class Writer:
    """The kind `writer`; see `Kind`."""

    def __init__(self, config: CorrectorConfig) -> None:
        """Take settings, the vocabulary's content among them.

        Raises:
            UsageError: the vocabulary cannot be used.

        """
        self._config = config
        self.vocabulary = make_vocabulary(config.vocabulary)

    def build(self) -> nn.Module:
        """Make the model."""
        return WriterModel(self._config, self.vocabulary.size)

    def begin(self, model: nn.Module, batches: Iterator[HypothesesBatch]) -> None:
        """Nothing is known by heart."""

    def loss(self, model: nn.Module, batch: HypothesesBatch) -> Loss:
        """Return the cross-entropy in nats over the units of texts and their ends."""
        device = next(model.parameters()).device
        spelt = [self._spell(one.reference or "") for one in batch.utterances]
        targets_BU, units_B = pad_targets(spelt, device)
        logits_BUV = model(*self.read(batch.utterances, device), targets_BU)
        counts_B = torch.ones(len(spelt), device=device)
        smoothing = self._config.label_smoothing
        return Loss(
            total=text_loss(logits_BUV, targets_BU, units_B, counts_B, smoothing),
            count=(units_B + 1).sum(),
        )

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """There is nothing for others."""
        del model
        return {}

    def correct(
        self, model: nn.Module, utterances: Sequence[Utterance], *, only_heard: bool
    ) -> list[str]:
        """Return the likeliest text of each utterance that a beam finds."""
        assert isinstance(model, WriterModel)
        inputs = self.read(utterances, next(model.parameters()).device)
        with torch.inference_mode():
            search = BeamSearch(
                model.decoder,
                model.encode(*inputs),
                inputs[2],
                BeamConfig(beam=self._config.beam, count=1, ctc_weight=0.0),
                limits=[self.limit(one) for one in utterances],
                allow=self._allow(utterances) if only_heard else None,
            )
            found = search.run()
        decode = self.vocabulary.decode
        best = [transcripts(each, decode, 1) for each in found]
        # None is there only where no beam came to an end; then the utterance stays as it is.
        return [
            texts[0].text if texts else one.best
            for one, texts in zip(utterances, best, strict=True)
        ]

    def read(
        self, utterances: Sequence[Utterance], device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return units of hypotheses, their ranks and which are real, [B, S] each."""
        ids, ranks = [], []
        for utterance in utterances:
            spelt = [
                [*self._spell(text), self.vocabulary.size]
                for text in utterance.texts[: self._config.hypotheses]
            ]
            ids.append([unit for units in spelt for unit in units])
            ranks.append([rank for rank, units in enumerate(spelt) for _ in units])
        ids_BS, lengths_B = pad_targets(ids, device)
        ranks_BS, _ = pad_targets(ranks, device)
        return ids_BS, ranks_BS, is_real(lengths_B, ids_BS.shape[1])

    def limit(self, utterance: Utterance) -> int:
        """Say how many units a text of an utterance may have."""
        return 2 * max(len(self._spell(text)) for text in utterance.texts) + MORE

    def _spell(self, text: str) -> list[int]:
        return self.vocabulary.encode(normalize(text))

    def _allow(self, utterances: Sequence[Utterance]) -> Allow:
        found = []
        for utterance in utterances:
            words = words_of(normalize(text) for text in utterance.texts)
            first = [self.vocabulary.encode(word) for word in words]
            later = [self.vocabulary.encode(f" {word}") for word in words]
            found.append(AllowedWords(first, later, self.vocabulary.size))
        return lambda number, written: found[number].next(written)
