"""Another device or precision is a setting, keys the spool, and is refused where it is not."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.tokenizers.codec_files import real_clips, write_small
from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.encodec import EncodecConfig, EncodecTokenizer


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


def test_encodec_in_bfloat16_gives_many_of_the_ids_and_another_digest(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = write_small("encodec", tmp_path_factory.mktemp("encodec"))
    exact = EncodecTokenizer(EncodecConfig(model=model))
    lower = EncodecTokenizer(EncodecConfig(model=model, precision="bfloat16"))
    assert exact.facts.weights_digest != lower.facts.weights_digest
    clips = real_clips(24_000, 3)
    for these, those in zip(exact.encode(clips), lower.encode(clips), strict=True):
        assert these.shape == those.shape
        assert np.mean(these[:, 0] == those[:, 0]) > 0.5
    audio = lower.decode(lower.encode(clips)[0])
    assert audio.dtype == np.float32
