import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.audio_files import Samples
from wavemill.audio import AudioInfo, encode_flac, flac_to_float, open_audio, resample, to_mono
from wavemill.audio.stream import BLOCK_SAMPLES
from wavemill.pipelines.cut import AudioForm, Cut, cut_file
from wavemill.records import INVALID_ROW, UNSUPPORTED, Recording, Span

RATE = 16_000


@dataclass
class Blocks:
    """An open file whose blocks are at hand."""

    blocks_: list[Samples]
    info: AudioInfo

    def blocks(self) -> Iterator[Samples]:
        yield from self.blocks_


def cut_one(
    audio: Samples,
    cuts: list[int],
    span: Span,
    form: AudioForm | None = None,
    bit_depth: int = 16,
) -> Cut:
    """Cut a span out of audio that comes in blocks."""
    info = AudioInfo(sample_rate=RATE, num_channels=audio.shape[1], bit_depth=bit_depth)
    stream = Blocks(np.split(audio, sorted(cuts)), info)
    recording = Recording(id="a", url="a.wav", window=span)
    total, ((cut,),) = cut_file(stream, [(recording, [span])], form or AudioForm())
    assert total == len(audio)
    return cut


def noise(num_samples: int, num_channels: int = 1) -> Samples:
    dice = np.random.default_rng(num_samples)
    return dice.normal(0, 0.3, (num_samples, num_channels)).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 20_000),
    st.lists(st.integers(0, 20_000), max_size=6),
    st.builds(AudioForm, sample_rate=st.sampled_from([None, 8_000, 44_100]), mono=st.booleans()),
    st.integers(1, 2),
    st.sampled_from([16, 24]),
    st.integers(0, 19_999),
)
def test_a_cut_is_what_its_samples_make_in_one_piece(
    num_samples: int,
    cuts: list[int],
    form: AudioForm,
    num_channels: int,
    bit_depth: int,
    start: int,
) -> None:
    start = min(start, num_samples - 1)
    audio = noise(num_samples, num_channels)
    span = Span(start_seconds=start / RATE)
    cut = cut_one(audio, cuts, span, form, bit_depth=bit_depth)
    part, rate = audio[start:], form.sample_rate or RATE
    expected = resample(to_mono(part)[:, None] if form.mono else part, RATE, rate)
    assert (cut.num_samples, cut.num_channels) == expected.shape
    assert cut.audio == encode_flac(expected, rate, bit_depth)


@pytest.mark.parametrize(("extra", "kept"), [(0, 8000), (1600, 9600), (1601, 8000)])
@pytest.mark.parametrize("cuts", [[], [7990, 8000, 8010], list(range(0, 9700, 100))])
def test_what_lies_beyond_a_rounded_duration_belongs_to_it_at_the_file_s_end_alone(
    extra: int, kept: int, cuts: list[int]
) -> None:
    audio = noise(8000 + extra)
    cut = cut_one(audio, cuts, Span(start_seconds=0.0, duration_seconds=0.5))
    assert cut.audio == encode_flac(audio[:kept], RATE, 16)


def test_a_cut_without_a_sample_is_empty_and_any_other_error_is_not() -> None:
    none = cut_one(noise(8000), [], Span(start_seconds=0.1, duration_seconds=0.0))
    assert none.is_empty
    assert none.error is not None
    assert none.error.reason == INVALID_ROW
    wrong = cut_one(noise(8000), [100], Span(start_seconds=0.0, channels=(1,)))
    assert not wrong.is_empty
    assert wrong.error is not None
    assert wrong.error.reason == UNSUPPORTED
    assert wrong.audio == b""


def test_a_rate_that_flac_cannot_hold_is_an_error_of_the_cut() -> None:
    cut = cut_one(noise(8000), [100], Span(start_seconds=0.0), AudioForm(sample_rate=700_000))
    assert cut.error is not None
    assert cut.error.reason == UNSUPPORTED


@pytest.mark.parametrize("seconds", [None, 1.0])
@pytest.mark.parametrize("form", [AudioForm(), AudioForm(sample_rate=8_000, mono=True)])
def test_a_long_file_is_never_in_memory_as_samples(
    tmp_path: Path, seconds: float | None, form: AudioForm
) -> None:
    num_samples = 40 * BLOCK_SAMPLES
    soundfile.write(tmp_path / "a.flac", np.zeros((num_samples, 2), np.int16), RATE)
    spans = [Span(start_seconds=0.0)]
    if seconds is not None:
        count = -(-num_samples // round(seconds * RATE))
        spans = [Span(start_seconds=n * seconds, duration_seconds=seconds) for n in range(count)]
    recording = Recording(id="a", url=str(tmp_path / "a.flac"))
    with open_audio(recording.url) as stream:
        tracemalloc.start()
        _, (cuts,) = cut_file(stream, [(recording, spans)], form)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    pieces = [flac_to_float(cut.audio)[0] for cut in cuts]
    assert sum(map(len, pieces)) == num_samples * (form.sample_rate or RATE) // RATE
    assert peak < sum(len(cut.audio) for cut in cuts) + 10 * 4 * BLOCK_SAMPLES
