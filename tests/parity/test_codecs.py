"""Ids of the authors' own packages, at full size, from their own files with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.parity.weights import random_clip
from tests.tokenizers.codec_files import drawn_state, golden
from wavemill.tokenizers.dac import DacConfig, DacTokenizer
from wavemill.tokenizers.encodec import EncodecConfig, EncodecTokenizer
from wavemill.tokenizers.mimi import MimiConfig, MimiTokenizer

DAC_ARGUMENTS = {
    "encoder_dim": 64, "encoder_rates": [2, 4, 8, 8], "latent_dim": None, "decoder_dim": 1536,
    "decoder_rates": [8, 8, 4, 2], "n_codebooks": 9, "codebook_size": 1024, "codebook_dim": 8,
    "quantizer_dropout": 0.5, "sample_rate": 44_100,
}  # fmt: skip
NARROW = {"encoder_rates": [2, 4, 5, 8], "decoder_rates": [8, 5, 4, 2]}


def check(tokenizer: Any, stored: Any, setting: float) -> None:
    cases = [case for case in stored["cases"] if case["setting"] == setting]
    assert len(cases) == 3
    for case in cases:
        clip = random_clip(case["samples"], case["samples"])
        assert np.array_equal(tokenizer.encode([clip])[0], case["codes"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["24khz", "48khz"])
def test_encodec_gives_the_ids_of_facebook_s_package(kind: str, tmp_path: Path) -> None:
    stored = golden(f"encodec_{kind}")
    torch.save(drawn_state(stored), tmp_path / "encodec.th")
    for bandwidth in sorted({case["setting"] for case in stored["cases"]}):
        model = EncodecConfig(model=str(tmp_path / "encodec.th"), bandwidth=bandwidth)
        check(EncodecTokenizer(model), stored, bandwidth)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "counts", "arguments"),
    [
        ("dac", (1, 4, 9), {}),
        ("dac_24khz", (1, 8, 32), {**NARROW, "n_codebooks": 32, "sample_rate": 24_000}),
        ("dac_16khz", (1, 4, 12), {**NARROW, "n_codebooks": 12, "sample_rate": 16_000}),
    ],
)
def test_dac_gives_the_ids_of_descript_s_package(
    name: str, counts: tuple[int, ...], arguments: dict[str, Any], tmp_path: Path
) -> None:
    stored = golden(name)
    metadata = {"kwargs": DAC_ARGUMENTS | arguments}
    torch.save({"state_dict": drawn_state(stored), "metadata": metadata}, tmp_path / "weights.pth")
    for codebooks in counts:
        model = DacConfig(model=str(tmp_path / "weights.pth"), codebooks=codebooks)
        check(DacTokenizer(model), stored, codebooks)


@pytest.mark.slow
def test_mimi_gives_the_ids_of_kyutai_s_package(tmp_path: Path) -> None:
    stored = golden("mimi")
    safetensors.torch.save_file(drawn_state(stored), tmp_path / "tokenizer.safetensors")
    for codebooks in (1, 8, 32):
        model = MimiConfig(model=str(tmp_path / "tokenizer.safetensors"), codebooks=codebooks)
        check(MimiTokenizer(model), stored, codebooks)
