"""A causal convolutional encoder, run over clips block by block, with nothing lost at the seams.

Each convolution keeps the samples that its next outputs look back at, and the LSTM its state, so a
block's output is that of the whole clip at its place. Two things come of it. Memory is bounded, for
however long a clip. And it is several times faster on a CPU: a layer's input and output stay in
the cache, and no buffer is so large that the system has to give fresh pages for it each time.

An LSTM reads all its weights for every frame, which takes longer than to multiply by them. So it
runs over a fixed number of clips in step, those of about equal length together; there are always as
many lanes, if need be of zeros, since with another number sums are made in another order. On a GPU
clips go one by one, in longer blocks: `Place.block_steps` says why.

Only a clip's two ends are padded, as a run over the whole of it does: on the left by reflection,
on the right, where a stride does not fit, by reflection of the last samples.

Legend: C channels, N samples, T frames of the encoder, L lanes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wavemill.tokenizers.causal_layers import CausalStack, prepare
from wavemill.tokenizers.device import Place

FRAMES_A_BLOCK = 30
"""Of the first convolutions on a CPU, 0.4 s of EnCodec: the largest activations are 1.2 MB."""
BLOCKS_A_PIECE = 100
"""Of the LSTM and what follows on a CPU, 40 s."""
LANES = 4
"""Of the LSTM on a CPU: twice the speed of one; eight are hardly faster, wasted on few clips."""


class _Piece(NamedTuple):
    """A stretch of a clip on its way into the LSTM."""

    frames: Tensor
    """[T, C]."""
    is_last: bool


class BlockEncoder:
    """EnCodec's encoder (transformers' `EncodecEncoder`) with causal convolutions, in blocks."""

    def __init__(self, encoder: Any, hop_samples: int, sample_rate: int, place: Place) -> None:
        """Split the encoder at its LSTM, and before the last stride in front of that."""
        layers = list(encoder.layers)
        recurrent = [hasattr(layer, "lstm") for layer in layers].index(True)
        # The last stride's ELU goes with it.
        self._front = prepare(layers[: recurrent - 2])
        self._stride = prepare(layers[recurrent - 2 : recurrent])
        self._lstm: nn.LSTM = layers[recurrent].lstm
        self._back = prepare(layers[recurrent + 1 :])
        self._block_frames = place.block_steps(FRAMES_A_BLOCK, sample_rate / hop_samples)
        self._block_samples = self._block_frames * hop_samples
        self._lanes = LANES if place.kind == "cpu" else 1

    def latents(self, clips: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
        """Encode clips, each [N]; yield a clip's number and its next latents, [T, D]."""
        order = sorted(range(len(clips)), key=lambda number: len(clips[number]))
        for start in range(0, len(order), self._lanes):
            numbers = order[start : start + self._lanes]
            for lane, latents_TD in self._in_lanes([clips[number] for number in numbers]):
                yield numbers[lane], latents_TD

    def _in_lanes(self, clips: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
        sources = [self._pieces(clip) for clip in clips]
        backs = [CausalStack(self._back) for _ in clips]
        state = None
        while True:
            pieces = {lane: piece for lane, of in enumerate(sources) if (piece := next(of, None))}
            if not pieces:
                return
            frames_TLC = _side_by_side(pieces, self._lanes)
            output_TLC, state = self._lstm(frames_TLC, state)
            output_TLC += frames_TLC
            for lane, (frames_TC, is_last) in pieces.items():
                output_TC = output_TLC[: len(frames_TC), lane]
                yield lane, backs[lane].feed(output_TC, is_last=is_last)

    def _pieces(self, clip_N: Tensor) -> Iterator[_Piece]:
        front, stride = CausalStack(self._front), CausalStack(self._stride)
        most = max(1, FRAMES_A_BLOCK * BLOCKS_A_PIECE // self._block_frames)
        blocks: list[Tensor] = []
        for start in range(0, len(clip_N), self._block_samples):
            stop = start + self._block_samples
            is_last = stop >= len(clip_N)
            blocks.append(front.feed(clip_N[start:stop, None], is_last=is_last))
            if is_last or len(blocks) == most:
                yield _Piece(stride.feed(torch.cat(blocks), is_last=is_last), is_last)
                blocks = []


def _side_by_side(pieces: dict[int, _Piece], lanes: int) -> Tensor:
    """Put pieces into lanes, and zeros where there is none or a piece is shorter than another."""
    longest = max((piece.frames for piece in pieces.values()), key=len)
    frames_TLC = longest.new_zeros(len(longest), lanes, longest.shape[1])
    for lane, piece in pieces.items():
        frames_TLC[: len(piece.frames), lane] = piece.frames
    return frames_TLC
