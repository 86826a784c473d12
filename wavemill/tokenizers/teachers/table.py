"""Teachers by the name that `teacher=` and `--teacher` take."""

from collections.abc import Callable

from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import Teacher, TeacherConfig
from wavemill.tokenizers.teachers.beats import BeatsTeacher
from wavemill.tokenizers.teachers.logmel import LogMelTeacher
from wavemill.tokenizers.teachers.transformers_encoder import TransformersTeacher
from wavemill.tokenizers.teachers.whisper import WhisperTeacher

TEACHERS: dict[str, Callable[[TeacherConfig, Place], Teacher]] = {
    "beats": BeatsTeacher,
    "data2vec-audio": TransformersTeacher,
    "hubert": TransformersTeacher,
    "logmel": LogMelTeacher,
    "unispeech-sat": TransformersTeacher,
    "wav2vec2": TransformersTeacher,
    "wavlm": TransformersTeacher,
    "whisper": WhisperTeacher,
}
"""Name -> teacher. One row a teacher."""


def make_teacher(config: TeacherConfig, place: Place | None = None) -> Teacher:
    """Build the teacher that a config names, weights and all; on a CPU unless told where.

    Raises:
        UsageError: there is no such teacher, or its weights cannot be had.

    """
    if config.name not in TEACHERS:
        raise UsageError(f"there is no teacher {config.name!r}; there are: {', '.join(TEACHERS)}")
    return TEACHERS[config.name](config, place or Place())
