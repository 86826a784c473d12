"""The model that ships, and what says words."""

import pytest

from wavemill.hypotheses.confusions.model import ConfusionModel, load_model
from wavemill.hypotheses.confusions.neighbours import Neighbours
from wavemill.hypotheses.confusions.pronounce import Pronouncer

pytest.importorskip("pocketsphinx")

TEXTS = (
    "please leave a message after the tone",
    "the number you have dialed is not in service",
    "your call cannot be completed at this time",
    "press star to hear this message again",
    "the person at this extension is on the phone",
    "enter your password followed by the pound key",
)


@pytest.fixture(scope="session")
def pronouncer() -> Pronouncer:
    return Pronouncer()


@pytest.fixture(scope="session")
def model() -> ConfusionModel:
    return load_model()


@pytest.fixture(scope="session")
def neighbours(model: ConfusionModel, pronouncer: Pronouncer) -> Neighbours:
    return Neighbours(model, pronouncer, 0.5)
