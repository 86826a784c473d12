"""From many frames a second to few: strided depthwise-separable convolutions.

As in FastConformer (https://arxiv.org/abs/2305.05084): each halves the frames; the first takes the
features as a picture of one channel. Every layer is silenced where it is padded, so that a clip
alone and in a batch comes out the same.

Shapes end names: B batch, T frames, M mel bands, C channels, D features, Q codebooks.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.padding import is_real
from wavemill.tokenizers.base import TokenizerFacts


def halved(frames_B: Tensor) -> Tensor:
    """Count the frames that a layer leaves."""
    return (frames_B + 1) // 2


class MelSubsampling(nn.Module):
    """Of log-mel features, [B, T, M] -> [B, T / 2^layers, D]."""

    def __init__(self, *, mels: int, layers: int, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.depthwise = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels)
            for _ in range(layers - 1)
        )
        self.pointwise = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(layers - 1))
        for _ in range(layers):
            mels = (mels + 1) // 2
        self.out = nn.Linear(mels * channels, width)
        self.norm = nn.LayerNorm(width)
        _init(self)

    def forward(self, x_BTM: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return fewer frames, and how many of them are real."""
        x_BCTM = functional.relu(self.first(x_BTM[:, None]))
        x_BCTM = x_BCTM.to(memory_format=torch.channels_last)
        frames_B = halved(frames_B)
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            real_BT = is_real(frames_B, x_BCTM.shape[2])
            x_BCTM = functional.relu(pointwise(depthwise(x_BCTM * real_BT[:, None, :, None])))
            frames_B = halved(frames_B)
        return self.norm(self.out(x_BCTM.transpose(1, 2).flatten(2))), frames_B


class TokenSubsampling(nn.Module):
    """Of token ids, [B, T, Q] -> [B, T / 2^layers, D]: codebooks' vectors are added up."""

    def __init__(self, *, stream: TokenizerFacts, layers: int, width: int) -> None:
        super().__init__()
        self.size = stream.codebook_size
        self.table = nn.Embedding(stream.num_codebooks * self.size, width)
        nn.init.normal_(self.table.weight, std=stream.num_codebooks**-0.5)
        self.depthwise = nn.ModuleList(
            nn.Conv1d(width, width, 3, stride=2, padding=1, groups=width) for _ in range(layers)
        )
        self.pointwise = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        _init(self)

    def embed(self, codes_BTQ: Tensor, frames_B: Tensor) -> Tensor:
        """Return the vectors of ids, [B, T, D], 0 where padded; what is padded is any id."""
        real_BT1 = is_real(frames_B, codes_BTQ.shape[1])[:, :, None]
        books = torch.arange(codes_BTQ.shape[2], device=codes_BTQ.device) * self.size
        ids_BTQ = codes_BTQ.masked_fill(~real_BT1, 0) + books
        return self.table(ids_BTQ).sum(2) * real_BT1  # type: ignore[no-any-return]

    def forward(self, x_BTD: Tensor, frames_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return fewer frames, and how many of them are real."""
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            x_BTD = x_BTD * is_real(frames_B, x_BTD.shape[1])[:, :, None]
            x_BTD = functional.relu(pointwise(depthwise(x_BTD.transpose(1, 2)).transpose(1, 2)))
            frames_B = halved(frames_B)
        return self.norm(self.out(x_BTD)), frames_B


def _init(module: MelSubsampling | TokenSubsampling) -> None:
    """Draw weights that keep the size of what goes through.

    By torch's own draws five layers of convolutions leave a hundredth of the signal beside their
    biases, and what comes after learns nothing for dozens of epochs.
    """
    for name, weight in module.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif name.startswith(("depthwise", "out")):  # what follows is linear
            nn.init.kaiming_normal_(weight, nonlinearity="linear")
        elif name.startswith(("first", "pointwise")):
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
