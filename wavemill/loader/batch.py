"""Padded batches, and how samples become one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wavemill.errors import UsageError
from wavemill.loader.buffers import Buffers
from wavemill.loader.columns import Columns
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

    def pin_memory(self) -> "Batch":
        """Return it in pinned memory; torch's `DataLoader(pin_memory=True)` calls this."""
        pinned: Batch = map_tensors(self, torch.Tensor.pin_memory)
        return pinned

    def to(self, device: str | torch.device, *, non_blocking: bool = False) -> "Batch":
        """Return it on a device, where a `DataLoader` and no `device=` of the loader gave it."""
        moved: Batch = map_tensors(self, lambda one: one.to(device, non_blocking=non_blocking))
        return moved


_BUFFERS = Buffers(4)
"""One that is being written, and those that a trainer still holds."""

Collate = Callable[[Sequence[Sample]], Any]


def collate(samples: Sequence[Sample], pad_id: int = 0) -> Batch:
    """Pad samples into a batch.

    Args:
        samples: one or more, all with the same streams.
        pad_id: what token ids are filled up with; audio and times are filled up with zeros.

    Raises:
        UsageError: their audio has different sample rates.

    """
    first = samples[0]
    columns = Columns(
        keys=[sample.key for sample in samples],
        datasets=[sample.dataset for sample in samples],
        tokens={name: [sample.tokens[name] for sample in samples] for name in first.tokens},
        times={name: [sample.times[name] for sample in samples] for name in first.times},
    )
    batch = stack(columns, pad_id)
    if first.audio is not None:
        rates = {sample.sample_rate for sample in samples}
        if len(rates) > 1:
            named = " and ".join(map(str, sorted(filter(None, rates))))
            raise UsageError(f"audio of {named} Hz in one batch; give sample_rate=")
        waves = [sample.audio for sample in samples if sample.audio is not None]
        batch.audio, batch.audio_lengths = _tensors(_pad(waves, 0), np.float32)
        batch.sample_rate = first.sample_rate
    if first.cut is not None:
        batch.cuts = [sample.cut for sample in samples if sample.cut is not None]
        batch.text = [sample.text for sample in samples]
    return batch


def stack(columns: Columns, pad_id: int = 0, limits: Mapping[str, int] | None = None) -> Batch:
    """Pad samples' arrays into a batch.

    Args:
        columns: the samples.
        pad_id: what token ids are filled up with.
        limits: what the ids of streams must be below, if that is to be checked.

    Raises:
        ValueError: an id is not.

    """
    batch = Batch(keys=columns.keys, datasets=torch.from_numpy(np.array(columns.datasets)))
    for name, arrays in columns.tokens.items():
        padded, lengths = _pad(arrays, pad_id)
        if limits and padded.size and int(padded.max()) >= limits[name]:
            raise ValueError(f"an id of {name} is over its codebook")
        batch.tokens[name], batch.token_lengths[name] = _tensors((padded, lengths), np.int64)
    for name, arrays in columns.times.items():
        batch.times[name], _ = _tensors(_pad(arrays, 0), np.float32)
    return batch


def _pad(
    arrays: Sequence[npt.NDArray[Any]], value: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Lay arrays [T, ...] side by side, [B, T, ...], and return their lengths, [B]."""
    lengths = [len(array) for array in arrays]
    first = arrays[0]
    # In few bytes where the value fits: widened all at once later, more stays in the cache.
    fits = np.can_cast(np.min_scalar_type(value), first.dtype)
    dtype = first.dtype if fits or first.dtype.kind == "f" else np.int64
    padded = _BUFFERS.empty((len(arrays), max(lengths), *first.shape[1:]), dtype)
    for row, array, length in zip(padded, arrays, lengths, strict=True):
        row[:length] = array
        row[length:] = value
    return padded, np.array(lengths)


def _tensors(
    padded: tuple[npt.NDArray[Any], npt.NDArray[np.int64]], dtype: npt.DTypeLike
) -> tuple[torch.Tensor, torch.Tensor]:
    values, lengths = padded
    if values.dtype != dtype:
        narrow, values = values, _BUFFERS.empty(values.shape, dtype)
        np.copyto(values, narrow)
    return torch.from_numpy(values), torch.from_numpy(lengths)


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
