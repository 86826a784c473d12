"""Another device or precision is a setting, keys the spool, and is refused where it is not.

bfloat16 runs on a CPU, too; what of `device=cuda` runs there, `test_pretended_gpu.py` has.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from tests.conftest import UTTERANCES, wavemill
from tests.tokenizers.small_models import (
    MODELS,
    Settings,
    make,
    mixed_clips,
    share_of_equal,
    tokens,
)
from wavemill.cli import main
from wavemill.errors import UsageError
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.base import Decoder
from wavemill.tokenizers.device import Place, PlaceSettings
from wavemill.tokenizers.table import TOKENIZERS
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher

LEAST_EQUAL = {"dac": 0.75, "xcodec2": 0.25}
"""Of ids in bfloat16 and float32; of all others 0.85. One of X-Codec 2's is made of eight numbers,
and is another if one of these is."""
NO_NETWORK = "mvq"
"""Its small model is of log-mel, which is no network."""


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:-1", ""])
def test_a_device_that_there_is_not_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match=rf"dac: device={device} must be cpu, cuda or such as"):
        Place(device=device).check("dac")


def test_a_device_that_this_machine_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cuda:99, but this machine has .* give device=cpu"):
        Place(device="cuda:99").check("dac")


def test_a_precision_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="precision=half must be float32 or bfloat16"):
        Place(precision="half").check("dac")


def test_the_default_changes_no_digest_and_all_else_does() -> None:
    places = [Place(), Place(device="cuda"), Place(precision="bfloat16")]
    parts = [place.digest_parts for place in places]
    assert parts[0] == {}
    assert parts[1] != parts[2]
    assert Place(device="cuda:1").digest_parts == parts[1]


def test_products_are_made_in_the_precision_asked_for_and_what_is_exact_is_not() -> None:
    layer, x = nn.Linear(4, 4), torch.ones(1, 4)
    with Place(precision="bfloat16").running():
        assert layer(x).dtype == torch.bfloat16
        with Place(precision="bfloat16").exact():
            assert layer(x).dtype == torch.float32
    with Place().running():
        assert layer(x).dtype == torch.float32
        assert not torch.backends.cudnn.allow_tf32


def test_a_program_that_allowed_rougher_products_gets_exact_ones_and_keeps_its_setting() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        with Place().running():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_blocks_are_as_measured_on_a_cpu_and_half_a_minute_at_least_on_a_gpu() -> None:
    assert Place().block_steps(100, 50.0) == 100
    assert Place(device="cuda:1").block_steps(100, 50.0) == 1500
    assert Place(device="cuda").block_steps(2000, 50.0) == 2000


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_tokenizer_takes_a_place_and_checks_it_before_its_files(name: str) -> None:
    config = TOKENIZERS[name][1]
    assert issubclass(config, PlaceSettings)
    files: dict[str, str] = {
        key: "nowhere" for key in ("model", "units") if key in config.__annotations__
    }

    def built(**settings: str) -> None:
        make_tokenizer(Spec(name=name, settings=tuple({**files, **settings}.items())))

    with pytest.raises(UsageError, match=f"^{name}: device=gpu must be cpu, cuda or such as"):
        built(device="gpu")
    with pytest.raises(UsageError, match=f"^{name}: device=cuda:99, but this machine has"):
        built(device="cuda:99")
    with pytest.raises(UsageError, match=f"^{name}: precision=int8 must be float32 or"):
        built(precision="int8")


def test_prepare_says_in_a_line_that_there_is_no_such_device(tmp_path: Path) -> None:
    done = wavemill(
        "prepare", UTTERANCES, "--out", "out", "--tokenizer", "beats:device=cuda:99", cwd=tmp_path
    )
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "beats: device=cuda:99, but this machine has" in done.err
    assert "give device=cpu" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["kmeans", "mvq", "sylber"])
def test_fit_takes_a_device_and_a_precision(name: str) -> None:
    command = ["fit", name, str(UTTERANCES), "--out", "out.safetensors"]
    for wrong in (["--device", "cuda:99"], ["--precision", "int8"]):
        done = CliRunner().invoke(main, [*command, *wrong])
        assert isinstance(done.exception, UsageError)
        assert wrong[1] in str(done.exception)


@pytest.mark.parametrize("label", [label for label in MODELS if label != NO_NETWORK])
def test_bfloat16_gives_many_of_the_ids_and_each_clip_s_depend_on_it_alone(
    label: str, written: dict[str, Settings]
) -> None:
    exact = make(label, written[label])
    lower = make(label, {**written[label], "precision": "bfloat16"})
    assert lower.facts.weights_digest != exact.facts.weights_digest
    clips = mixed_clips(exact.facts.sample_rate)[39::4]
    together = tokens(lower, clips)
    assert [tokens(lower, [clip])[0] for clip in clips[::-1]] == together[::-1]
    assert LEAST_EQUAL.get(label, 0.85) <= share_of_equal(together, tokens(exact, clips)) < 1
    if isinstance(lower, Decoder):
        audio = lower.decode(lower.encode(clips[:1])[0])
        assert audio.dtype == np.float32
        assert np.isfinite(audio).all()


def test_log_mel_is_no_network_and_says_so() -> None:
    with pytest.raises(UsageError, match="logmel is no network that could run in bfloat16"):
        make_teacher(TeacherConfig(), Place(precision="bfloat16"))
