"""Recognizers by the name that `--recognizer` takes."""

from typing import Any

from wavemill.hypotheses.recognizers.pocketsphinx import PocketsphinxConfig, PocketsphinxRecognizer
from wavemill.hypotheses.recognizers.transformers import TransformersConfig, TransformersRecognizer
from wavemill.hypotheses.recognizers.wavemill import WavemillConfig, WavemillRecognizer
from wavemill.hypotheses.recognizers.whisper import WhisperConfig, WhisperRecognizer

RECOGNIZERS: dict[str, tuple[type[Any], type[Any]]] = {
    "pocketsphinx": (PocketsphinxRecognizer, PocketsphinxConfig),
    "transformers": (TransformersRecognizer, TransformersConfig),
    "wavemill": (WavemillRecognizer, WavemillConfig),
    "whisper": (WhisperRecognizer, WhisperConfig),
}
"""Name -> (recognizer, its settings). One row a recognizer."""
