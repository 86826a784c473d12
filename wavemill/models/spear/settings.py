"""Settings of `spear`, and how its frames and those of a stream of tokens go together."""

from dataclasses import dataclass

from wavemill.errors import UsageError
from wavemill.models.widths import check_width
from wavemill.specs import check_range
from wavemill.tokenizers.base import TokenizerFacts

FRAME_RATE = 100
"""Of the filter bank that is heard."""


@dataclass(frozen=True, kw_only=True)
class SpearConfig:
    """Settings of `spear`."""

    stream: str = ""
    """Whose ids are predicted, of speech where there are two; the dataset's first `mvq` one if left
    out."""
    audio_stream: str = ""
    """A second one, of a teacher of audio; where it is given the data is of both kinds."""
    speech_datasets: int = 1
    """With two streams: how many of the datasets, the first ones, hold speech; the others hold
    audio of any kind."""
    audio_weight: float = 0.25
    """Of the second stream's loss, which samples of audio have beside the first one's."""
    layers: int = 4
    width: int = 144
    heads: int = 4
    dropout: float = 0.0
    subsample: int = 2
    """Frames of 10 ms in one of the encoder's."""
    mask: float = 0.65
    """Of the frames: what spans add up to before they overlap."""
    mask_frames: int = 10
    """In a span."""
    channel_mask: float = 0.25
    """Of the features, likewise."""
    mask_channels: int = 20
    mix: float = 0.0
    """Share of the samples of speech that other audio of the batch is mixed into."""
    mix_lowest_db: float = -5.0
    mix_highest_db: float = 20.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("speech_datasets", self.speech_datasets, 0, 1_000_000)
        check_range("audio_weight", self.audio_weight, 0, 1e6)
        check_range("dropout", self.dropout, 0, 0.99)
        check_range("mix", self.mix, 0, 1)
        check_range("mix_lowest_db", self.mix_lowest_db, -100, self.mix_highest_db)
        check_range("mix_highest_db", self.mix_highest_db, self.mix_lowest_db, 100)
        for name in ("layers", "heads", "subsample", "mask_frames", "mask_channels"):
            check_range(name, getattr(self, name), 1, 1000)
        for name, length in (("mask", self.mask_frames), ("channel_mask", self.mask_channels)):
            check_range(name, getattr(self, name), 0, length)
        check_width("width", self.width, self.heads)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How a stream's frames lie on the encoder's."""

    each: int
    """Frames of the stream in one of the encoder's."""
    pooled: int
    """Frames of the encoder in one of the stream's; one of the two is 1."""

    def frames(self, tokens: int) -> int:
        """Return how many of the encoder's frames so many tokens take."""
        return -(-tokens * self.pooled // self.each)


def clock_of(stream: TokenizerFacts, subsample: int) -> Clock:
    """Find how a stream goes with the encoder.

    Raises:
        UsageError: neither rate is a multiple of the other.

    """
    rate = stream.frame_rate or 0.0
    each, pooled = rate * subsample / FRAME_RATE, FRAME_RATE / (rate * subsample) if rate else 0.0
    if each >= 1 and each.is_integer():
        return Clock(each=int(each), pooled=1)
    if pooled >= 1 and pooled.is_integer():
        return Clock(each=1, pooled=int(pooled))
    raise UsageError(
        f"spear: the stream {stream.name} has {stream.frame_rate} tokens a second and the encoder"
        f" {FRAME_RATE / subsample:g} frames: neither is a multiple of the other; give another"
        " subsample, or another stream"
    )
