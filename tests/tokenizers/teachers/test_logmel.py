"""The default teacher is `features.log_mel`, and has nothing to set."""

import numpy as np
import pytest

from wavemill.errors import UsageError
from wavemill.tokenizers.features import FEATURE_KIND, log_mel
from wavemill.tokenizers.teachers.base import Teacher, TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher


def test_it_gives_log_mel_of_clips_of_any_length() -> None:
    made = make_teacher(TeacherConfig())
    assert isinstance(made, Teacher)
    facts = made.facts
    assert (facts.kind, facts.sample_rate, facts.frame_rate) == ("logmel", 16_000, 100.0)
    assert (facts.dim, facts.digest, facts.window_seconds) == (80, FEATURE_KIND, None)
    for samples in (1, 700_000):
        clip = np.random.default_rng(1).normal(0, 0.1, samples).astype(np.float32)
        assert np.array_equal(made.features(clip), log_mel(clip))


@pytest.mark.parametrize("settings", [{"model": "x"}, {"layer": 1}])
def test_it_refuses_weights_and_layers(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="logmel has no weights and no layers"):
        make_teacher(TeacherConfig(**settings))  # type: ignore[arg-type]
