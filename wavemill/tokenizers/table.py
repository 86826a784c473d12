"""Tokenizers by the name that `--tokenizer` takes."""

from typing import Any

from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.dac import DacConfig, DacTokenizer
from wavemill.tokenizers.encodec import EncodecConfig, EncodecTokenizer
from wavemill.tokenizers.gfsq import GfsqConfig, GfsqTokenizer
from wavemill.tokenizers.kmeans import KmeansConfig, KmeansTokenizer
from wavemill.tokenizers.mimi import MimiConfig, MimiTokenizer
from wavemill.tokenizers.mvq import MvqConfig, MvqTokenizer
from wavemill.tokenizers.sq import SqConfig, SqTokenizer
from wavemill.tokenizers.sylber import SylberConfig, SylberTokenizer
from wavemill.tokenizers.tiny import TinyConfig, TinyTokenizer
from wavemill.tokenizers.trained_codec import TrainedCodecConfig, TrainedCodecTokenizer
from wavemill.tokenizers.xcodec2 import Xcodec2Config, Xcodec2Tokenizer

TOKENIZERS: dict[str, tuple[type[Any], type[Any]]] = {
    "beats": (BeatsTokenizer, BeatsConfig),
    "codec": (TrainedCodecTokenizer, TrainedCodecConfig),
    "dac": (DacTokenizer, DacConfig),
    "encodec": (EncodecTokenizer, EncodecConfig),
    "gfsq": (GfsqTokenizer, GfsqConfig),
    "kmeans": (KmeansTokenizer, KmeansConfig),
    "mimi": (MimiTokenizer, MimiConfig),
    "mvq": (MvqTokenizer, MvqConfig),
    "sq": (SqTokenizer, SqConfig),
    "sylber": (SylberTokenizer, SylberConfig),
    "tiny": (TinyTokenizer, TinyConfig),
    "xcodec2": (Xcodec2Tokenizer, Xcodec2Config),
}
"""Name -> (tokenizer, its settings). One row a tokenizer.

The class says what it takes to build one: `packages`, those to import that not every installation
has; `extra`, the extra of wavemill that brings them; and `weights`, where they come from ("inside"
if they ship with wavemill). `long_audio` says how a long clip's memory is bounded: "exact" where
its tokens are those of the uncut clip but for float32's rounding, else in which windows it is cut.
"""
