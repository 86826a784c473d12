"""Settings of `asr`."""

from dataclasses import dataclass

from wavemill.models.widths import check_width

SUBSAMPLINGS = (2, 4, 8)
MAX_TEMPO = 0.5


@dataclass(frozen=True, kw_only=True)
class AsrConfig:
    """Settings of `asr`."""

    stream: str | None = None
    """Whose token ids are heard; audio if None."""
    alphabet: str | None = None
    """Characters that texts are spelt with; UTF-8 bytes if None."""
    vocabulary: str | None = None
    """Word pieces to spell with: a file that `wavemill fit pieces` made, or its content, which
    stays in the run."""
    subsampling: int = 8
    """Of 100 frames a second of audio, or of as many tokens a second as come near."""
    channels: int = 256
    """Of the subsampling of audio."""
    encoder_layers: int = 8
    decoder_layers: int = 1
    width: int = 256
    heads: int = 4
    dropout: float = 0.1
    ctc_weight: float = 0.3
    """Share of CTC in the loss; the rest is the decoder's. 1: there is no decoder."""
    ctc_frames: int = 2
    """Frames of CTC in one of the encoder: letters come faster than word pieces."""
    label_smoothing: float = 0.1
    """Of the decoder."""
    augment: float = 1.0
    """SpecAugment: how wide what it hides is, beside that of NeMo's conformers; 0: none."""
    tempo: float = 0.0
    """Audio is heard up to so much faster or slower, in training."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.alphabet is not None and self.vocabulary is not None:
            raise ValueError("give alphabet or vocabulary, not both")
        if self.subsampling not in SUBSAMPLINGS:
            raise ValueError(f"subsampling={self.subsampling} must be 2, 4 or 8")
        for name in ("channels", "encoder_layers", "heads", "ctc_frames"):
            if not 1 <= getattr(self, name) <= 1000:
                raise ValueError(f"{name}={getattr(self, name)} must be 1 to 1000")
        check_width("width", self.width, self.heads)
        if not (0 <= self.dropout < 1 and 0 <= self.label_smoothing < 1):
            raise ValueError("dropout and label_smoothing must be 0 or more and below 1")
        if not (0 <= self.augment <= 1 and 0 <= self.tempo <= MAX_TEMPO):
            raise ValueError(f"augment must be 0 to 1 and tempo 0 to {MAX_TEMPO}")
        if not 0 <= self.ctc_weight <= 1:
            raise ValueError(f"ctc_weight={self.ctc_weight} must be 0 to 1")
        if not 0 <= self.decoder_layers <= 1000 or (self.decoder_layers == 0) != (
            self.ctc_weight == 1
        ):
            raise ValueError(
                f"decoder_layers={self.decoder_layers} must be 1 to 1000, or 0 with ctc_weight=1"
            )
