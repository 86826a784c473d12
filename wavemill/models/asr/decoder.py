"""A transformer that writes a text, unit by unit, looking at what the encoder made of the speech.

In training all units of a text are done at once. In a search a unit is added at a time: keys and
values of those before it are kept, and those of the speech are made once. Hypotheses of one
utterance look at the same speech, so in attention to it they stand side by side as positions do.

Shapes end names: B utterances, K hypotheses of each, U positions, T frames of speech, D features,
H heads, E features of a head, V units and the end.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavemill.models.transformer import angles, init_weights, rotate

attend = functional.scaled_dot_product_attention


@dataclass(kw_only=True)
class Heard:
    """The speech as a layer looks at it."""

    keys: Tensor
    """[B, H, T, E]."""
    values: Tensor
    """[B, H, T, E]."""
    real: Tensor
    """Which frames are not padded, [B, T]."""


@dataclass(kw_only=True)
class Written:
    """What a layer keeps of the positions before: each [B * K, H, U, E]."""

    keys: Tensor
    values: Tensor


@dataclass(kw_only=True)
class State:
    """What all layers keep in a search."""

    heard: list[Heard]
    written: list[Written]
    position: int = 0

    def choose(self, rows: Tensor) -> None:
        """Keep hypotheses by their numbers among all B * K, in this order; some more than once."""
        for part in self.written:
            part.keys, part.values = part.keys[rows], part.values[rows]


class DecoderBlock(nn.Module):
    """Attention to the text so far, attention to the speech, a feed-forward layer."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.text_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.text_from_heads = nn.Linear(width, width)
        self.speech_norm = nn.LayerNorm(width)
        self.to_query = nn.Linear(width, width)
        self.to_keys_values = nn.Linear(width, 2 * width)
        self.speech_from_heads = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = nn.Linear(width, 4 * width)
        self.feed_out = nn.Linear(4 * width, width)

    def hear(self, speech_BTD: Tensor, real_BT: Tensor) -> Heard:
        """Make what the layer looks at of the speech."""
        pairs = self.to_keys_values(speech_BTD).unflatten(2, (2, self.heads, -1))
        keys, values = pairs.permute(2, 0, 3, 1, 4).unbind(0)
        return Heard(keys=keys, values=values, real=real_BT)

    def forward(self, x_BUD: Tensor, turn: tuple[Tensor, Tensor], heard: Heard) -> Tensor:
        """Return what the layer makes of whole texts, [B, U, D]."""
        q, k, v = self._text(x_BUD, turn)
        mixed = attend(q, k, v, is_causal=True)
        x_BUD = x_BUD + self._drop(self.text_from_heads(mixed.transpose(1, 2).flatten(2)))
        return self._feed(self._look(x_BUD, heard))

    def add(
        self, x_BKD: Tensor, turn: tuple[Tensor, Tensor], heard: Heard, written: Written
    ) -> Tensor:
        """Return what the layer makes of the next positions, [B, K, D], and keep them."""
        q, k, v = self._text(x_BKD.flatten(0, 1)[:, None], turn)
        written.keys = torch.cat([written.keys, k], 2)
        written.values = torch.cat([written.values, v], 2)
        mixed = attend(q, written.keys, written.values).flatten(1)
        x_BKD = x_BKD + self.text_from_heads(mixed).view_as(x_BKD)
        return self._feed(self._look(x_BKD, heard))

    def _text(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.to_qkv(self.text_norm(x)).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return rotate(q, turn), rotate(k, turn), v

    def _look(self, x: Tensor, heard: Heard) -> Tensor:
        query = self.to_query(self.speech_norm(x)).unflatten(2, (self.heads, -1)).transpose(1, 2)
        mixed = attend(query, heard.keys, heard.values, attn_mask=heard.real[:, None, None])
        return x + self._drop(self.speech_from_heads(mixed.transpose(1, 2).flatten(2)))

    def _feed(self, x: Tensor) -> Tensor:
        inner = functional.gelu(self.feed_in(self.feed_norm(x)))
        return x + self._drop(self.feed_out(inner))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class TextDecoder(nn.Module):
    """From the units of a text so far, and the speech, to the next unit. The last one is the end.

    A text begins with the end of the one before it, which has the same id.
    """

    def __init__(self, *, units: int, layers: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.end, self.dropout = units, dropout
        self.head_width = width // heads
        self.table = nn.Embedding(units + 1, width)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, units + 1)
        init_weights(self, layers)

    def forward(self, targets_BU: Tensor, speech_BTD: Tensor, real_BT: Tensor) -> Tensor:
        """Return logits of each unit and the end, given the units before, [B, U + 1, V].

        Args:
            targets_BU: ids; no position sees those that come after it.
            speech_BTD: what the encoder made of the speech.
            real_BT: which frames are not padded, at least one.

        """
        ids_BU = functional.pad(targets_BU, (1, 0), value=self.end)
        x_BUD = functional.dropout(self.table(ids_BU), self.dropout, self.training)
        turn = angles(ids_BU.shape[1], self.head_width, ids_BU.device)
        for block in self._layers:
            x_BUD = block(x_BUD, turn, block.hear(speech_BTD, real_BT))
        return self.head(self.norm(x_BUD))  # type: ignore[no-any-return]

    def start(self, speech_BTD: Tensor, real_BT: Tensor, beam: int) -> State:
        """Begin to write: `beam` hypotheses of each utterance, all of them empty."""
        heard = [block.hear(speech_BTD, real_BT) for block in self._layers]
        size, heads, _, features = heard[0].keys.shape
        nothing = speech_BTD.new_empty(size * beam, heads, 0, features)
        return State(heard=heard, written=[Written(keys=nothing, values=nothing) for _ in heard])

    def step(self, ids_BK: Tensor, state: State) -> Tensor:
        """Add a unit to each hypothesis, the end first; return logits of the next, [B, K, V].

        Args:
            ids_BK: the units.
            state: is moved on by a position.

        """
        turn = angles(1, self.head_width, ids_BK.device, state.position)
        state.position += 1
        x_BKD = self.table(ids_BK)
        for block, heard, written in zip(self._layers, state.heard, state.written, strict=True):
            x_BKD = block.add(x_BKD, turn, heard, written)
        return self.head(self.norm(x_BKD))  # type: ignore[no-any-return]

    @property
    def _layers(self) -> list[DecoderBlock]:
        return cast("list[DecoderBlock]", list(self.blocks))
