"""The settings of `sylber`."""

from dataclasses import dataclass

from wavemill.specs import check_range


@dataclass(frozen=True, kw_only=True)
class SylberConfig:
    """Settings of `sylber`."""

    stage: int = 1
    """1: the segments are given; 2: they are found in the teacher's features; 0, before those: a
    model of random weights learns to hear, by the log-mel bands of each frame."""
    segments: str = ""
    """Of stage 1: a stream with times; hills of loudness if left out."""
    start: str = ""
    """Weights to begin with: a folder of a HuBERT that transformers wrote, a file of one, or a name
    on the hub, such as facebook/hubert-base-ls960; random ones if left out."""
    layers: int = 9
    width: int = 768
    heads: int = 12
    feed: int = 3072
    """Width of the feed-forward layers."""
    channels: int = 512
    """Of the convolutions over the waveform."""
    norm: str = "group"
    """Of the first convolution: `group`, over the time of a clip, as HuBERT-base has it, so that
    what is padded shows a little; or `layer`, of each frame alone."""
    decay: float = 1.0
    """Of the teacher, an average of the student; at 1 it stays as it is, as published."""
    noise: float = 0.2
    """How often the student hears another clip of the batch, too."""
    merge_low: float = 0.8
    """Of stage 2: a threshold of cosines is drawn between this one and the next."""
    merge_high: float = 0.9
    norm_decay: float = 0.9999
    """Of the mean and deviation of the norms of speech, and of what is none."""
    crop_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("stage", self.stage, 0, 2)
        for name in ("layers", "heads", "feed", "channels"):
            check_range(name, getattr(self, name), 1, 100_000)
        if not 1 <= self.width <= 100_000 or self.width % self.heads:
            raise ValueError(f"width={self.width} must be a multiple of heads={self.heads}")
        if self.norm not in ("group", "layer"):
            raise ValueError(f"norm={self.norm} must be group or layer")
        for name in ("decay", "noise", "norm_decay"):
            check_range(name, getattr(self, name), 0, 1)
        if not -1 <= self.merge_low <= self.merge_high <= 1:
            raise ValueError("merge_low and merge_high must be -1 to 1, in this order")
        check_range("crop_seconds", self.crop_seconds, 0.1, 600)
        if self.segments and self.stage != 1:
            raise ValueError(f"stage={self.stage} is given no segments: segments= is for stage=1")
