"""`mvq`: multi-codebook vector quantization of a teacher's features; of log-mel, 100 a second.

Guo et al., "Predicting Multi-Codebook Vector Quantization Indexes for Knowledge Distillation",
arXiv 2211.00508. A small quantizer of log-mel ships with the package (4 codebooks; `weights/` says
what it was fitted on); `wavemill fit mvq` makes one of your own audio, of any teacher's features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.device import Place, PlaceSettings
from wavemill.tokenizers.quantizer_files import CONFIG_FILE, FeatureQuantizer, load_quantizer
from wavemill.tokenizers.teachers.base import Teacher, TeacherConfig
from wavemill.tokenizers.teachers.fitted import read_config, teacher_of
from wavemill.tokenizers.teachers.table import make_teacher

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
COMMAND = "wavemill fit mvq"
DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "mvq_logmel80_4x256.safetensors"


@dataclass(frozen=True, kw_only=True)
class MvqConfig(PlaceSettings):
    """Which quantizer, of which teacher's features, and how thorough the search is."""

    name: str = "mvq"
    model: str | None = None
    """A folder that `wavemill fit mvq` wrote, which names its teacher; or a quantizer's file, with
    `teacher`; None for the quantizer that ships."""
    teacher: str | None = None
    """Only needed with a file; else it must be the one that the model was fitted on."""
    teacher_model: str | None = None
    """The teacher's weights, if they are not where they were when the model was fitted."""
    layer: int | None = None
    refinements: int = 5
    """Of the first ids, 0 to 5; 5 as published."""

    def __post_init__(self) -> None:
        """Check the number of refinements, and that a teacher has a quantizer."""
        if not 0 <= self.refinements <= 5:
            raise UsageError(f"mvq: refinements={self.refinements} must be 0 to 5")
        teacher = (self.teacher or "logmel", self.teacher_model, self.layer)
        if self.model is None and teacher != ("logmel", None, None):
            raise UsageError(
                "mvq: the quantizer that ships is one of log-mel: for another teacher give model=,"
                f" a folder that `{COMMAND} --teacher` wrote"
            )


def _load(config: MvqConfig, place: Place) -> tuple[FeatureQuantizer, Teacher]:
    """Load a quantizer and the teacher of its features."""
    if config.model is None:
        return load_quantizer(str(DEFAULT_WEIGHTS)), make_teacher(TeacherConfig(), place)
    if storage.is_folder(config.model):
        url = storage.join(config.model, CONFIG_FILE)
        fitted = read_config(url, COMMAND)
        model = load_quantizer(config.model)
        named = config.teacher, config.teacher_model, config.layer
        teacher = teacher_of(url, fitted, *named, place)
    elif storage.exists(config.model):
        model, teacher = load_quantizer(config.model), _named_teacher(config, place)
    else:
        raise UsageError(f"mvq: there is no folder {config.model}: give one that `{COMMAND}` wrote")
    if model.quantizer.dim != teacher.facts.dim:
        raise UsageError(
            f"mvq: the quantizer in {config.model} takes {model.quantizer.dim} features, not the"
            f" {teacher.facts.dim} of teacher {teacher.facts.kind}"
        )
    return model, teacher


def _named_teacher(config: MvqConfig, place: Place) -> Teacher:
    """Build the teacher for a quantizer's file, such as SPEAR's, which does not name its own."""
    if config.teacher is None:
        raise UsageError(
            f"mvq: {config.model} does not say which features it quantizes: give teacher=, and"
            " teacher_model= and layer= if it has them"
        )
    return make_teacher(
        TeacherConfig(name=config.teacher, model=config.teacher_model, layer=config.layer), place
    )


class MvqTokenizer:
    """Direct-sum ids of a teacher's features: [T, N] uint8, a row a feature.

    Of log-mel T is `features.num_frames` of a clip, and a clip of any length is exact. How other
    teachers cut long clips, `teachers/README.md` says.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "units"
    weights: ClassVar[str] = "inside"
    long_audio: ClassVar[str] = "exact of logmel, else windows"

    def __init__(self, config: MvqConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is broken, or is one of other features.

        """
        self.place = config.place("mvq")
        self.model, self.teacher = _load(config, self.place)
        self._refinements = config.refinements
        settings = {
            "weights": digest_tensors(self.model.state()),
            "refinements": config.refinements,
            "features": self.teacher.facts.digest,
            "version": VERSION,
            **self.place.digest_parts,
        }
        self.facts = TokenizerFacts(
            name=config.name,
            kind="mvq",
            sample_rate=self.teacher.facts.sample_rate,
            frame_rate=self.teacher.facts.frame_rate,
            num_codebooks=self.model.quantizer.num_codebooks,
            codebook_size=self.model.quantizer.codebook_size,
            weights_digest=digest(settings),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        return [self.model.encode(self.teacher.features(clip), self._refinements) for clip in batch]
