"""Find samples with equal audio, and keep one of each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wavemill.copies import same_as
from wavemill.pipelines.leave_out import Why, leave_out, names_of
from wavemill.pipelines.survey import Survey, SurveyConfig
from wavemill.records import DUPLICATE_AUDIO

STAGE = "dedup"


def later_copies(audio_keys: npt.NDArray[np.uint64]) -> dict[int, int]:
    """Map each sample whose audio came before to the first that has it (positions in [N])."""
    order = np.argsort(audio_keys, kind="stable")
    new = np.ones(len(order), bool)
    new[1:] = audio_keys[order][1:] != audio_keys[order][:-1]
    firsts = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
    copies = np.flatnonzero(~new)
    return dict(zip(order[copies].tolist(), firsts[copies].tolist(), strict=True))


def drop_copies(found: Survey, units: Sequence[str], config: SurveyConfig) -> Survey:
    """Leave one sample of each group with equal audio; the others become rejects."""
    copies = later_copies(found.audio_keys)
    names = names_of(found, units, config, [*copies, *copies.values()])
    why = {
        copy: Why(
            stage=STAGE,
            reason=DUPLICATE_AUDIO,
            detail=same_as(names[first]["id"]),
        )
        for copy, first in copies.items()
    }
    return leave_out(found, names, why)
