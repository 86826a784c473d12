"""Tune what is misheard until it is as wrong as it should be, on some of the texts themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from wavemill.hypotheses.confusions.mishear import Place, Tuning, best
from wavemill.hypotheses.confusions.pronounce import Pronouncer
from wavemill.packages import require

TRUSTS = (-20.0, 60.0)
NOISES = (0.05, 20.0)
HALVINGS = 13
NOISE_HALVINGS = 10


@dataclass(frozen=True, kw_only=True)
class Wrongness:
    """How far the first hypotheses are from what was said."""

    wer: float
    """Edits of words, a word that was said."""
    phone_distance: float
    """Edits of phones, a phone that was said."""


def measure(pairs: Sequence[tuple[str, str]], pronouncer: Pronouncer) -> Wrongness:
    """Measure pairs of what was said and what was heard."""
    levenshtein = require(
        "rapidfuzz.distance", "hypotheses", "measuring what was misheard"
    ).Levenshtein
    edits = words = phone_edits = phones = 0
    for said, heard in pairs:
        edits += levenshtein.distance(said.split(), heard.split())
        words += len(said.split())
        spoken = pronouncer.say_all(said)
        phone_edits += levenshtein.distance(spoken, pronouncer.say_all(heard))
        phones += len(spoken)
    return Wrongness(wer=edits / max(words, 1), phone_distance=phone_edits / max(phones, 1))


def calibrate(
    texts: Sequence[str],
    sausages: Sequence[Sequence[Place]],
    target: Wrongness,
    pronouncer: Pronouncer,
) -> tuple[Tuning, Wrongness]:
    """Find the tuning that comes nearest to a target, by halving.

    Args:
        texts: some that were said.
        sausages: theirs.
        target: how wrong the first hypotheses should be.
        pronouncer: of the phones.

    Returns:
        The tuning, and how wrong they are with it.

    """
    quiet, loud = NOISES
    found = _with_noise(quiet, texts, sausages, target, pronouncer)
    for _ in range(NOISE_HALVINGS):
        noise = round((quiet * loud) ** 0.5, 3)  # the same on every machine
        tried = _with_noise(noise, texts, sausages, target, pronouncer)
        if _miss(tried[1], target) < _miss(found[1], target):
            found = tried
        if tried[1].phone_distance < target.phone_distance:
            quiet = noise
        else:
            loud = noise
    return found


def _with_noise(
    noise: float,
    texts: Sequence[str],
    sausages: Sequence[Sequence[Place]],
    target: Wrongness,
    pronouncer: Pronouncer,
) -> tuple[Tuning, Wrongness]:
    """Find the trust that gives the error rate, with a noise."""
    low, high = TRUSTS
    for _ in range(HALVINGS):
        trust = (low + high) / 2
        wrong = _measured(Tuning(trust=trust, noise=noise), texts, sausages, pronouncer)
        if wrong.wer > target.wer:
            low = trust
        else:
            high = trust
    tuning = Tuning(trust=high, noise=noise)
    return tuning, _measured(tuning, texts, sausages, pronouncer)


def _measured(
    tuning: Tuning,
    texts: Sequence[str],
    sausages: Sequence[Sequence[Place]],
    pronouncer: Pronouncer,
) -> Wrongness:
    heard = [best(places, tuning) for places in sausages]
    return measure(list(zip(texts, heard, strict=True)), pronouncer)


def _miss(found: Wrongness, target: Wrongness) -> float:
    return abs(found.wer - target.wer) + abs(found.phone_distance - target.phone_distance)
