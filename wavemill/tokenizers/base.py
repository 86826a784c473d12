"""The tokenizer contract: facts, `encode`, and for some `decode`.

A tokenizer is deterministic and batch-invariant: a clip's tokens do not depend on what it was
batched with, on the order, or on the process. Where padding cannot be made exact, encode clips one
by one or in equal lengths. Instances are not thread-safe; each worker builds its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Token ids, [T, Q]: T steps of time, Q codebooks."""
Times = npt.NDArray[np.float32]
"""Start and end of each token of an irregular stream in seconds from the clip's start, [T, 2]."""


@dataclass(frozen=True, kw_only=True)
class TokenizerFacts:
    """What a reader has to know of a token stream."""

    name: str
    """The stream's name: of its tars, of its lhotse field. A Python identifier."""
    kind: str
    """The tokenizer's name in the table."""
    sample_rate: int
    """Of the audio it takes, in Hz."""
    frame_rate: float | None
    """Steps of time a second; None for streams on an irregular clock."""
    num_codebooks: int
    codebook_size: int
    weights_digest: str
    """Changes when the tokens can: of the weights and of every setting."""

    def __post_init__(self) -> None:
        """Check what the shard layout relies on."""
        if not self.name.isidentifier():
            raise ValueError(f"tokenizer name {self.name!r} is not an identifier: use a-z, 0-9, _")
        if self.codebook_size > 65536:
            raise ValueError(
                f"{self.name}: a codebook of {self.codebook_size} ids does not fit uint16:"
                " give a model of 65536 at most"
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every id: uint8 or uint16."""
        return np.dtype(np.uint8 if self.codebook_size <= 256 else np.uint16)

    @property
    def digest(self) -> str:
        """Digest all facts."""
        return digest(asdict(self))


@runtime_checkable
class Tokenizer(Protocol):
    """Turns audio into token ids."""

    facts: TokenizerFacts

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips.

        Args:
            batch: mono clips, each [N] float32 in [-1, 1] at `facts.sample_rate`; N >= 1.

        Returns:
            An array [T, Q] of `facts.dtype` for each clip, in order; T >= 1 on a regular clock.

        """
        ...


@runtime_checkable
class TimedTokenizer(Tokenizer, Protocol):
    """A tokenizer on an irregular clock (`facts.frame_rate` is None), such as of syllables."""

    def encode_timed(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[tuple[Codes, Times]]:
        """Encode clips as `encode` does; give when each token begins and ends, too.

        A clip in which there is nothing to find has arrays of no rows.
        """
        ...


@runtime_checkable
class Decoder(Protocol):
    """A tokenizer whose ids can be turned back into audio."""

    facts: TokenizerFacts

    def decode(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Turn ids [T, Q] into mono audio, [N] float32 at `facts.sample_rate`.

        N is the length of T steps, which may be more than the clip had.
        """
        ...


@runtime_checkable
class StreamDecoder(Decoder, Protocol):
    """A decoder that need not know what comes later: audio comes while ids do."""

    def decode_blocks(self, blocks: Iterable[Codes]) -> Iterator[npt.NDArray[np.float32]]:
        """Turn ids that come in blocks, each [T, Q], into audio in blocks; see `decode`."""
        ...
