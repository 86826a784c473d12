"""Padded batches, and how samples become one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wavemill.loader.sample import Sample


@dataclass(kw_only=True)
class Batch:
    """Samples side by side, filled up to the longest: B of them."""

    keys: list[str]
    datasets: torch.Tensor
    """Which of the loader's datasets each is from, [B], int64."""
    tokens: dict[str, torch.Tensor] = field(default_factory=dict)
    """Of each stream: ids [B, T, Q], int64."""
    token_lengths: dict[str, torch.Tensor] = field(default_factory=dict)
    """Of each stream: [B], int64."""
    times: dict[str, torch.Tensor] = field(default_factory=dict)
    """Of each stream on an irregular clock: [B, T, 2], float32, seconds."""
    audio: torch.Tensor | None = None
    """[B, N], float32, mono, -1 to 1."""
    audio_lengths: torch.Tensor | None = None
    """[B], int64, in samples."""
    sample_rate: int | None = None
    text: list[str | None] | None = None
    cuts: list[dict[str, Any]] | None = None
    """lhotse's cuts as plain values."""
    bucket: str = ""
    """The same on all ranks at the same step."""
    state: dict[str, Any] = field(default_factory=dict)
    """What `load_state_dict` takes to go on after this batch."""

    def __len__(self) -> int:
        return len(self.keys)


Collate = Callable[[Sequence[Sample]], Any]


def collate(samples: Sequence[Sample], pad_id: int = 0) -> Batch:
    """Pad samples into a batch.

    Args:
        samples: one or more, all with the same streams.
        pad_id: what token ids are filled up with; audio and times are filled up with zeros.

    Raises:
        ValueError: their audio has different sample rates.

    """
    first = samples[0]
    batch = Batch(
        keys=[sample.key for sample in samples],
        datasets=torch.tensor([sample.dataset for sample in samples]),
    )
    for stream in first.tokens:
        arrays = [sample.tokens[stream] for sample in samples]
        batch.tokens[stream], batch.token_lengths[stream] = _pad(arrays, np.int64, pad_id)
    for stream in first.times:
        arrays = [sample.times[stream] for sample in samples]
        batch.times[stream], _ = _pad(arrays, np.float32, 0)
    if first.audio is not None:
        rates = {sample.sample_rate for sample in samples}
        if len(rates) > 1:
            raise ValueError(f"sample rates of {rates} Hz in one batch; give sample_rate=")
        waves = [sample.audio for sample in samples if sample.audio is not None]
        batch.audio, batch.audio_lengths = _pad(waves, np.float32, 0)
        batch.sample_rate = first.sample_rate
    if first.cut is not None:
        batch.cuts = [sample.cut for sample in samples if sample.cut is not None]
        batch.text = [sample.text for sample in samples]
    return batch


def _pad(
    arrays: Sequence[npt.NDArray[Any]], dtype: npt.DTypeLike, value: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay arrays [T, ...] side by side: [B, T, ...] and their lengths, [B]."""
    lengths = [len(array) for array in arrays]
    shape = (len(arrays), max(lengths), *arrays[0].shape[1:])
    # In few bytes, and then widened all at once: more of it stays in the cache.
    narrow = arrays[0].dtype if np.can_cast(np.min_scalar_type(value), arrays[0].dtype) else dtype
    padded = np.empty(shape, narrow)
    for row, array, length in zip(padded, arrays, lengths, strict=True):
        row[:length] = array
        row[length:] = value
    return torch.from_numpy(padded.astype(dtype, copy=False)), torch.tensor(lengths)


def map_tensors(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Apply a function to every tensor in a batch, or in what a user's collate made of samples."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, Batch):
        parts = {item.name: getattr(value, item.name) for item in fields(value)}
        kept = {name: parts.pop(name) for name in ("keys", "text", "cuts", "state")}
        return replace(value, **kept, **map_tensors(parts, change))
    if isinstance(value, Mapping):
        return {name: map_tensors(item, change) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(item, change) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(map_tensors(item, change) for item in value)
    return value
