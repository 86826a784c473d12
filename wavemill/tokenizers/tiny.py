"""`tiny`: a small codec of speech whose weights ship with wavemill; 3 kbit/s at 16 kHz.

`weights/tiny.md` says what it heard, and how good it is; `benchmarks/tiny_codec.py` makes it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.trained_codec import TrainedCodecConfig, TrainedCodecTokenizer

WEIGHTS = Path(__file__).parent / "weights" / "tiny.safetensors"


@dataclass(frozen=True, kw_only=True)
class TinyConfig(PlaceSettings):
    """How many of its codebooks."""

    name: str = "tiny"
    codebooks: int | None = None
    """The first ones, 500 bit/s each; all six if None."""


class TinyTokenizer(TrainedCodecTokenizer):
    """Ids [T, 6] of 1024, 50 a second; T = N / 320 rounded up."""

    weights: ClassVar[str] = "inside"
    kind: ClassVar[str] = "tiny"

    def __init__(self, config: TinyConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: there are not so many codebooks.

        """
        super().__init__(TrainedCodecConfig(**vars(config), model=str(WEIGHTS)))
