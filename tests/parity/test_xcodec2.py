"""Ids of X-Codec 2's own package, from an encoder of published width with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity.weights import random_clip, random_state
from tests.parity.xcodec2_layout import SEED, SETTINGS, encoder_shapes
from tests.tokenizers.codec_files import golden
from wavemill.tokenizers.xcodec2 import Xcodec2Config, Xcodec2Tokenizer


@pytest.mark.slow
def test_xcodec2_gives_the_ids_of_its_authors_package(tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    model = transformers.Xcodec2Model(transformers.Xcodec2Config(**SETTINGS))
    own = model.state_dict()
    for name, part in random_state(encoder_shapes(own), SEED).items():
        own[name].copy_(torch.from_numpy(part))
    model.save_pretrained(tmp_path)
    tokenizer = Xcodec2Tokenizer(Xcodec2Config(model=str(tmp_path)))
    for case in golden("xcodec2")["cases"]:
        clip = random_clip(case["samples"], case["samples"])
        assert np.array_equal(tokenizer.encode([clip])[0][:, 0], case["codes"])
