"""`beats`: features of BEATs' encoder, 50 a second (8 patches of frequency every 160 ms).

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", arXiv 2212.09058. Checkpoints are
Microsoft's and OpenBEATs' `{cfg, model}`, which `beats_encoder` loads.
"""

from typing import ClassVar

from wavemill.digest import digest
from wavemill.tokenizers.beats_encoder import WINDOW_SECONDS, BeatsCheckpoint, BeatsEncoder
from wavemill.tokenizers.beats_fbank import FRAME_RATE, SAMPLE_RATE
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import Clip, Features, TeacherConfig, TeacherFacts

VERSION = 1
"""Goes up when the same audio and weights would get other features."""


class BeatsTeacher:
    """Features of the patches in the order of the `beats` tokens, one each."""

    packages: ClassVar[tuple[str, ...]] = ("openbeats",)
    extra: ClassVar[str] = "units"

    def __init__(self, config: TeacherConfig, place: Place) -> None:
        """Load the checkpoint.

        Raises:
            UsageError: it cannot be had or is not whole.

        """
        model = config.required_model("a checkpoint in Microsoft's format")
        self._encoder = BeatsEncoder(BeatsCheckpoint(model, "teacher beats"), place, config.layer)
        self.config, self.place = config, place
        self.facts = TeacherFacts(
            kind=config.name,
            sample_rate=SAMPLE_RATE,
            frame_rate=FRAME_RATE,
            dim=self._encoder.dim,
            digest=digest([self._encoder.digest, config.name, VERSION]),
            window_seconds=WINDOW_SECONDS,
        )

    def features(self, clip: Clip) -> Features:
        """Compute the encoder's features, [T, D]; see `Teacher.features`."""
        return self._encoder.features(clip)
