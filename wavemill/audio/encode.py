"""Encode audio: FLAC for the spool and the shards, Opus for shards that must be small.

The same samples give the same bytes: no clock and no random serial number gets in.
"""

import io
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile

from wavemill.audio.resample import resample
from wavemill.errors import RejectedError
from wavemill.records import UNSUPPORTED

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
OPUS_BITS_PER_SECOND = 32_000
"""A channel."""


def encode_flac(audio: npt.NDArray[np.float32], sample_rate: int, bit_depth: int) -> bytes:
    """Encode [N, C] float32 in [-1, 1] as FLAC of 16 or 24 bits; what lies outside is clipped.

    Samples that came from integers of at most `bit_depth` bits are stored exactly: libsndfile's
    own conversion scales by 32767, this one by 32768, as decoders do.

    Raises:
        RejectedError: FLAC has no such sample rate or number of channels.

    """
    scale = float(1 << (bit_depth - 1))
    whole = np.clip(np.rint(audio * scale), -scale, scale - 1)
    samples: npt.NDArray[Any]
    if bit_depth == 16:
        samples = whole.astype(np.int16)
    else:
        samples = whole.astype(np.int32) << (32 - bit_depth)
    buffer = io.BytesIO()
    try:
        soundfile.write(buffer, samples, sample_rate, format="FLAC", subtype=f"PCM_{bit_depth}")
    except soundfile.LibsndfileError as error:
        raise RejectedError(
            UNSUPPORTED, f"FLAC cannot hold {sample_rate} Hz x {audio.shape[1]}: {error}"
        ) from error
    return buffer.getvalue()


def flac_to_float(data: bytes | memoryview) -> tuple[npt.NDArray[np.float32], int]:
    """Decode FLAC bytes to ([N, C] float32, sample rate)."""
    samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples, sample_rate


def opus_rate(sample_rate: int) -> int:
    """Return the rate that Opus stores audio of `sample_rate` at."""
    return sample_rate if sample_rate in OPUS_RATES else 48_000


def encode_opus(audio: npt.NDArray[np.float32], sample_rate: int) -> bytes:
    """Encode [N, C] float32, C at most 2, as Opus in Ogg at `opus_rate(sample_rate)`."""
    rate = opus_rate(sample_rate)
    audio = resample(audio, sample_rate, rate)
    layout = "mono" if audio.shape[1] == 1 else "stereo"
    buffer = io.BytesIO()
    # `bitexact` keeps versions out of the headers and makes the stream's serial number 0.
    with av.open(buffer, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=rate, layout=layout)
        stream.bit_rate = OPUS_BITS_PER_SECOND * audio.shape[1]
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(audio.reshape(1, -1)), format="flt", layout=layout
        )
        frame.sample_rate = rate
        frame.pts = 0  # without it, the last page counts the encoder's delay twice
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()
