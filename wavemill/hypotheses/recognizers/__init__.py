"""Recognizers: one file each. `base` has the contract, `table` the names."""

from wavemill.errors import UsageError
from wavemill.hypotheses.recognizers.base import Recognizer, RecognizerFacts, Request
from wavemill.hypotheses.recognizers.distinct import distinct
from wavemill.specs import Spec, configure


def make_recognizer(spec: Spec) -> Recognizer:
    """Build the recognizer that a spec names, weights and all.

    Raises:
        UsageError: there is no such recognizer or setting, or its weights cannot be had.

    """
    from wavemill.hypotheses.recognizers.table import RECOGNIZERS

    build, config = configure(spec, RECOGNIZERS, "--recognizer")
    try:
        recognizer: Recognizer = build(config)
    except ValueError as error:
        raise UsageError(f"--recognizer {spec}: {error}") from error
    return recognizer


__all__ = ["Recognizer", "RecognizerFacts", "Request", "distinct", "make_recognizer"]
