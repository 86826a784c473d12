"""`sylber`: a HuBERT that learns to give all frames of a syllable one vector.

Cho et al., "Sylber: Syllabic Embedding Representation of Speech from Raw Audio", arXiv 2410.07168.
The student's target at a frame is the teacher's mean over the frame's segment, and zeros where
there is none. Stage 1 is given the segments; stage 2, begun with the weights of stage 1 (`--init`),
finds them in the teacher's features, by a threshold of cosines drawn for each clip and one of norms
that two running Gaussians give. The published runs begin with HuBERT's weights and take their first
segments from SDHuBERT; without a stream of such, stage 1 takes hills of loudness, and a model of
random weights has a stage 0 before it (`bands.py`).

Shapes end names: B batch, N samples, F frames, D features.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

import safetensors.torch
from torch import nn

from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.recipe import DataFacts, Loss, Needs, Recipe
from wavemill.models.sylber.config import SylberConfig
from wavemill.models.sylber.hubert import SAMPLE_RATE
from wavemill.models.sylber.model import SylberModel
from wavemill.models.sylber.noise import add_others
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.checkpoints import read_tensors
from wavemill.tokenizers.sylber_encoder import fill_hubert, find_weights

# In so few steps norms change all the time: those of the last hundred are what counts.
SMALL = {
    "layers": 3,
    "width": 128,
    "heads": 4,
    "feed": 512,
    "channels": 64,
    "norm": "group",
    "norm_decay": 0.99,
}
PAPER = TrainSettings(
    steps=200_000,
    batch_size=100,
    learning_rate=1e-4,
    warmup=500,
    schedule="constant",
    max_norm=0.5,
    precision="bfloat16",
)


class Sylber(Recipe):
    """The recipe."""

    about: ClassVar = "self-segmentation distillation: syllables (Sylber)"
    presets: ClassVar[Mapping[str, SylberConfig]] = {
        "small-0": SylberConfig(stage=0, **SMALL),  # type: ignore[arg-type]
        "small": SylberConfig(**SMALL),  # type: ignore[arg-type]
        # Features of so young a model are all alike: cosines of syllables lie high.
        "small-2": SylberConfig(stage=2, merge_low=0.96, merge_high=0.99, **SMALL),  # type: ignore[arg-type]
        "paper": SylberConfig(),
        "paper-2": SylberConfig(stage=2),
    }
    training: ClassVar[Mapping[str, TrainSettings]] = {
        "small-0": TrainSettings(steps=200, batch_seconds=30, learning_rate=2e-3, warmup=20),
        "small": TrainSettings(steps=200, batch_seconds=30, learning_rate=1e-3, warmup=20),
        "small-2": TrainSettings(steps=40, batch_seconds=30, learning_rate=5e-4, warmup=10),
        "paper": PAPER,
        "paper-2": replace(PAPER, learning_rate=5e-5),
    }

    def __init__(self, config: SylberConfig, data: DataFacts) -> None:
        """Find the segments.

        Raises:
            UsageError: the dataset has no such stream, or it has no times.

        """
        streams: tuple[str, ...] = ()
        if config.segments:
            timed = [name for name, facts in data.streams.items() if facts.frame_rate is None]
            if config.segments not in timed:
                raise UsageError(
                    f"sylber: segments={config.segments} is no stream with times; there are:"
                    f" {', '.join(timed) or 'none'}; leave it out for hills of loudness"
                )
            streams = (config.segments,)
        self.config = config
        self.needs = Needs(
            streams=streams, sample_rate=SAMPLE_RATE, crop_seconds=config.crop_seconds
        )

    def build(self) -> nn.Module:
        """Make the student and its teacher, which begins as it."""
        return SylberModel(self.config)

    def begin(self, model: nn.Module, batches: Iterator[Batch]) -> None:
        """Take the weights that a new run is to start with.

        Raises:
            UsageError: they are not there, or of a HuBERT of another size.

        """
        del batches
        assert isinstance(model, SylberModel)
        if self.config.start:
            weights, _ = find_weights(self.config.start)
            fill_hubert(model.student, read_tensors(weights), weights)
            model.teacher.load_state_dict(model.student.state_dict())

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Return the squared distance to the target, summed over features, a frame."""
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        heard_BN = batch.audio
        if self.config.noise and model.training:
            heard_BN = add_others(batch.audio, batch.audio_lengths, self.config.noise)
        times = None
        if self.config.segments:
            name = self.config.segments
            times = batch.times[name], batch.token_lengths[name]
        total, frames, parts = model(batch.audio, heard_BN, batch.audio_lengths, times)
        return Loss(total=total, count=frames, parts=parts)

    def after_step(self, model: nn.Module) -> None:
        """Move the teacher towards the student, and what is known of norms."""
        assert isinstance(model, SylberModel)
        model.finish_step()

    def export(self, model: nn.Module) -> Mapping[str, bytes]:
        """Return the student's files, as transformers writes them: `sylber:model=` takes them."""
        assert isinstance(model, SylberModel)
        weights = {name: weight.contiguous() for name, weight in model.student.state_dict().items()}
        return {
            "config.json": model.student.config.to_json_string().encode(),
            "model.safetensors": safetensors.torch.save(weights),
        }
