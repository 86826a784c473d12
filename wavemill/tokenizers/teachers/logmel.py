"""`logmel`: 80 log-mel bands, 100 a second; see `features`."""

from typing import ClassVar

from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.features import FEATURE_KIND, FRAME_RATE, NUM_MELS, SAMPLE_RATE, log_mel
from wavemill.tokenizers.teachers.base import Clip, Features, TeacherConfig, TeacherFacts


class LogMelTeacher:
    """Log-mel frames. A frame hears its own 25 ms alone, so clips of any length are exact."""

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "units"

    def __init__(self, config: TeacherConfig, place: Place) -> None:
        """Check that nothing was asked for that log-mel has not."""
        if config.model is not None or config.layer is not None:
            raise UsageError(
                "teacher logmel has no weights and no layers: leave these settings out"
            )
        if place.precision != "float32":
            raise UsageError(
                f"teacher logmel is no network that could run in {place.precision}: leave precision"
                " out"
            )
        self.config, self.place = config, place
        self.facts = TeacherFacts(
            kind=config.name,
            sample_rate=SAMPLE_RATE,
            frame_rate=FRAME_RATE,
            dim=NUM_MELS,
            digest=FEATURE_KIND,  # no weights: the name of the features says it all
            window_seconds=None,
        )

    def features(self, clip: Clip) -> Features:
        """Compute log-mel, [T, 80]; see `Teacher.features`."""
        with self.place.running():
            return log_mel(clip, self.place.device)
