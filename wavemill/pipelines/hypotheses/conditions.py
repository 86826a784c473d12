"""Under which conditions audio is heard: noise and reverberation, to make errors on purpose."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.digest import digest, digest_number
from wavemill.errors import UsageError
from wavemill.hypotheses.noise import BABBLE, KINDS, PINK, add_noise, babble, pink, power, white
from wavemill.hypotheses.reverb import reverberate
from wavemill.pipelines.clips import Clips
from wavemill.pipelines.ingest import read_inputs
from wavemill.records import Recording, recording_row, to_json
from wavemill.specs import check_range

Audio = npt.NDArray[np.float32]

VERSION = 1
"""Goes up when the same audio and settings would sound otherwise."""
MOST_SECONDS = 600.0
"""Of the recordings that babble is made of, which are held in memory."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is done to audio before it is heard; nothing by default."""

    noise_db: float | None = None
    """Signal-to-noise ratio."""
    noise_kind: str = "white"
    noise_from: str | None = None
    """What babble is made of: a folder of speech, or any other input."""
    reverb_seconds: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        check_range("--noise", self.noise_db, -30, 100)
        check_range("--reverb", self.reverb_seconds, 0.05, 10)
        if self.noise_kind not in KINDS:
            raise UsageError(f"--noise-kind {self.noise_kind}: give one of {', '.join(KINDS)}")
        if self.noise_db is None and (self.noise_from or self.noise_kind != KINDS[0]):
            raise UsageError("--noise-kind and --noise-from go with --noise SNR_DB")
        if (self.noise_from is not None) != (self.noise_kind == BABBLE):
            raise UsageError("--noise-kind babble and --noise-from FOLDER go together")

    def data_json(self) -> dict[str, Any]:
        """Return what is done, for people; empty where nothing is."""
        noise = {"noise_db": self.noise_db, "noise_kind": self.noise_kind,
                 "noise_from": self.noise_from}  # fmt: skip
        given = noise if self.noise_db is not None else {}
        reverb = {"reverb_seconds": self.reverb_seconds} if self.reverb_seconds else {}
        return {**{name: value for name, value in given.items() if value is not None}, **reverb}

    @property
    def digest_parts(self) -> list[Any]:
        """Return what decides how audio sounds; of babble the recordings and their versions.

        Raises:
            UsageError: they are not there.

        """
        if not self.data_json():
            return []
        voices = []
        if self.noise_from is not None:
            rows = read_inputs([self.noise_from])
            lines = (to_json(recording_row(row)) for row in rows if isinstance(row, Recording))
            voices = [digest("\n".join(lines))]
        stated = {name: value for name, value in self.data_json().items() if name != "noise_from"}
        return [VERSION, stated, *voices]


class Room:
    """Makes audio sound as conditions say. Each worker has its own."""

    def __init__(self, conditions: Conditions, sample_rate: int, seed: int) -> None:
        """Read what babble is made of.

        Raises:
            UsageError: there is no audio in it.

        """
        self._conditions, self._rate, self._seed = conditions, sample_rate, seed
        self._voices = list[Audio]()
        if conditions.noise_from is not None:
            self._voices = read_voices(conditions.noise_from, sample_rate)

    def __call__(self, clip: Audio, name: str) -> Audio:
        """Return a clip as it sounds there, [N]; it depends on its id and the seed alone."""
        conditions = self._conditions
        draw = np.random.default_rng(digest_number([self._seed, name]))
        if conditions.reverb_seconds is not None:
            clip = reverberate(clip, self._rate, conditions.reverb_seconds, draw)
        if conditions.noise_db is not None:
            clip = add_noise(clip, self._noise(len(clip), draw), conditions.noise_db)
        return clip

    def _noise(self, num_samples: int, draw: np.random.Generator) -> Audio:
        if self._conditions.noise_kind == BABBLE:
            return babble(num_samples, self._voices, draw)
        if self._conditions.noise_kind == PINK:
            return pink(num_samples, self._rate, draw)
        return white(num_samples, draw)


def read_voices(url: str, sample_rate: int) -> list[Audio]:
    """Read what babble is made of: the first minutes of an input that are no silence.

    Raises:
        UsageError: there are none.

    """
    voices = list[Audio]()
    clips = Clips([url], sample_rate)
    for clip in clips:
        if power(clip):
            voices.append(clip)
        if clips.seconds >= MOST_SECONDS:
            break
    if not voices:
        raise UsageError(f"--noise-from {url}: there is no audio in it that can be used")
    return voices
