"""Decoding audio as fast as libsndfile does: several threads at once, and only what is needed."""

import io
import os
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from wavemill.audio import to_mono
from wavemill.loader.buffers import Buffers

_LOCAL = threading.local()
_BUFFERS = Buffers(64)
"""As many as a batch has samples, about: they lie in them until they are padded."""


def decode(
    data: memoryview, start: float = 0.0, seconds: float | None = None
) -> tuple[npt.NDArray[np.float32], int]:
    """Decode FLAC or Ogg Opus to mono.

    Args:
        data: the whole file.
        start: where to begin, in seconds.
        seconds: how much at most; all if None.

    Returns:
        Samples [N], -1 to 1, and their rate.

    Raises:
        soundfile.LibsndfileError: it cannot be decoded.
        ValueError: it ends too early.

    """
    with soundfile.SoundFile(_as_file(data)) as file:
        rate: int = file.samplerate
        if start:
            file.seek(round(start * rate))
        expected = file.frames - file.tell()
        if seconds is not None:
            expected = min(expected, round(seconds * rate))
        samples = _BUFFERS.empty((expected, file.channels), np.float32)
        samples = file.read(dtype="float32", always_2d=True, out=samples)
    if len(samples) < expected:
        raise ValueError(f"audio ends after {len(samples)} of {expected} samples")
    return to_mono(samples), rate


class _MemoryFile:
    """A file in memory, closed when its thread ends."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("wavemill-audio")

    def __del__(self) -> None:
        os.close(self.descriptor)


def _as_file(data: memoryview) -> Any:
    """Give libsndfile something that it reads by itself, without asking Python for each block."""
    if not hasattr(os, "memfd_create"):
        return io.BytesIO(data)
    if getattr(_LOCAL, "owner", None) != os.getpid():  # a fork shares the file with its parent
        _LOCAL.owner, _LOCAL.file = os.getpid(), _MemoryFile()
    descriptor: int = _LOCAL.file.descriptor
    os.ftruncate(descriptor, len(data))
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], written)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.dup(descriptor)
