"""What decides a codec's shape: the settings that its weights were trained with."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

QUANTIZERS = ("rvq", "sq", "gfsq")
PHASES = ("learnt", "found")
MAX_BOOKS = 64


def numbers(text: str, name: str) -> tuple[int, ...]:
    """Read numbers such as `8x5x4x2`.

    Raises:
        ValueError: they are none, or below 1.

    """
    found = tuple(int(part) if part.isdigit() else 0 for part in text.split("x"))
    if min(found) < 1:
        raise ValueError(f"{name}={text} must be numbers from 1 on with x between, such as 8x5x4x2")
    return found


@dataclass(frozen=True, kw_only=True)
class CodecSizes:
    """The codec's sizes."""

    sample_rate: int = 16_000
    """Of the audio, in Hz."""
    filters: int = 32
    """Channels at the sample rate; each change of rate has twice as many beneath it."""
    ratios: str = "8x5x4x2"
    """By which the decoder raises the rate, one after the other; the encoder, in reverse."""
    residuals: int = 1
    """Residual units before each change of rate, with dilations 1, 2, 4 and so on."""
    spectra: int = 0
    """Samples a frame of spectra, which the layers hear and give in place of samples; 0 for none.
    `filters` and `ratios` then begin at the rate of those frames."""
    phases: str = "learnt"
    """Whose the phases of those spectra are: `learnt`, the decoder's; `found`, those with which its
    magnitudes agree best where windows overlap (`phases.py`). They need not be learnt then, but the
    waveform is another one, and a frame hears as far ahead as its windows reach."""
    lstm: int = 0
    """LSTM layers at the rate of the frames, on both sides."""
    dim: int = 128
    """Of the latents."""
    quantizer: str = "rvq"
    """`rvq`: residual codebooks; `sq`: a number rounded to one of 19 levels for each codebook;
    `gfsq`: groups of latents, each one of the products of `levels`."""
    codebooks: int = 8
    """At most, of `rvq`, which may use fewer; streams, of the others."""
    codebook_size: int = 1024
    """Of `rvq`."""
    levels: str = "8x5x5x5"
    """Of `gfsq`."""
    merge: int = 1
    """Frames that share one id of the first codebook, of `rvq`: VALL-E R's merging."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        numbers(self.ratios, "ratios")
        if self.quantizer not in QUANTIZERS:
            raise ValueError(f"quantizer={self.quantizer} must be {', '.join(QUANTIZERS)}")
        if self.phases not in PHASES:
            raise ValueError(f"phases={self.phases} must be {' or '.join(PHASES)}")
        if self.phases == "found" and not self.spectra:
            raise ValueError("phases=found are those of spectra: give spectra=SAMPLES")
        limits = {
            "sample_rate": (1000, 384_000), "filters": (2, 4096), "residuals": (0, 16),
            "spectra": (0, 4096), "lstm": (0, 16), "dim": (1, 65_536), "codebooks": (1, MAX_BOOKS),
            "codebook_size": (2, 65_536), "merge": (1, 64),
        }  # fmt: skip
        for name, (lowest, highest) in limits.items():
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name}={getattr(self, name)} must be {lowest} to {highest}")
        if self.filters % 2:
            raise ValueError(f"filters={self.filters} must be even: residual units halve them")
        if self.merge > 1 and self.quantizer != "rvq":
            raise ValueError(f"merge={self.merge} is of residual codebooks: give quantizer=rvq")
        if self.quantizer == "gfsq":
            self._check_groups()

    def _check_groups(self) -> None:
        size = math.prod(numbers(self.levels, "levels"))
        if not 2 <= size <= 65_536:
            raise ValueError(f"levels={self.levels} make {size} ids; there must be 2 to 65536")
        if self.dim % self.codebooks:
            raise ValueError(f"dim={self.dim} must be a multiple of codebooks={self.codebooks}")

    @property
    def hop(self) -> int:
        """Samples a frame."""
        return math.prod(numbers(self.ratios, "ratios")) * (self.spectra or 1)

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Take the sizes among settings that hold more.

        Raises:
            KeyError: one is missing.
            ValueError: one is out of range.
            TypeError: one is no number, or no text.

        """
        fields = dataclasses.fields(CodecSizes)
        given = {field.name: settings[field.name] for field in fields}
        for field in fields:
            if type(given[field.name]) is not type(field.default):
                raise TypeError(f"{field.name}={given[field.name]!r} must be as {field.default!r}")
        return cls(**given)
