"""What the neural codecs have in common: clip by clip, unpadded, ids [T, Q] there and back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from wavemill.digest import digest
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.codec_files import digest_codec
from wavemill.tokenizers.device import Place

VERSION = 2
"""Goes up when the same audio and weights would get other tokens from any codec."""


class CodecTokenizer(ABC):
    """A codec of transformers as a `Tokenizer` and a `Decoder`.

    A subclass says how one clip becomes ids [Q, T], and how they become audio again.
    """

    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "codecs"
    weights: ClassVar[str] = "the Hugging Face hub, or model="
    long_audio: ClassVar[str]
    facts: TokenizerFacts
    place: Place
    """Where the model is; clips go there and ids come back."""

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips so that none depends on another; see `Tokenizer.encode`."""
        with self.place.running():
            clips = [self.place.tensor(clip) for clip in batch]
            return [*map(self._to_codes, self._encode_all(clips))]

    def decode(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Turn ids [T, Q] into audio; see `Decoder.decode`."""
        ids_QT = self.place.tensor(codes.T.astype(np.int64))
        with self.place.running():
            audio: npt.NDArray[np.float32] = self._decode(ids_QT).float().cpu().numpy()
        return audio

    def _encode_all(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Encode clips, each [N]: one by one, unless a codec can do better. Ids [Q, T] of each."""
        return [self._encode(clip) for clip in clips]

    @abstractmethod
    def _encode(self, clip_N: Tensor) -> Tensor:
        """Encode a clip: ids [Q, T]."""

    @abstractmethod
    def _decode(self, codes_QT: Tensor) -> Tensor:
        """Decode ids: mono audio, [N]."""

    def _to_codes(self, codes_QT: Tensor) -> Codes:
        codes: Codes = np.ascontiguousarray(codes_QT.T.cpu().numpy().astype(self.facts.dtype))
        return codes


def weights_digest(model: Any, **settings: Any) -> str:
    """Digest a loaded codec and the settings that choose among its tokens."""
    return digest({"model": digest_codec(model), "version": VERSION, **settings})
