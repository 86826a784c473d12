"""Noise and rooms: what is drawn for an utterance depends on its id and the seed."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SPEECH
from tests.hypotheses.recognizers.heard import clip
from wavemill.errors import UsageError
from wavemill.pipelines.hypotheses.conditions import Conditions, Room

HELLO = str(SPEECH / "audio" / "hello.flac")
WAYS = [
    Conditions(),
    Conditions(noise_db=10),
    Conditions(noise_db=20),
    Conditions(noise_db=10, noise_kind="pink"),
    Conditions(noise_db=10, noise_kind="babble", noise_from=HELLO),
    Conditions(reverb_seconds=0.3),
    Conditions(noise_db=10, reverb_seconds=0.3),
]


def test_each_way_sounds_and_is_keyed_otherwise() -> None:
    heard = clip("calling")
    made = [Room(way, 16_000, 0)(heard, "a").tobytes() for way in WAYS]
    assert len(set(made)) == len({str(way.digest_parts) for way in WAYS}) == len(WAYS)
    assert made[0] == heard.tobytes()
    assert WAYS[0].digest_parts == []


@pytest.mark.parametrize("way", WAYS[1:])
def test_the_same_utterance_sounds_the_same_and_others_do_not(way: Conditions) -> None:
    heard = clip("calling")
    room = Room(way, 16_000, 0)
    first = room(heard, "a")
    assert not np.array_equal(room(heard, "b"), first)
    assert np.array_equal(Room(way, 16_000, 0)(heard, "a"), first)
    assert not np.array_equal(Room(way, 16_000, 1)(heard, "a"), first)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    for settings in (
        {"noise_kind": "pink"},
        {"noise_db": 1.0, "noise_kind": "babble"},
        {"noise_db": 1.0, "noise_kind": "brown"},
        {"noise_db": 1.0, "noise_from": HELLO},
        {"noise_db": 1000.0},
        {"reverb_seconds": 0.0},
    ):
        with pytest.raises(UsageError, match=r"--noise|--reverb"):
            Conditions(**settings)
    (tmp_path / "a.txt").write_text("no audio")
    babble = Conditions(noise_db=1, noise_kind="babble", noise_from=str(tmp_path))
    with pytest.raises(UsageError, match=r"no audio in it|cannot|nothing"):
        Room(babble, 16_000, 0)
