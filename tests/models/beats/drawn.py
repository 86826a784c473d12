"""Small BEATs, and batches of noise for them."""

import torch
from torch import Tensor

from tests.models.peaks import dataset_facts
from wavemill.loader.batch import Batch
from wavemill.models.beats.encoder import count_patches
from wavemill.tokenizers.base import TokenizerFacts

IDS = 16
FACTS = TokenizerFacts(
    name="beats",
    kind="beats",
    sample_rate=16_000,
    frame_rate=50.0,
    num_codebooks=1,
    codebook_size=IDS,
    weights_digest="0",
)
DATA = dataset_facts(FACTS)
TINY = ("layers=2", "width=32", "heads=2", "feed=48")


def noise(*seconds: float) -> tuple[Tensor, Tensor]:
    """Draw clips side by side, [B, N], what is padded being loud, and their lengths."""
    samples_B = torch.tensor([round(each * 16_000) for each in seconds])
    return 0.1 * torch.randn(len(seconds), int(samples_B.max())), samples_B


def batch_of(audio_BN: Tensor, samples_B: Tensor, ids_BT: Tensor | None = None) -> Batch:
    """Make a batch; ids are drawn if none are given."""
    patches_B = count_patches(samples_B)
    if ids_BT is None:
        ids_BT = torch.randint(0, IDS, (len(patches_B), int(patches_B.max())))
    return Batch(
        keys=[str(number) for number in range(len(samples_B))],
        datasets=torch.zeros(len(samples_B), dtype=torch.int64),
        tokens={"beats": ids_BT[:, :, None]},
        token_lengths={"beats": patches_B},
        audio=audio_BN,
        audio_lengths=samples_B,
        sample_rate=16_000,
    )


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Move all weights, so that none is at the zero or one that it begins with."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model.eval()
