"""The smallest codecs, and batches for them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavemill.loader.batch import Batch
from wavemill.models.codec.model import CodecModel
from wavemill.models.codec.recipe import Codec
from wavemill.models.recipe import DataFacts
from wavemill.models.table import make_recipe

DATA = DataFacts(streams={}, has_audio=True)
SIZES = (
    "spectra=0", "phases=learnt", "l1=0.1", "mel=2", "gain_db=0", "dropout=0.5", "residuals=1",
    "filters=4", "ratios=4x2x4", "dim=8", "codebooks=3", "codebook_size=8", "filters_2d=2",
    "windows=128x64", "crop_seconds=0.2", "codebooks_from=5",
)  # fmt: skip
ADVERSARY = ("adversarial=4", "features=4")
HOP = 32


def make(*settings: str) -> Codec:
    """Make a recipe; later settings count."""
    given = dict(one.split("=", 1) for one in (*SIZES, *settings))
    recipe = make_recipe("codec", "small", [f"{k}={v}" for k, v in given.items()], DATA)
    assert isinstance(recipe, Codec)
    return recipe


def build(recipe: Codec) -> CodecModel:
    """Build its model, the same each time."""
    torch.manual_seed(0)
    model = recipe.build()
    assert isinstance(model, CodecModel)
    return model


def tones(count: int, samples: int, seed: int = 0) -> Tensor:
    """Make clips [B, N] that a codec can learn."""
    random = torch.Generator().manual_seed(seed)
    hz = torch.rand(count, 1, generator=random) * 600 + 100
    return 0.3 * torch.sin(2 * torch.pi * hz * torch.arange(samples) / 16_000)


def batch_of(audio_BN: Tensor, lengths: Sequence[int] | None = None) -> Batch:
    """Make a batch of clips."""
    given = lengths or [audio_BN.shape[1]] * len(audio_BN)
    return Batch(
        keys=[str(number) for number in range(len(given))],
        datasets=torch.zeros(len(given), dtype=torch.int64),
        audio=audio_BN,
        audio_lengths=torch.tensor(given),
        sample_rate=16_000,
    )
