"""SQ-Codec's ids: whole numbers that stay as they are, of a clip alone, in blocks and in whole."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import yaml

from tests.conftest import SPEECH
from tests.tokenizers.random_models import SQ_SIZES, read_mono, write_model
from wavemill.errors import UsageError
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers import sq as sq_module
from wavemill.tokenizers.base import Decoder, Tokenizer
from wavemill.tokenizers.blocks import Reach
from wavemill.tokenizers.scalar_codec import ScalarCodec
from wavemill.tokenizers.sq import SqConfig, SqTokenizer
from wavemill.tokenizers.threads import torch_threads

Clip = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    paths = sorted((SPEECH / "audio").rglob("*.flac"), key=lambda path: path.stat().st_size)
    effects = sorted((SPEECH / "effects").rglob("*.flac"))[:2]
    return [read_mono(path, 16_000)[:16_000] for path in (*paths[:24:8], *effects)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sq")
    torch.manual_seed(0)
    write_model("sq", folder, small=True)
    return folder


@pytest.fixture(scope="module")
def tokenizer(model: Path) -> SqTokenizer:
    return SqTokenizer(SqConfig(model=str(model)))


def centred(model: Path, folder: Path) -> SqTokenizer:
    """The same kind of codec, hearing both sides."""
    config = yaml.safe_load((model / "config.yaml").read_text("utf-8"))
    config["generator"]["config"]["causal"] = False
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    state = (model / "ckpt_00190000.pth").read_bytes()
    (folder / "ckpt_00190000.pth").write_bytes(state)
    return SqTokenizer(SqConfig(model=str(folder)))


def test_the_table_makes_one_that_decodes(model: Path) -> None:
    tokenizer = make_tokenizer(Spec.parse(f"sq:model={model}"))
    facts = tokenizer.facts
    assert isinstance(tokenizer, Tokenizer)
    assert isinstance(tokenizer, Decoder)
    assert (facts.sample_rate, facts.frame_rate) == (16_000, 50.0)
    assert (facts.num_codebooks, facts.codebook_size) == (32, 19)


def test_ids_are_nineteen_levels_and_most_are_used(
    tokenizer: SqTokenizer, clips: list[Clip]
) -> None:
    codes = np.concatenate(tokenizer.encode(clips))
    assert codes.dtype == np.uint8
    assert codes.max() <= 18
    assert len(np.unique(codes)) >= 10


def test_quantizing_what_is_quantized_changes_nothing(
    tokenizer: SqTokenizer, clips: list[Clip]
) -> None:
    codec = tokenizer.codec
    latent = codec.encode(torch.from_numpy(clips[0])[None, None])
    rounded = codec.quantize(latent)
    places = 9 * rounded
    assert torch.equal(codec.quantize(rounded), rounded)
    assert torch.allclose(places, places.round(), atol=1e-5)
    assert places.abs().max() <= 9
    assert torch.equal(codec.to_ids(rounded), codec.to_ids(latent))


def test_every_id_is_that_of_its_own_number(tokenizer: SqTokenizer) -> None:
    ids = torch.arange(19)[None, None]
    numbers = tokenizer.codec.from_ids(ids)
    assert torch.equal(tokenizer.codec.to_ids(numbers), ids)
    assert torch.equal(tokenizer.codec.quantize(numbers), numbers)


def test_a_clip_s_ids_depend_on_it_alone(tokenizer: SqTokenizer, clips: list[Clip]) -> None:
    alone = [tokenizer.encode([clip])[0] for clip in clips]
    backwards = tokenizer.encode(clips[::-1])[::-1]
    for one, together, turned in zip(alone, tokenizer.encode(clips), backwards, strict=True):
        assert np.array_equal(one, together)
        assert np.array_equal(one, turned)


def test_another_process_gives_the_same_ids(
    tokenizer: SqTokenizer, model: Path, clips: list[Clip]
) -> None:
    path = min((SPEECH / "audio").rglob("*.flac"), key=lambda path: path.stat().st_size)
    script = (
        "import sys, soundfile; from wavemill import tokenizers;"
        "clip = soundfile.read(sys.argv[1], dtype='float32')[0][:16_000];"
        "print(tokenizers.load('sq:model=' + sys.argv[2]).encode([clip])[0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path, model], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == tokenizer.encode([clips[0]])[0].tolist()


def test_the_number_of_threads_changes_no_id(tokenizer: SqTokenizer, clips: list[Clip]) -> None:
    expected = tokenizer.encode(clips)
    with torch_threads(3):
        codes = tokenizer.encode(clips)
        assert torch.get_num_threads() == 3
    assert all(np.array_equal(one, other) for one, other in zip(codes, expected, strict=True))


@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321, 640, 641])
@pytest.mark.parametrize("causal", [True, False])
def test_short_clips_and_silence_have_ids(
    tokenizer: SqTokenizer, model: Path, tmp_path: Path, causal: bool, samples: int
) -> None:
    some = tokenizer if causal else centred(model, tmp_path)
    (codes,) = some.encode([np.zeros(samples, np.float32)])
    assert codes.shape == (max(1, -(-(samples // 2) // 160) if causal else samples // 320), 32)


@pytest.mark.parametrize("causal", [True, False])
def test_blocks_meet_without_a_seam(
    tokenizer: SqTokenizer,
    model: Path,
    tmp_path: Path,
    clips: list[Clip],
    causal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = tokenizer if causal else centred(model, tmp_path)
    clip = np.concatenate(clips)
    (whole,) = some.encode([clip])
    monkeypatch.setattr(sq_module, "BLOCK_STEPS", 71)
    (parts,) = some.encode([clip])
    assert np.array_equal(whole, parts)


def test_a_causal_codec_hears_the_past_second_alone(tokenizer: SqTokenizer) -> None:
    reach = Reach.of(tokenizer.codec.windows)
    assert reach.step == 320
    assert reach.right < 2
    assert 0.9 < reach.left / 16_000 < 1.1


def test_ids_decode_to_audio_of_their_length(tokenizer: SqTokenizer) -> None:
    codes = np.random.default_rng(0).integers(0, 19, (5, 32)).astype(np.uint8)
    audio = tokenizer.decode(codes)
    assert audio.shape == (5 * 320,)
    assert audio.dtype == np.float32
    assert np.array_equal(audio, tokenizer.decode(codes))


def test_a_centred_codec_decodes_to_as_much(model: Path, tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 19, (5, 32)).astype(np.uint8)
    assert centred(model, tmp_path).decode(codes).shape == (5 * 320,)


def test_levels_and_weights_change_the_digest(model: Path, tmp_path: Path) -> None:
    write_model("sq", tmp_path, small=True)
    models = [{"model": str(model)}, {"model": str(model), "levels": 11}, {"model": str(tmp_path)}]
    tokenizers = [SqTokenizer(SqConfig(**settings)) for settings in models]  # type: ignore[arg-type]
    assert len({tokenizer.facts.weights_digest for tokenizer in tokenizers}) == 3
    assert tokenizers[1].facts.codebook_size == 11


def test_the_checkpoint_itself_is_a_model_too(tokenizer: SqTokenizer, model: Path) -> None:
    file = SqTokenizer(SqConfig(model=str(model / "ckpt_00190000.pth")))
    assert file.facts == tokenizer.facts


def test_training_reaches_every_weight(model: Path) -> None:
    codec = ScalarCodec(sq_module.read_sizes(str(model / "config.yaml")))
    codec(torch.randn(1, 1, 3200)).square().mean().backward()
    assert all(weight.grad is not None for weight in codec.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"causal": "yes"}, "causal='yes' must be"),
        ({"num_bands": 4}, "num_bands=4"),
        ({"upsample_factors": [5]}, "must be as many"),
        ({"colour": 1}, "missing or unknown: colour"),
        ({"downsample_factors": 4}, "downsample_factors=4"),
    ],
)
def test_a_configuration_of_something_else_is_refused(
    model: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    config = {"generator": {"config": {**SQ_SIZES, **change}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    (tmp_path / "ckpt.pth").write_bytes((model / "ckpt_00190000.pth").read_bytes())
    with pytest.raises(UsageError, match=words):
        SqTokenizer(SqConfig(model=str(tmp_path)))


def test_other_weights_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((model / "config.yaml").read_bytes())
    config = SqConfig(model=str(tmp_path))
    with pytest.raises(UsageError, match="must have one checkpoint"):
        SqTokenizer(config)
    torch.save({"codec_model": {"encoder.0.bias": torch.zeros(3)}}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match="other weights than ScalarCodec"):
        SqTokenizer(config)
    torch.save({"codec_model": {}}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match="holds no state dict"):
        SqTokenizer(config)
    torch.save({"codec_model": ScalarCodec}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match="would run code"):
        SqTokenizer(config)
    torch.save({}, tmp_path / "b.pth")
    with pytest.raises(UsageError, match=r"found a\.pth, b\.pth: give the file"):
        SqTokenizer(config)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        SqTokenizer(SqConfig(model=str(tmp_path / "none")))
    torch.save({}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match="it comes with the weights"):
        SqTokenizer(SqConfig(model=str(tmp_path / "a.pth")))
    with pytest.raises(UsageError, match="levels=4 must be odd"):
        SqConfig(model="x", levels=4)
    with pytest.raises(UsageError, match="needs model"):
        make_tokenizer(Spec.parse("sq"))
