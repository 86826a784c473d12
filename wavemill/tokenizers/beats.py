"""`beats`: the acoustic tokenizer of BEATs' first iteration, a frozen random projection.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", https://arxiv.org/abs/2212.09058,
section 3.2.1, with the sizes and the order of random draws of ESPnet's open implementation: a
patch embedding 1x16x16 -> 512, layer norm, a projection -> 256, layer norm (neither norm has
weights), then the nearest of 1024 codewords. The same seed gives the same weights everywhere: they
are drawn from torch's CPU generator.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional, init
from torchaudio.compliance import kaldi

from wavemill.digest import digest
from wavemill.specs import MAX_SEED, check_range
from wavemill.tokenizers.base import Codes, TokenizerFacts

SAMPLE_RATE = 16_000
MEL_BINS = 128
FBANK_MEAN = 15.41663
FBANK_STD = 6.55582
PATCH = 16
EMBED_DIM = 512
CODE_DIM = 256
CODEBOOK_SIZE = 1024
PATCHES_A_STEP = MEL_BINS // PATCH
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
SHORTEST_SAMPLES = WINDOW_SAMPLES + (PATCH - 1) * HOP_SAMPLES
"""One patch of time; shorter clips are filled with silence."""
FRAME_RATE = PATCHES_A_STEP * SAMPLE_RATE / (PATCH * HOP_SAMPLES)
VERSION = 1
"""Goes up when the same audio would get other tokens."""


@dataclass(frozen=True, kw_only=True)
class BeatsConfig:
    """Which random weights."""

    name: str = "beats"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        check_range("--tokenizer beats: seed", self.seed, 0, MAX_SEED)


class BeatsTokenizer:
    """Random-projection tokens, one a patch of 16 mel bins x 160 ms.

    The patches are flattened time-major, as BEATs' encoder takes them: 8 tokens, low frequencies
    first, for every 160 ms; nominally 50 a second. What is left at the end of a clip after the
    last whole patch has no token, as in the reference; a clip shorter than one patch (175 ms) is
    filled with silence to one.
    """

    def __init__(self, config: BeatsConfig) -> None:
        """Draw the weights."""
        self._embedding, self._projection, self._codebook = _weights(config.seed)
        # argmin |v - x|^2 = argmax v.x - |v|^2 / 2: one matrix product and no distances.
        self._half_norms = self._codebook.square().sum(dim=1) / 2
        self.facts = TokenizerFacts(
            name=config.name,
            kind="beats",
            sample_rate=SAMPLE_RATE,
            frame_rate=FRAME_RATE,
            num_codebooks=1,
            codebook_size=CODEBOOK_SIZE,
            weights_digest=digest({**asdict(config), "version": VERSION}),
        )

    @torch.inference_mode()
    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        return [self._encode(torch.from_numpy(clip)) for clip in batch]

    def _encode(self, clip_N: Tensor) -> Codes:
        patches_TF = self.patches(clip_N)
        embedded = functional.layer_norm(patches_TF @ self._embedding.T, (EMBED_DIM,))
        projected = functional.layer_norm(embedded @ self._projection.T, (CODE_DIM,))
        scores_TK = projected @ self._codebook.T - self._half_norms
        ids: npt.NDArray[np.uint16] = scores_TK.argmax(dim=1).numpy().astype(np.uint16)
        return ids[:, None]

    @staticmethod
    def patches(clip_N: Tensor) -> Tensor:
        """Cut the normalised filter bank of a clip [N] into patches [T, 256]."""
        clip_N = functional.pad(clip_N, (0, max(0, SHORTEST_SAMPLES - len(clip_N))))
        steps = (1 + (len(clip_N) - WINDOW_SAMPLES) // HOP_SAMPLES) // PATCH
        fbank = (filter_bank(clip_N)[: steps * PATCH] - FBANK_MEAN) / (2 * FBANK_STD)
        grid = fbank.reshape(steps, PATCH, PATCHES_A_STEP, PATCH).transpose(1, 2)
        return grid.reshape(steps * PATCHES_A_STEP, PATCH * PATCH)


def filter_bank(clip_N: Tensor) -> Tensor:
    """Kaldi's log mel filter bank of a clip [N] in [-1, 1] at 16 kHz: [F, 128], 25/10 ms."""
    fbank_FM: Tensor = kaldi.fbank(
        clip_N[None] * 2**15, num_mel_bins=MEL_BINS, sample_frequency=SAMPLE_RATE, dither=0.0
    )
    return fbank_FM


@cache
def _weights(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw patch embedding [512, 256], projection [256, 512] and codebook [1024, 256]."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.empty(EMBED_DIM, 1, PATCH, PATCH)
    projection = torch.empty(CODE_DIM, EMBED_DIM)
    init.xavier_normal_(embedding, generator=generator)
    # ESPnet's layer is filled once by its constructor before it is filled for good.
    init.kaiming_uniform_(projection, a=5**0.5, generator=generator)
    init.xavier_normal_(projection, generator=generator)
    codebook = torch.randn(CODEBOOK_SIZE, CODE_DIM, generator=generator)
    return embedding.reshape(EMBED_DIM, PATCH * PATCH), projection, codebook
