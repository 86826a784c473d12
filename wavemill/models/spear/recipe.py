"""`spear`: masked prediction of multi-codebook tokens, for speech, for other audio, and for both.

SPEAR, by its authors' published scripts: spans of frames and of features are hidden, and the ids of
every codebook are predicted of all frames, hidden or not. The tokens are `mvq`'s of a teacher: of
one of speech, of one of audio, or of both; then samples of audio lose what they miss of the second
teacher, times a weight, and all samples what they miss of the first. The published student is a
Zipformer trained by ScaledAdam; this one is a conformer (https://arxiv.org/abs/2005.08100) trained
by AdamW. torchaudio's conformer does not serve: its norms and convolutions see what is padded.

Shapes end names: B batch, U tokens, Q codebooks, K ids of a codebook.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.padding import is_real
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.spear.mixing import mix
from wavemill.models.spear.model import SpearModel
from wavemill.models.spear.settings import SpearConfig, clock_of
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.beats_fbank import SAMPLE_RATE

KIND = "mvq"
_PAPER = TrainSettings(
    steps=400_000,
    batch_seconds=400,
    batches=16,
    learning_rate=5e-4,
    warmup=30_000,
    beta2=0.98,
    weight_decay=0.01,
    precision="bfloat16",
)


class Spear(Recipe):
    """The recipe."""

    about: ClassVar = "SPEAR: masked prediction of multi-codebook tokens, from audio"
    presets: ClassVar[Mapping[str, SpearConfig]] = {
        "small": SpearConfig(),
        "paper": SpearConfig(layers=13, width=1024, heads=16, dropout=0.1, mix=0.2),
        "paper-600m": SpearConfig(
            layers=25, width=1024, heads=16, dropout=0.1, mix=0.2, audio_weight=0.1
        ),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small": TrainSettings(
            steps=500, batch_seconds=30, learning_rate=1e-3, warmup=50, beta2=0.98,
            weight_decay=0.01,
        ),
        "paper": _PAPER,
        "paper-600m": _PAPER,
    }  # fmt: skip

    def __init__(self, config: SpearConfig, data: DataFacts) -> None:
        """Find the streams.

        Raises:
            UsageError: the dataset lacks one, or its rate does not go with the encoder's.

        """
        first = next((name for name, facts in data.streams.items() if facts.kind == KIND), "")
        names = [config.stream or first, *([config.audio_stream] if config.audio_stream else [])]
        for name in names:
            if name not in data.streams or data.streams[name].frame_rate is None:
                asked = f"no stream {name!r} on a regular clock" if name else "no stream of mvq"
                there = ", ".join(sorted(data.streams)) or "none"
                raise UsageError(
                    f"spear: the dataset has {asked}; there are: {there}; prepare it with"
                    " --tokenizer mvq, or give --set stream=NAME"
                )
        if len(set(names)) < len(names):
            raise UsageError(f"spear: stream and audio_stream are both {names[0]!r}")
        self.config = config
        self._streams: list[TokenizerFacts] = [data.streams[name] for name in names]
        self._clocks = [clock_of(facts, config.subsample) for facts in self._streams]
        self.needs = Needs(streams=tuple(names), sample_rate=SAMPLE_RATE)

    def build(self) -> SpearModel:
        """Make the model."""
        return SpearModel(self.config, self._streams)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the cross-entropy in nats, averaged over codebooks, over all frames.

        With two streams, that of the second is counted per frame of the first.
        """
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        config, samples_B = self.config, batch.audio_lengths
        is_audio_B = torch.zeros_like(batch.datasets, dtype=torch.bool)
        if config.audio_stream:
            is_audio_B = batch.datasets >= config.speech_datasets
        audio_BN = batch.audio
        if config.mix:
            audio_BN = mix(audio_BN, samples_B, is_audio_B, share=config.mix,
                           lowest_db=config.mix_lowest_db,
                           highest_db=config.mix_highest_db)  # fmt: skip
        codes = [batch.tokens[name] for name in self.needs.streams]
        found = model(audio_BN, samples_B, [each.shape[1] for each in codes])
        weights_B = torch.ones_like(samples_B, dtype=torch.float32)
        total, parts = torch.zeros((), device=audio_BN.device), {}
        for number, (name, logits_BUQK) in enumerate(zip(self.needs.streams, found, strict=True)):
            each_BU, right_BU = _scores(logits_BUQK, codes[number])
            real_BU = is_real(batch.token_lengths[name], each_BU.shape[1])
            if number:
                share = self._rate(0) / self._rate(number)
                weights_B = is_audio_B * (config.audio_weight * share)
            lost = each_BU.masked_fill(~real_BU, 0.0)
            total = total + (lost.sum(1) * weights_B).sum()
            if not number:
                parts["accuracy"] = right_BU.masked_fill(~real_BU, 0.0).sum()
            if config.audio_stream:
                parts[name] = (lost.sum(1) * weights_B).sum().detach()
        count = batch.token_lengths[self.needs.streams[0]].sum()
        return Loss(total=total, count=count, parts=parts)

    def _rate(self, number: int) -> float:
        rate = self._streams[number].frame_rate
        assert rate is not None
        return rate


def _scores(logits_BUQK: Tensor, codes_BUQ: Tensor) -> tuple[Tensor, Tensor]:
    """Return of each frame the mean loss over codebooks, and the share of ids that are right."""
    each_BUQ = functional.cross_entropy(
        logits_BUQK.float().movedim(3, 1), codes_BUQ, reduction="none"
    )
    return each_BUQ.mean(2), (logits_BUQK.argmax(3) == codes_BUQ).float().mean(2)
