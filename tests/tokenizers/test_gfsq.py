"""Fish-Speech's codec as a tokenizer: the published layout, short clips, blocks, and refusals.

Most of it runs on a small codec, in the tokenizer as it is; what takes the published sizes is slow.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.torch
import soundfile
import torch

from tests.conftest import SPEECH
from tests.parity.make_gfsq import SMALL, random_firefly_state
from tests.tokenizers.random_models import read_mono, write_model
from wavemill.errors import UsageError
from wavemill.specs import Spec
from wavemill.tokenizers import gfsq as gfsq_module
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.base import Decoder, Tokenizer
from wavemill.tokenizers.blocks import Reach
from wavemill.tokenizers.firefly import Firefly
from wavemill.tokenizers.gfsq import GfsqConfig, GfsqTokenizer
from wavemill.tokenizers.threads import torch_threads

Clip = npt.NDArray[np.float32]
FILE = "firefly-gan-vq-fsq-8x1024-21hz-generator.pth"


def small_firefly() -> Firefly:
    return Firefly(SMALL)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    paths = sorted((SPEECH / "audio").rglob("*.flac"), key=lambda path: path.stat().st_size)
    effects = sorted((SPEECH / "effects").rglob("*.flac"))[:2]
    return [read_mono(path, 44_100)[:88_200] for path in (*paths[:30:8], *effects)]


@pytest.fixture(autouse=True)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(request.node.iter_markers("slow")):
        monkeypatch.setattr(gfsq_module, "Firefly", small_firefly)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    shapes = {name: tuple(part.shape) for name, part in small_firefly().state_dict().items()}
    return random_firefly_state(shapes)


@pytest.fixture
def tokenizer(state: dict[str, torch.Tensor], tmp_path: Path) -> GfsqTokenizer:
    torch.save(state, tmp_path / FILE)
    return GfsqTokenizer(GfsqConfig(model=str(tmp_path / FILE)))


def test_the_table_makes_one_that_decodes(tokenizer: GfsqTokenizer, tmp_path: Path) -> None:
    made = make_tokenizer(Spec.parse(f"gfsq:model={tmp_path}"))
    facts = made.facts
    assert isinstance(made, Tokenizer)
    assert isinstance(made, Decoder)
    assert facts == tokenizer.facts
    assert (facts.sample_rate, facts.frame_rate) == (44_100, 44_100 / 2048)
    assert (facts.num_codebooks, facts.codebook_size) == (8, 1000)


def test_a_clip_s_ids_depend_on_it_alone(tokenizer: GfsqTokenizer, clips: list[Clip]) -> None:
    alone = [tokenizer.encode([clip])[0] for clip in clips]
    backwards = tokenizer.encode(clips[::-1])[::-1]
    for one, together, turned in zip(alone, tokenizer.encode(clips), backwards, strict=True):
        assert np.array_equal(one, together)
        assert np.array_equal(one, turned)
    ids = np.concatenate(alone)
    assert ids.dtype == np.uint16
    assert ids.max() < 1000
    assert all(len(np.unique(stream)) > 3 for stream in ids.T)


def test_the_number_of_threads_changes_no_id(tokenizer: GfsqTokenizer, clips: list[Clip]) -> None:
    expected = tokenizer.encode(clips)
    with torch_threads(3):
        codes = tokenizer.encode(clips)
        assert torch.get_num_threads() == 3
    assert all(np.array_equal(one, other) for one, other in zip(codes, expected, strict=True))


@pytest.mark.parametrize("samples", [1, 511, 512, 768, 769, 2048, 2559, 2560, 4096])
def test_short_clips_and_silence_have_ids(tokenizer: GfsqTokenizer, samples: int) -> None:
    (codes,) = tokenizer.encode([np.zeros(samples, np.float32)])
    assert codes.shape == (max(1, -(-(samples // 512) // 4)), 8)


def test_blocks_meet_without_a_seam(
    tokenizer: GfsqTokenizer, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = np.concatenate(clips)
    (whole,) = tokenizer.encode([clip])
    monkeypatch.setattr(gfsq_module, "BLOCK_STEPS", 23)
    (parts,) = tokenizer.encode([clip])
    assert len(whole) > 2 * 23
    assert np.array_equal(whole, parts)


def test_a_step_hears_two_seconds_back_and_its_own_window_ahead() -> None:
    reach = Reach.of(Firefly().windows)
    assert (reach.step, reach.right) == (2048, 2815)
    assert 1.5 < reach.left / 44_100 < 2


def test_ids_decode_to_audio_of_their_length(tokenizer: GfsqTokenizer) -> None:
    codes = np.random.default_rng(0).integers(0, 1000, (3, 8)).astype(np.uint16)
    audio = tokenizer.decode(codes)
    assert audio.shape == (3 * 2048,)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() <= 1


def test_the_authors_ways_to_store_it_are_one(
    tokenizer: GfsqTokenizer, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    nested = {f"generator.{name}": part for name, part in state.items()}
    extra = {"discriminator.x": torch.zeros(2), "generator.spec_transform.fb": torch.zeros(2)}
    torch.save({"state_dict": {**nested, **extra}}, tmp_path / "training.ckpt")
    safetensors.torch.save_file(state, tmp_path / "codec.safetensors")
    for name in ("training.ckpt", "codec.safetensors"):
        other = GfsqTokenizer(GfsqConfig(model=str(tmp_path / name)))
        assert other.facts == tokenizer.facts
    # The language model lies in the same folder.
    torch.save({}, tmp_path / "model.pth")
    assert GfsqTokenizer(GfsqConfig(model=str(tmp_path))).facts == tokenizer.facts


def test_training_reaches_every_weight(state: dict[str, torch.Tensor]) -> None:
    codec = small_firefly()
    codec.load_state_dict(state)
    audio, ids = codec(torch.randn(2, 8192) * 0.1)
    assert audio.shape == (2, 1, 8192)
    assert ids.shape == (2, 4, 8)
    audio.square().mean().backward()
    assert all(weight.grad is not None for weight in codec.parameters())


def test_other_weights_are_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    config = GfsqConfig(model=str(tmp_path))
    with pytest.raises(UsageError, match=r"must have one checkpoint .*found none"):
        GfsqTokenizer(config)
    torch.save({**state, "extra": torch.zeros(1)}, tmp_path / FILE)
    with pytest.raises(UsageError, match="other weights than Firefly has: Unexpected"):
        GfsqTokenizer(config)
    torch.save(dict(list(state.items())[1:]), tmp_path / FILE)
    with pytest.raises(UsageError, match="other weights than Firefly has: Missing"):
        GfsqTokenizer(config)
    torch.save({"state_dict": state, "trainer": GfsqTokenizer}, tmp_path / FILE)
    with pytest.raises(UsageError, match="would run code"):
        GfsqTokenizer(config)
    (tmp_path / FILE).write_bytes(b"not a checkpoint")
    with pytest.raises(UsageError, match=FILE):
        GfsqTokenizer(config)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        GfsqTokenizer(GfsqConfig(model=str(tmp_path / "none")))
    with pytest.raises(UsageError, match="needs model"):
        make_tokenizer(Spec.parse("gfsq"))


@pytest.mark.slow
def test_the_published_sizes_give_the_same_in_another_process_and_in_blocks(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model("gfsq", tmp_path, small=False)
    tokenizer = GfsqTokenizer(GfsqConfig(model=str(tmp_path)))
    clip = np.concatenate(clips)
    soundfile.write(tmp_path / "clip.wav", clip, 44_100, subtype="FLOAT")
    (codes,) = tokenizer.encode([clip])
    script = (
        "import sys, soundfile; from wavemill import tokenizers;"
        "clip = soundfile.read(sys.argv[1] + '/clip.wav', dtype='float32')[0];"
        "print(tokenizers.load('gfsq:model=' + sys.argv[1]).encode([clip])[0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == codes.tolist()
    monkeypatch.setattr(gfsq_module, "BLOCK_STEPS", 23)
    assert np.array_equal(tokenizer.encode([clip])[0], codes)
