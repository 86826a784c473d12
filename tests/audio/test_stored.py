"""Stored audio is sound only if all of it decodes to what was encoded."""

import io
import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from wavemill.audio import encode_flac, encode_opus
from wavemill.audio.stored import StoredAudio, check_stored
from wavemill.errors import RejectedError

RATE = 16_000


def noise(seconds: float, channels: int = 1) -> npt.NDArray[np.float32]:
    dice = np.random.default_rng(3)
    return dice.uniform(-0.3, 0.3, (int(seconds * RATE), channels)).astype(np.float32)


def flac(seconds: float = 2, channels: int = 1) -> bytes:
    return encode_flac(noise(seconds, channels), RATE, 16)


def deep_flac(seconds: float, channels: int) -> bytes:
    return encode_flac(noise(seconds, channels), RATE, 24)


def opus(seconds: float = 2, channels: int = 1) -> bytes:
    return encode_opus(noise(seconds, channels), RATE)


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("data", "extension"),
    [(flac, "flac"), (deep_flac, "flac"), (opus, "opus")],
    ids=["flac 16", "flac 24", "opus"],
)
def test_what_we_encode_is_sound(
    data: Callable[[float, int], bytes], extension: str, channels: int, decode: bool
) -> None:
    found = check_stored(data(7.3, channels), extension, decode=decode)
    assert found == StoredAudio(num_samples=116_800, sample_rate=RATE, num_channels=channels)


@pytest.mark.parametrize(("data", "extension"), [(flac(12), "flac"), (opus(12), "opus")])
def test_a_flipped_bit_is_found_wherever_sound_is_stored(data: bytes, extension: str) -> None:
    dice = random.Random(1)
    start = data.index(b"\xff\xf8") if extension == "flac" else 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[dice.randrange(start, len(data))] ^= 1 << dice.randrange(8)
        with pytest.raises(RejectedError):
            check_stored(bytes(damaged), extension)


def test_samples_that_are_not_those_of_the_md5_are_found() -> None:
    one, other = flac(), encode_flac(-noise(2), RATE, 16)
    with pytest.raises(RejectedError, match="MD5"):
        check_stored(one[:42] + other[42:], "flac")


@pytest.mark.parametrize(("data", "extension"), [(flac(), "flac"), (opus(), "opus")])
def test_audio_that_was_cut_short_is_found(data: bytes, extension: str) -> None:
    for share in (0.1, 0.5, 0.9, 0.999):
        with pytest.raises(RejectedError):
            check_stored(data[: int(share * len(data))], extension)


def test_another_kind_of_audio_is_refused() -> None:
    wav = io.BytesIO()
    soundfile.write(wav, noise(1), RATE, format="WAV")
    for data, extension in ((wav.getvalue(), "flac"), (opus(), "flac"), (flac(), "opus")):
        with pytest.raises(RejectedError, match=f"not {extension}"):
            check_stored(data, extension)
    with pytest.raises(RejectedError, match=r"[^.]"):
        check_stored(b"", "flac")
