"""Encode audio: FLAC for the spool and the shards, Opus for shards that must be small.

The same samples give the same bytes: no clock and no random serial number gets in.
"""

import io

import av
import numpy as np
import numpy.typing as npt
import soundfile

from wavemill.audio.resample import resample
from wavemill.errors import RejectedError
from wavemill.records import UNSUPPORTED

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
MAX_ODD_RATE = 65_535
"""The highest rate that FLAC's frames state in Hz."""
OPUS_BITS_PER_SECOND = 32_000
"""A channel."""


class FlacEncoder:
    """Encodes blocks as one FLAC file; how the audio is blocked does not show in its bytes.

    Samples that came from integers of at most `bit_depth` bits are stored exactly: libsndfile's
    own conversion scales by 32767, this one by 32768, as decoders do.
    """

    def __init__(self, sample_rate: int, num_channels: int, bit_depth: int) -> None:
        """Store samples of 16 or 24 bits.

        Raises:
            RejectedError: FLAC has no such sample rate or number of channels.

        """
        if sample_rate > MAX_ODD_RATE and sample_rate % 10:
            words = f"FLAC cannot hold {sample_rate} Hz: above {MAX_ODD_RATE}, it counts in tens"
            raise RejectedError(UNSUPPORTED, words)
        self._bit_depth = bit_depth
        self._buffer = io.BytesIO()
        form = {"format": "FLAC", "subtype": f"PCM_{bit_depth}"}
        try:
            self._file = soundfile.SoundFile(self._buffer, "w", sample_rate, num_channels, **form)
        except soundfile.LibsndfileError as error:
            raise RejectedError(
                UNSUPPORTED, f"FLAC cannot hold {sample_rate} Hz x {num_channels}: {error}"
            ) from error

    def push(self, block: npt.NDArray[np.float32]) -> None:
        """Encode a block [N, C] float32 in [-1, 1]; what lies outside is clipped."""
        scale = float(1 << (self._bit_depth - 1))
        whole = block * scale
        np.rint(whole, out=whole)
        np.clip(whole, -scale, scale - 1, out=whole)
        if self._bit_depth == 16:
            self._file.write(whole.astype(np.int16))
        else:
            self._file.write(whole.astype(np.int32) << (32 - self._bit_depth))

    def finish(self) -> bytes:
        """Return the file."""
        self.close()
        return self._buffer.getvalue()

    def close(self) -> None:
        """Let go of a file that need not be finished: left to itself, it would write to the end."""
        self._file.close()


def encode_flac(audio: npt.NDArray[np.float32], sample_rate: int, bit_depth: int) -> bytes:
    """Encode [N, C] float32 in one piece; see `FlacEncoder`."""
    encoder = FlacEncoder(sample_rate, audio.shape[1], bit_depth)
    encoder.push(audio)
    return encoder.finish()


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
