"""`vad`: stretches of speech, by Silero's voice activity detector through onnxruntime.

The weights come inside the `silero-vad` package (MIT), https://github.com/snakers4/silero-vad. Its
sequence model reads frames of 512 samples at 16 kHz, each after the last 64 samples of the one
before it, and carries a state of two vectors; a recording of any length is read in bounded memory.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.audio import mono_blocks
from wavemill.errors import JobError, RejectedError, UsageError
from wavemill.pipelines.segmenters.base import MAX_SECONDS, OpenAudio, piece_of
from wavemill.records import NO_SPEECH, Recording, Span

SAMPLE_RATE = 16_000
FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
FRAMES_A_CALL = 512
WEIGHTS = "silero_vad_16k_sequence.onnx"

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class VadConfig:
    """How probabilities become segments; lengths in seconds."""

    threshold: float = 0.5
    """Speech begins at this probability and ends below `threshold - 0.15`."""
    min_seconds: float = 0.25
    """Shorter stretches are not speech."""
    max_seconds: float = 30.0
    """Longer ones are cut where speech is least likely."""
    merge_gap: float = 0.3
    """Shorter pauses do not end a segment."""
    padding: float = 0.05
    """Added on both sides."""

    def __post_init__(self) -> None:
        """Check that the settings agree."""
        if not 0 < self.threshold < 1:
            raise UsageError(f"vad: threshold={self.threshold} must lie between 0 and 1")
        for name in ("min_seconds", "max_seconds", "merge_gap", "padding"):
            if not 0 <= (value := getattr(self, name)) <= MAX_SECONDS:
                raise UsageError(
                    f"vad: {name}={value} cannot be negative or more than {MAX_SECONDS}"
                )
        if self.max_seconds < max(self.min_seconds, 4 * FRAME_SECONDS):
            raise UsageError(
                f"vad: max_seconds={self.max_seconds} is under min_seconds={self.min_seconds}"
                f" or under {4 * FRAME_SECONDS} s"
            )


class VadSegmenter:
    """Cuts out speech."""

    stated = False
    numbered = True

    def __init__(self, config: VadConfig) -> None:
        """Take the settings and load the detector."""
        self._config = config
        self._session = load_session()

    def spans(self, recording: Recording, open_audio: OpenAudio) -> Iterable[Span]:
        """Listen to the window and return its speech; see `Segmenter.spans`."""
        window = recording.window
        limit = window.duration_seconds if recording.explicit_window else None
        with open_audio() as stream:
            clock = _Clock()
            audio = clock.count(
                mono_blocks(
                    stream,
                    SAMPLE_RATE,
                    start_seconds=window.start_seconds,
                    limit_seconds=limit,
                    channels=window.channels,
                )
            )
            probabilities = speech_probabilities(self._session, audio)
        if not clock.samples:
            return []  # the window lies past the end, or is too short: not a want of speech
        found = speech_spans(probabilities, clock.samples / SAMPLE_RATE, self._config)
        if not found:
            raise RejectedError(NO_SPEECH, "no speech was found; --segment none keeps all audio")
        return [piece_of(window, window.start_seconds + a, b - a) for a, b in found]


class _Clock:
    """Counts the samples that pass."""

    samples = 0

    def count(self, audio: Iterable[Samples]) -> Iterator[Samples]:
        for samples in audio:
            self.samples += len(samples)
            yield samples


def load_session() -> Any:
    """Load Silero's sequence model on one thread, so that workers do not fight over cores.

    Raises:
        JobError: the installed `silero-vad` has no such model.

    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    # The package is found, not imported: importing it would load torch for nothing.
    package = importlib.util.find_spec("silero_vad")
    folders = package.submodule_search_locations if package else None
    weights = Path(next(iter(folders or ["."]))) / "data" / WEIGHTS
    if not weights.exists():
        raise JobError(f"no {WEIGHTS} is installed: pip install 'silero-vad>=6.2.3'")
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


def speech_probabilities(session: Any, audio: Iterable[Samples]) -> Samples:
    """Return a probability of speech for each 32 ms frame, [F], in bounded memory.

    Args:
        session: from `load_session`.
        audio: blocks [N] float32 at 16 kHz, of any lengths; the last frame is filled with zeros.

    """
    state = {name: np.zeros((1, 1, 128), np.float32) for name in ("h", "c")}
    context = np.zeros(CONTEXT_SAMPLES, np.float32)
    found = [np.zeros(0, np.float32)]
    for frames in _frame_blocks(audio):
        contexts = np.concatenate([context[None], frames[:-1, -CONTEXT_SAMPLES:]])
        context = frames[-1, -CONTEXT_SAMPLES:]
        feed = {"input": np.concatenate([contexts, frames], axis=1), **state}
        values, state["h"], state["c"] = session.run(["speech_probs", "hn", "cn"], feed)
        found.append(values.reshape(-1))
    return np.concatenate(found)


def _frame_blocks(audio: Iterable[Samples]) -> Iterator[Samples]:
    """Gather blocks into [F, 512] frames, `FRAMES_A_CALL` at a time."""
    wanted = FRAMES_A_CALL * FRAME_SAMPLES
    waiting: list[Samples] = []
    size = 0
    for samples in audio:
        waiting.append(samples)
        size += len(samples)
        while size >= wanted:
            joined = np.concatenate(waiting)
            yield joined[:wanted].reshape(-1, FRAME_SAMPLES)
            waiting, size = [joined[wanted:]], size - wanted
    if size:
        frames = np.zeros((-(-size // FRAME_SAMPLES), FRAME_SAMPLES), np.float32)
        frames.reshape(-1)[:size] = np.concatenate(waiting)
        yield frames


def speech_spans(
    probabilities: Samples, total_seconds: float, config: VadConfig
) -> list[tuple[float, float]]:
    """Turn frame probabilities [F] into (start, end) in seconds, apart and in order.

    No span is longer than `config.max_seconds`, or reaches outside [0, total_seconds].
    """
    merged: list[list[float]] = []
    for start, end in _runs(probabilities, config.threshold):
        if merged and start - merged[-1][1] < config.merge_gap:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    speech = [(a, min(b, total_seconds)) for a, b in merged if b - a >= config.min_seconds]
    return [
        piece
        for start, end in _pad(speech, total_seconds, config.padding)
        for piece in _split(start, end, probabilities, config.max_seconds)
    ]


def _runs(probabilities: Samples, threshold: float) -> Iterator[tuple[float, float]]:
    """Yield stretches that rise over the threshold and end below it by 0.15 (hysteresis)."""
    low = max(threshold - 0.15, 0.01)
    start = None
    for frame, probability in enumerate(probabilities.tolist()):
        if start is None and probability >= threshold:
            start = frame
        elif start is not None and probability < low:
            yield start * FRAME_SECONDS, frame * FRAME_SECONDS
            start = None
    if start is not None:
        yield start * FRAME_SECONDS, len(probabilities) * FRAME_SECONDS


def _pad(
    speech: list[tuple[float, float]], total_seconds: float, padding: float
) -> Iterator[tuple[float, float]]:
    """Widen each span, up to the middle of a pause that two of them share."""
    for index, (start, end) in enumerate(speech):
        floor = (speech[index - 1][1] + start) / 2 if index else 0.0
        last = index + 1 == len(speech)
        ceiling = total_seconds if last else (end + speech[index + 1][0]) / 2
        yield max(start - padding, floor), min(end + padding, ceiling)


def _split(
    start: float, end: float, probabilities: Samples, max_seconds: float
) -> Iterator[tuple[float, float]]:
    """Cut a span that is too long at the least likely frame of each second half.

    What remains last is a quarter of the maximum at least: no sliver without a word in it.
    """
    while end - start > max_seconds:
        latest = min(start + max_seconds, end - max_seconds / 4)
        low = int((start + max_seconds / 2) / FRAME_SECONDS) + 1
        high = max(int(latest / FRAME_SECONDS), low + 1)
        window = probabilities[low:high]
        # The middle of the quietest frame; of equals the latest, which makes pieces long.
        quietest = high - 1 - int(np.argmin(window[::-1])) if len(window) else low
        cut = min((quietest + 0.5) * FRAME_SECONDS, latest)
        yield start, cut
        start = cut
    yield start, end
