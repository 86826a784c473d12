import io
import os
import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from wavemill.audio.wav import write_wav

Block = npt.NDArray[np.float32]


@given(sizes=st.lists(st.integers(0, 500), max_size=6), cut=st.integers(0, 100))
def test_blocks_are_read_back_as_one(sizes: list[int], cut: int) -> None:
    random = np.random.default_rng(0)
    blocks = [random.uniform(-1.2, 1.2, size).astype(np.float32) for size in sizes]
    samples = max(0, sum(sizes) - cut)
    file = io.BytesIO()
    write_wav(file, blocks, 16_000, samples)
    audio, rate = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
    wanted = np.clip(np.concatenate([*blocks, np.zeros(0, np.float32)])[:samples], -1, 1)
    assert (rate, len(audio)) == (16_000, samples)
    assert np.allclose(audio, wanted, atol=1e-4)


def test_a_reader_of_a_pipe_has_a_block_before_the_next_is_made() -> None:
    source, sink = os.pipe()
    heard = threading.Event()

    def blocks() -> Iterator[Block]:
        yield np.ones(100, np.float32)
        assert heard.wait(10)
        yield np.ones(50, np.float32)

    def write() -> None:
        with os.fdopen(sink, "wb") as file:
            write_wav(file, blocks(), 8_000, 150)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(source, "rb") as file:
        begin = file.read(44 + 200)
        heard.set()
        content = begin + file.read()
    writer.join()
    audio, _ = soundfile.read(io.BytesIO(content))
    assert len(audio) == 150


def test_what_is_missing_is_told() -> None:
    with pytest.raises(ValueError, match="20 of 120 samples are missing"):
        write_wav(io.BytesIO(), [np.zeros(100, np.float32)], 8_000, 120)
    with pytest.raises(ValueError, match="too many"):
        write_wav(io.BytesIO(), [], 8_000, 2**31)
