"""Settings of `codec`: the sizes of the network, and what its training weighs."""

from dataclasses import dataclass

from wavemill.specs import check_range
from wavemill.tokenizers.seanet.sizes import CodecSizes, numbers


@dataclass(frozen=True, kw_only=True)
class CodecConfig(CodecSizes):
    """Settings of `codec`."""

    crop_seconds: float = 1.0
    """Of the pieces that are trained on; with `ctc`, whole samples are."""
    gain_db: float = 0.0
    """Clips are made louder or softer by up to so many dB, drawn for each."""
    l1: float = 0.1
    """Weight of the distance of waveforms. This and the next three are balanced."""
    mel: float = 2.0
    """Weight of the distance of mel spectra; where phases are found, of magnitudes."""
    adversarial: float = 4.0
    """Weight of fooling the discriminator; with 0 there is none."""
    features: float = 4.0
    """Weight of having the features that the discriminator finds in real audio."""
    commitment: float = 1 / 64
    """Weight of latents' distance to their codebooks' entries. EnCodec has 1 for the mean of a
    batch, beside gradients that are not divided by its 64 clips: with as much for each clip latents
    follow their entries, and not what is heard."""
    ctc: float = 0.0
    """Weight of telling the text by the first codebook alone, as QDAC does; needs texts."""
    alphabet: str = "abcdefghijklmnopqrstuvwxyz'"
    """Of those texts; other characters are left out."""
    codebooks_from: int = 100
    """Steps in which latents pass as they are, before k-means of them makes residual codebooks."""
    adversary_from: int = 0
    """Steps that are done before the discriminator joins in."""
    adversary_alone: int = 0
    """Steps in which it learns before the codec hears of it: until it tells anything, what it says
    leads astray."""
    filters_2d: int = 32
    """Channels of the discriminator."""
    windows: str = "2048x1024x512x256x128"
    """Of its spectra."""
    decay: float = 0.99
    """Of the averages that codebooks' entries are, a step."""
    revive_below: float = 0.1
    """Share of a codebook's mean use under which an entry is replaced. EnCodec's two uses a step
    are 0.43 of the mean of its batches."""
    dropout: float = 0.5
    """Share of the clips that use only the first few residual codebooks, how many is drawn."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("crop_seconds", self.crop_seconds, 0.01, 3600)
        check_range("gain_db", self.gain_db, 0, 60)
        for name in ("l1", "mel", "adversarial", "features", "commitment", "ctc"):
            check_range(name, getattr(self, name), 0, 1e6)
        for name in ("decay", "revive_below", "dropout"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("codebooks_from", self.codebooks_from, 0, 10**9)
        check_range("adversary_from", self.adversary_from, 0, 10**9)
        check_range("adversary_alone", self.adversary_alone, 0, 10**9)
        check_range("filters_2d", self.filters_2d, 1, 4096)
        if not self.l1 + self.mel:
            raise ValueError(
                "l1 and mel are both 0: then nothing asks for the audio that was given"
            )
        if self.phases == "found" and (self.l1 or self.adversarial):
            raise ValueError(
                "phases=found: no waveform is made in training, so give l1=0, adversarial=0 and"
                " features=0"
            )
        if self.features and not self.adversarial:
            raise ValueError("features without adversarial: there is no discriminator to find any")
        if self.ctc and self.quantizer != "rvq":
            raise ValueError(f"ctc hears the first residual codebook; quantizer={self.quantizer}")
        if any(window % 4 or window < 32 for window in numbers(self.windows, "windows")):
            raise ValueError(f"windows={self.windows} must be multiples of 4 from 32 on")
