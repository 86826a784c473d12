"""Audio to decode: real speech, and its encoding in every format that can be written here."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile

from wavemill.audio import open_audio

SPEECH = Path(__file__).parents[2] / "examples/speech"
HELLO = SPEECH / "audio/hello-world.flac"

Samples = npt.NDArray[np.float32]


def speech(num_channels: int = 1) -> tuple[Samples, int]:
    """Read a second of speech; a second channel holds it backwards."""
    samples, rate = soundfile.read(HELLO, dtype="float32", always_2d=True)
    assert len(samples) > rate
    samples = samples[:rate]
    return np.concatenate([samples, samples[::-1]][:num_channels], axis=1), rate


def sndfile_bytes(samples: npt.NDArray[Any], rate: int, container: str, subtype: str) -> bytes:
    """Encode [N, C] through libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def ffmpeg_bytes(
    samples: Samples, rate: int, codec: str, container: str, path: Path, *options: str
) -> bytes:
    """Encode [N, C] float32 through FFmpeg; `path` is where: some are read again.

    `options` are FFmpeg's, `name=value`.
    """
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples).reshape(1, -1), format="flt", layout=layout
    )
    frame.sample_rate, frame.pts = rate, 0
    with av.open(
        str(path), "w", format=container, options=dict(option.split("=") for option in options)
    ) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout=layout)
        file.mux([*stream.encode(frame), *stream.encode(None)])
    return path.read_bytes()


def decode(path: Path) -> Samples:
    """Decode a whole file, [N, C]."""
    with open_audio(str(path)) as stream:
        return np.concatenate(list(stream.blocks()))
