import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wavemill.audio import open_audio
from wavemill.pipelines.segment import AudioForm, segment_unit
from wavemill.pipelines.segmenters.vad import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    SAMPLE_RATE,
    Samples,
    VadConfig,
    VadSegmenter,
    load_session,
    speech_probabilities,
    speech_spans,
)
from wavemill.records import NO_SPEECH, Recording, Reject, Segment, Span

LONG = Path(__file__).parents[2] / "examples/speech/long"
ROWS = [json.loads(line) for line in (LONG / "manifest.jsonl").read_text("utf-8").splitlines()]

PROBABILITIES = st.lists(
    st.floats(0, 1, width=32) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=300
) | st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(1, 60)), min_size=1).map(
    lambda runs: [value for value, length in runs for _ in range(length)]
)
CONFIGS = st.builds(
    VadConfig,
    threshold=st.floats(0.05, 0.95),
    min_seconds=st.floats(0, 1),
    max_seconds=st.floats(1, 8),
    merge_gap=st.floats(0, 1),
    padding=st.floats(0, 0.5),
)


def total_of(probabilities: list[float], missing_samples: int) -> float:
    """Give the length of audio whose last frame lacks some samples."""
    return (len(probabilities) * FRAME_SAMPLES - missing_samples) / SAMPLE_RATE


@pytest.fixture(scope="module")
def session() -> Any:
    return load_session()


@settings(deadline=None)
@given(PROBABILITIES, st.integers(0, FRAME_SAMPLES - 1), CONFIGS)
def test_spans_are_in_order_apart_within_the_audio_and_not_too_long(
    probabilities: list[float], missing: int, config: VadConfig
) -> None:
    total = total_of(probabilities, missing)
    spans = speech_spans(np.array(probabilities, np.float32), total, config)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    for start, end in spans:
        assert 0 <= start < end <= total
        assert end - start <= config.max_seconds + 1e-9


@settings(deadline=None)
@given(PROBABILITIES, CONFIGS)
@example([1.0] * 100, VadConfig(padding=0.0))
def test_speech_is_found_where_probabilities_are_high_and_only_there(
    probabilities: list[float], config: VadConfig
) -> None:
    values = np.array(probabilities)
    spans = speech_spans(values.astype(np.float32), total_of(probabilities, 0), config)
    middles = (np.arange(len(values)) + 0.5) * FRAME_SECONDS
    inside = np.zeros(len(values), bool)
    for start, end in spans:
        inside |= (middles >= start) & (middles <= end)
    if values.max() < config.threshold:
        assert not spans
    if config.min_seconds <= FRAME_SECONDS:
        assert inside[values >= config.threshold].all()
    far = config.padding + config.merge_gap + FRAME_SECONDS
    for middle in middles[inside]:  # a frame of speech is never far off
        near = np.abs(middles - middle) <= far + FRAME_SECONDS
        assert values[near].max() >= min(config.threshold, max(config.threshold - 0.15, 0.01))


@settings(deadline=None)
@given(st.lists(st.floats(0, 0.484375, width=32), max_size=200))
def test_all_low_probabilities_give_nothing(probabilities: list[float]) -> None:
    total = total_of(probabilities, 0)
    assert speech_spans(np.array(probabilities, np.float32), total, VadConfig()) == []


def spans_of(text: str, **config: float) -> list[tuple[int, int]]:
    """Draw probabilities: # is speech, = between the thresholds, . silence; give frames."""
    values = np.array([{"#": 0.9, "=": 0.4, ".": 0.1}[letter] for letter in text], np.float32)
    quiet = VadConfig(**{"min_seconds": 0.0, "merge_gap": 0.0, "padding": 0.0, **config})
    found = speech_spans(values, len(values) * FRAME_SECONDS, quiet)
    return [(round(start / FRAME_SECONDS), round(end / FRAME_SECONDS)) for start, end in found]


def test_speech_ends_below_a_lower_threshold_than_it_begins() -> None:
    assert spans_of("..##==##..==..") == [(2, 8)]
    assert spans_of("==##==..") == [(2, 6)]


def test_short_pauses_are_bridged_and_short_sounds_are_dropped() -> None:
    assert spans_of("####..####", merge_gap=0.1) == [(0, 10)]
    assert spans_of("####....####", merge_gap=0.1) == [(0, 4), (8, 12)]
    assert spans_of("#....####", min_seconds=0.1) == [(5, 9)]
    assert spans_of("#.#.#.", min_seconds=0.1, merge_gap=0.05) == [(0, 5)]


def test_padding_stays_within_the_audio_and_meets_in_the_middle_of_a_pause() -> None:
    assert spans_of("....##....", padding=2 * FRAME_SECONDS) == [(2, 8)]
    assert spans_of("##..##", padding=1.0) == [(0, 3), (3, 6)]


def test_long_speech_is_cut_where_it_is_least_likely() -> None:
    values = np.full(1000, 0.9, np.float32)
    values[220] = 0.6
    config = VadConfig(max_seconds=10.0, padding=0.0)
    spans = speech_spans(values, 32.0, config)
    assert spans[0] == pytest.approx((0.0, 220.5 * FRAME_SECONDS))
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert spans[-1][1] == 32.0


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 20 * SAMPLE_RATE), max_size=30))
def test_probabilities_do_not_depend_on_the_blocks_that_audio_comes_in(cuts: list[int]) -> None:
    audio = long_audio(0)[: 20 * SAMPLE_RATE]
    session = load_session()
    whole = speech_probabilities(session, [audio])
    assert len(whole) == -(-len(audio) // FRAME_SAMPLES)
    assert np.array_equal(speech_probabilities(session, np.split(audio, sorted(cuts))), whole)


def long_audio(number: int) -> Samples:
    samples, rate = soundfile.read(LONG / ROWS[number]["audio_filepath"], dtype="float32")
    assert rate == SAMPLE_RATE
    found: Samples = samples
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_probabilities_are_those_of_the_detectors_own_package(session: Any) -> None:
    from silero_vad import sequence_vad

    audio = long_audio(1)
    weights = Path(sequence_vad.__file__).parent / "data/silero_vad_16k_sequence.onnx"
    expected = sequence_vad.SileroVADSequence(str(weights)).audio_forward(audio)
    assert np.array_equal(speech_probabilities(session, [audio]), expected)


def test_no_audio_has_no_probabilities(session: Any) -> None:
    assert speech_probabilities(session, []).shape == (0,)
    assert speech_probabilities(session, [np.zeros(1, np.float32)]).shape == (1,)


def frames(spans: list[tuple[float, float]], num_frames: int) -> np.ndarray[Any, Any]:
    marked = np.zeros(num_frames, bool)
    for start, end in spans:
        marked[round(start * 100) : round(end * 100)] = True
    return marked


def cut(*recordings: Recording, config: VadConfig | None = None) -> list[Segment | Reject]:
    return list(segment_unit(recordings, VadSegmenter(config or VadConfig()), AudioForm()))


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_the_speech_in_a_long_recording_is_found(number: int) -> None:
    row = ROWS[number]
    found = cut(Recording(id="r", url=str(LONG / row["audio_filepath"])))
    spans = []
    for result in found:
        assert isinstance(result, Segment)
        spans.append((result.start_seconds, result.start_seconds + result.duration_seconds))
    num_frames = int(row["duration"] * 100) + 1
    truth = frames([(start, end) for start, end, _ in row["segments"]], num_frames)
    marked = frames(spans, num_frames)
    hits = int((truth & marked).sum())
    f1 = 2 * hits / int(truth.sum() + marked.sum())
    assert f1 >= 0.93
    assert abs(len(spans) - len(row["segments"])) <= 5
    assert found[0].id == "r@0000"


def test_a_segment_holds_the_samples_of_its_span() -> None:
    row = ROWS[0]
    url = str(LONG / row["audio_filepath"])
    about = Span(start_seconds=0.0, text="everything", language="en", custom={"segments": [1]})
    found = cut(Recording(id="r", url=url, window=about))
    audio = long_audio(0)
    assert len(found) > 1
    for result in found:
        assert isinstance(result, Segment)
        start = round(result.start_seconds * SAMPLE_RATE)
        stored, _ = soundfile_read(result.audio)
        assert np.array_equal(stored, audio[start : start + result.num_samples])
        assert (result.text, result.language, dict(result.custom)) == (None, "en", {})


def soundfile_read(flac: bytes) -> tuple[Samples, int]:
    import io

    samples, rate = soundfile.read(io.BytesIO(flac), dtype="float32")
    return samples, rate


def test_only_the_window_of_a_row_is_listened_to() -> None:
    row = ROWS[0]
    start, end, _ = row["segments"][1]
    window = Span(start_seconds=start - 0.4, duration_seconds=end - start + 0.8, text="words")
    url = str(LONG / row["audio_filepath"])
    (found,) = cut(Recording(id="r", url=url, window=window, explicit_window=True))
    assert isinstance(found, Segment)
    assert window.start_seconds <= found.start_seconds <= start + 0.2
    assert end - 0.2 <= found.start_seconds + found.duration_seconds <= end + 0.4
    assert found.text == "words"  # it is in one piece


def test_segments_are_no_longer_than_asked() -> None:
    url = str(LONG / ROWS[1]["audio_filepath"])
    found = cut(Recording(id="r", url=url), config=VadConfig(max_seconds=1.5))
    lengths = [result.duration_seconds for result in found if isinstance(result, Segment)]
    assert len(lengths) == len(found) > 20
    assert max(lengths) <= 1.5


def test_silence_is_rejected_for_holding_no_speech(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(32_000, np.int16), 16_000)
    (found,) = cut(Recording(id="r", url=str(tmp_path / "a.wav")))
    assert isinstance(found, Reject)
    assert (found.id, found.reason) == ("r", NO_SPEECH)


def test_speech_is_found_at_another_rate_and_in_one_channel(tmp_path: Path) -> None:
    with open_audio(str(LONG / ROWS[0]["audio_filepath"])) as stream:
        audio = next(stream.blocks())[: 8 * SAMPLE_RATE, 0]
    other = np.stack([np.zeros_like(audio), audio], axis=1)[::2]  # 8 kHz, silence beside it
    soundfile.write(tmp_path / "a.wav", other, 8_000)
    url = str(tmp_path / "a.wav")
    quiet = cut(Recording(id="q", url=url, window=Span(start_seconds=0.0, channels=(0,))))
    spoken = cut(Recording(id="s", url=url, window=Span(start_seconds=0.0, channels=(1,))))
    assert [type(result) for result in quiet] == [Reject]
    assert len(spoken) == 2
    assert all(isinstance(result, Segment) for result in spoken)


@given(st.floats(30.01, 200))
def test_splitting_leaves_no_sliver(seconds: float) -> None:
    probabilities = np.ones(int(seconds / 0.032) + 1, np.float32)
    found = speech_spans(probabilities, seconds, VadConfig())
    assert min(end - start for start, end in found) >= 30 / 4 - 0.05
