"""BEATs' encoder: patches of the filter bank through a deep-norm transformer.

Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", https://arxiv.org/abs/2212.09058;
deep-norm is https://arxiv.org/abs/2203.00555. The weights have the names and shapes that they have
in Microsoft's checkpoints, so that those load, and what is trained here loads elsewhere.

Where only some patches are encoded, they keep their places: convolution and distances are those of
the whole grid. The paper leaves that open.

Shapes end names: B batch, T patches, D features, F frames, M mel bins.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.beats.attention import BUCKETS, Attention, buckets
from wavemill.models.padding import is_real
from wavemill.specs import check_range
from wavemill.tokenizers.beats import EMBED_DIM
from wavemill.tokenizers.beats_fbank import (
    HOP_SAMPLES,
    MEL_BINS,
    PATCH,
    PATCHES_A_STEP,
    WINDOW_SAMPLES,
)

CONV_POSITIONS = 128
CONV_GROUPS = 16
INIT_STD = 0.02


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of an encoder; the defaults are those of the published ones."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    feed: int = 3072
    """Inner width of the feed-forward layers."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("layers", "heads"):
            check_range(name, getattr(self, name), 1, 1000)
        check_range("feed", self.feed, 1, 1_000_000)
        check_range("dropout", self.dropout, 0, 0.99)
        check_width("width", self.width, self.heads)


def check_width(name: str, width: int, heads: int) -> None:
    """Check that a width goes with its heads and with the groups of the convolution.

    Raises:
        ValueError: it does not.

    """
    if not 1 <= width <= 100_000 or width % CONV_GROUPS or width % heads:
        raise ValueError(
            f"{name}={width} must be 1 to 100000 and a multiple of {CONV_GROUPS} and of"
            f" heads={heads}"
        )


def count_patches(samples_B: Tensor) -> Tensor:
    """Count the patches of clips of so many samples at 16 kHz, as `beats` tokens: [B] int64."""
    frames_B = torch.div(samples_B - WINDOW_SAMPLES, HOP_SAMPLES, rounding_mode="floor") + 1
    steps_B = torch.div(frames_B, PATCH, rounding_mode="floor").clamp(min=1)
    return steps_B * PATCHES_A_STEP


def patches_of(samples: int) -> int:
    """Count the patches of a clip of so many samples."""
    return int(count_patches(torch.tensor(samples, device="cpu")))


class BeatsNet(nn.Module):
    """The encoder, [B, F, M] -> [B, T, D]: patches time-major, low mel bins first."""

    def __init__(self, sizes: Sizes) -> None:
        """Draw its weights."""
        super().__init__()
        self.patch_embedding = nn.Conv2d(1, EMBED_DIM, PATCH, PATCH, bias=False)
        self.layer_norm = nn.LayerNorm(EMBED_DIM)
        self.post_extract_proj = (
            nn.Linear(EMBED_DIM, sizes.width) if sizes.width != EMBED_DIM else None
        )
        self.encoder = Stack(sizes)
        nn.init.xavier_normal_(self.patch_embedding.weight)
        if self.post_extract_proj is not None:
            nn.init.xavier_normal_(self.post_extract_proj.weight)
            nn.init.zeros_(self.post_extract_proj.bias)

    def forward(self, fbank_BFM: Tensor, patches_B: Tensor) -> Tensor:
        """Return the features of all patches; those of padded ones mean nothing.

        Args:
            fbank_BFM: of `batch_fbank`, F a multiple of 16.
            patches_B: how many patches of each row are real.

        """
        x_BTD = self.embed(fbank_BFM)
        features_BTD: Tensor = self.encoder(x_BTD, is_real(patches_B, x_BTD.shape[1]))
        return features_BTD

    def embed(self, fbank_BFM: Tensor) -> Tensor:
        """Return what the encoder takes of each patch, [B, T, D]."""
        assert fbank_BFM.shape[2] == MEL_BINS
        patches_BTE = self.patch_embedding(fbank_BFM[:, None]).flatten(2).transpose(1, 2)
        x_BTD: Tensor = self.layer_norm(patches_BTE)
        return x_BTD if self.post_extract_proj is None else self.post_extract_proj(x_BTD)


class Stack(nn.Module):
    """Layers of a transformer, post-norm, with convolutional and relative positions."""

    def __init__(self, sizes: Sizes) -> None:
        """Draw its weights."""
        super().__init__()
        self.dropout = sizes.dropout
        self.pos_conv = nn.ModuleList([PositionConv(sizes.width)])
        bias = nn.Embedding(BUCKETS, sizes.heads)
        self.layers = nn.ModuleList(Layer(sizes, bias) for _ in range(sizes.layers))
        self.layer_norm = nn.LayerNorm(sizes.width)
        _init(self, sizes.layers)

    def forward(
        self, x_BTD: Tensor, real_BT: Tensor, places_BT: Tensor | None = None, grid: int = 0
    ) -> Tensor:
        """Return features, [B, T, D].

        Args:
            x_BTD: what is embedded.
            real_BT: which are not padded.
            places_BT: where on the grid each of them is, int64; one after the other if None.
            grid: how many places that has.

        """
        x_BTD = x_BTD.masked_fill(~real_BT[:, :, None], 0.0)
        if places_BT is None:
            near_BTD = self.pos_conv[0](x_BTD)
            places_BT = torch.arange(x_BTD.shape[1], device=x_BTD.device)[None]
        else:
            index_BTD = places_BT[:, :, None].expand_as(x_BTD)
            grid_BGD = x_BTD.new_zeros(len(x_BTD), grid, x_BTD.shape[2])
            grid_BGD = grid_BGD.scatter_add(1, index_BTD, x_BTD)
            near_BTD = self.pos_conv[0](grid_BGD).gather(1, index_BTD)
        x_BTD = self.layer_norm(x_BTD + near_BTD)
        x_BTD = functional.dropout(x_BTD, self.dropout, self.training)
        bias_BHTT = self.bias(places_BT)
        hidden_B11T = ~real_BT[:, None, None]
        for layer in self.layers:
            x_BTD = layer(x_BTD, bias_BHTT, hidden_B11T)
        return x_BTD

    def bias(self, places_BT: Tensor) -> Tensor:
        """Return the bias of the distances between places, [B, H, T, T]."""
        distances_BTT = places_BT[:, None] - places_BT[:, :, None]
        table = self.layers[0].self_attn.relative_attention_bias  # type: ignore[union-attr]
        return table(buckets(distances_BTT)).permute(0, 3, 1, 2)  # type: ignore[no-any-return,operator]


class PositionConv(nn.Module):
    """A grouped convolution over neighbours, its weight normalised for each tap."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_g = nn.Parameter(torch.empty(1, 1, CONV_POSITIONS))
        self.weight_v = nn.Parameter(torch.empty(width, width // CONV_GROUPS, CONV_POSITIONS))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.weight_v, std=math.sqrt(4 / (CONV_POSITIONS * width)))
        with torch.no_grad():
            self.weight_g.copy_(self.weight_v.norm(dim=(0, 1), keepdim=True))

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return what is to be added, [B, T, D]."""
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(0, 1), keepdim=True))
        near_BDT = functional.conv1d(
            x_BTD.transpose(1, 2),
            weight,
            self.bias,
            padding=CONV_POSITIONS // 2,
            groups=CONV_GROUPS,
        )
        # An even number of taps gives a place too many.
        return functional.gelu(near_BDT[:, :, :-1]).transpose(1, 2)


class Layer(nn.Module):
    """Attention and feed-forward, each normed after it is added to its input times alpha."""

    def __init__(self, sizes: Sizes, bias: nn.Embedding) -> None:
        super().__init__()
        self.alpha, self.dropout = (2 * sizes.layers) ** 0.25, sizes.dropout
        self.self_attn = Attention(sizes.width, sizes.heads, sizes.dropout, bias)
        self.self_attn_layer_norm = nn.LayerNorm(sizes.width)
        self.fc1 = nn.Linear(sizes.width, sizes.feed)
        self.fc2 = nn.Linear(sizes.feed, sizes.width)
        self.final_layer_norm = nn.LayerNorm(sizes.width)

    def forward(self, x_BTD: Tensor, bias_BHTT: Tensor, hidden_B11T: Tensor) -> Tensor:
        """Return what the layer makes of its input, [B, T, D]."""
        mixed_BTD = self._drop(self.self_attn(x_BTD, bias_BHTT, hidden_B11T))
        x_BTD = self.self_attn_layer_norm(x_BTD * self.alpha + mixed_BTD)
        fed_BTD = self._drop(self.fc2(functional.gelu(self.fc1(x_BTD))))
        return self.final_layer_norm(x_BTD * self.alpha + fed_BTD)  # type: ignore[no-any-return]

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


def _init(stack: Stack, layers: int) -> None:
    """Draw all but the convolution as BERT does, and by deep-norm what is added to the residual."""
    gain = (8 * layers) ** -0.25
    for name, part in stack.named_modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=INIT_STD)
            if isinstance(part, nn.Linear):
                nn.init.zeros_(part.bias)
        if name.endswith(("q_proj", "k_proj")):
            nn.init.xavier_normal_(part.weight)
        elif name.endswith(("v_proj", "out_proj", "fc1", "fc2")):
            nn.init.xavier_normal_(part.weight, gain=gain)
