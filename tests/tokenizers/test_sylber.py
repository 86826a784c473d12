"""The `sylber` tokenizer: HuBERT's layers as transformers runs them, and its contract."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch

from tests.conftest import SPEECH
from tests.tokenizers.hubert_files import SETTINGS, write_hubert, write_units
from wavemill.errors import UsageError
from wavemill.tokenizers.base import TimedTokenizer
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.hubert_long import CHUNK_FRAMES, convolve, norm_over_time, windows
from wavemill.tokenizers.sylber import SylberConfig, SylberTokenizer, SyllableEmbedder
from wavemill.tokenizers.sylber_encoder import SylberEncoder
from wavemill.tokenizers.syllables import find_syllables

Clip = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sylber")
    write_hubert(folder / "hubert")
    write_units(folder / "units.safetensors")
    return folder


@pytest.fixture(scope="module")
def config(files: Path) -> SylberConfig:
    settings: dict[str, Any] = SETTINGS
    units = str(files / "units.safetensors")
    return SylberConfig(model=str(files / "hubert"), units=units, **settings)


@pytest.fixture(scope="module")
def tokenizer(config: SylberConfig) -> SylberTokenizer:
    return SylberTokenizer(config)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    paths = [
        *sorted((SPEECH / "audio").glob("*.flac"))[:10],
        *sorted((SPEECH / "effects").glob("*.flac"))[:4],
    ]
    read = [soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1) for path in paths]
    return [*read, np.zeros(1, np.float32), np.zeros(9000, np.float32), read[0][:399]]


@pytest.fixture(scope="module")
def talk() -> Clip:
    """A talk of a minute."""
    path = min((SPEECH / "long").glob("*.flac"))
    audio: Clip = soundfile.read(path, dtype="float32")[0]
    return audio[: 60 * 16_000]


def same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_the_facts_are_those_of_an_irregular_stream(tokenizer: SylberTokenizer) -> None:
    facts = tokenizer.facts
    assert isinstance(tokenizer, TimedTokenizer)
    assert (facts.name, facts.kind, facts.sample_rate) == ("sylber", "sylber", 16_000)
    assert facts.frame_rate is None
    assert (facts.num_codebooks, facts.codebook_size, facts.dtype.name) == (1, 40, "uint8")


def test_ids_and_times_are_of_the_contract_s_shapes(
    tokenizer: SylberTokenizer, clips: list[Clip]
) -> None:
    for clip, (codes, times) in zip(clips, tokenizer.encode_timed(clips), strict=True):
        assert codes.dtype == np.uint8
        assert times.dtype == np.float32
        assert codes.shape == (len(times), 1)
        assert times.shape[1] == 2
        assert (times[:, 0] <= times[:, 1]).all()
        assert times.min(initial=0) >= 0
        assert times.max(initial=0) <= np.float32(len(clip) / 16_000)
        assert (np.diff(times[:, 0]) > 0).all()
    lengths = [len(codes) for codes in tokenizer.encode(clips)]
    assert max(lengths) > 20
    seconds = sum(len(clip) for clip in clips) / 16_000
    assert sum(lengths) < 35 * seconds  # not a token a frame


def test_a_clip_s_tokens_depend_on_it_alone(tokenizer: SylberTokenizer, clips: list[Clip]) -> None:
    alone = [tokenizer.encode_timed([clip])[0] for clip in clips]
    backwards = tokenizer.encode_timed(clips[::-1])[::-1]
    for one, together, turned in zip(alone, tokenizer.encode_timed(clips), backwards, strict=True):
        assert same(one, together)
        assert same(one, turned)


def test_another_process_gives_the_same_tokens_and_facts(
    tokenizer: SylberTokenizer, config: SylberConfig
) -> None:
    program = (
        "import sys, numpy as np, torch; torch.set_num_threads(1);"
        "from wavemill.tokenizers.sylber import *;"
        f"made = SylberTokenizer({config!r});"
        "clip = (0.1 * np.random.default_rng(7).standard_normal(30000)).astype(np.float32);"
        "codes, times = made.encode_timed([clip])[0];"
        "print(codes.tolist(), times.tolist(), made.facts.digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    clip = (0.1 * np.random.default_rng(7).standard_normal(30000)).astype(np.float32)
    ((codes, times),) = tokenizer.encode_timed([clip])
    assert len(codes) > 3
    assert done.stdout.strip() == f"{codes.tolist()} {times.tolist()} {tokenizer.facts.digest}"


def test_silence_has_no_syllables(config: SylberConfig) -> None:
    loud = SylberTokenizer(replace(config, norm_threshold=1e6))
    for samples in (1, 400, 16_000):
        ((codes, times),) = loud.encode_timed([np.zeros(samples, np.float32)])
        assert codes.shape == (0, 1)
        assert times.shape == (0, 2)
        assert (codes.dtype.name, times.dtype.name) == ("uint8", "float32")


def test_features_are_those_of_transformers_own_layer(tmp_path: Path, clips: list[Clip]) -> None:
    net = write_hubert(tmp_path, seed=4)
    encoder = SylberEncoder(str(tmp_path), 2, 60.0, Place())
    assert encoder.unused  # the third layer
    assert all(name.startswith("encoder.layers.2.") for name in encoder.unused)
    for clip in clips[:5]:
        wave = torch.from_numpy(clip)
        wave = (wave - wave.mean()) / wave.std()
        with torch.inference_mode():
            expected = net(wave[None], output_hidden_states=True).hidden_states[2][0].numpy()
        assert np.allclose(encoder.features(clip), expected, atol=1e-4)


def test_ids_are_the_nearest_centroids_of_the_means_of_the_segments(
    tokenizer: SylberTokenizer, clips: list[Clip]
) -> None:
    clip = clips[0]
    features = tokenizer.encoder.features(clip)
    spans = find_syllables(features, norm_threshold=3.3, merge_threshold=0.4)
    means = np.stack([features[start:end].mean(axis=0) for start, end in spans])
    far = np.square(means[:, None].astype("f8") - tokenizer.units.centroids).sum(axis=2)
    ((codes, times),) = tokenizer.encode_timed([clip])
    assert codes[:, 0].tolist() == far.argmin(axis=1).tolist()
    assert np.allclose(times, spans / 50, atol=1e-6)
    embedded, at = tokenizer.embed(clip)
    assert np.allclose(embedded, means, atol=1e-5)
    assert np.array_equal(at, times)


def test_loudness_and_offset_change_little(tokenizer: SylberTokenizer, clips: list[Clip]) -> None:
    one, other = (tokenizer.encoder.features(clip) for clip in (clips[0], clips[0] * 0.25 + 0.1))
    assert np.allclose(one, other, atol=1e-2)


def test_without_units_it_says_how_to_fit_some(config: SylberConfig) -> None:
    with pytest.raises(UsageError, match=r"units= must name .* `wavemill fit sylber"):
        SylberTokenizer(replace(config, units=None))
    SyllableEmbedder(replace(config, units=None))


def test_every_setting_changes_the_digest_and_the_name_does_not(
    config: SylberConfig, tmp_path: Path
) -> None:
    write_hubert(tmp_path / "other", seed=1)
    write_units(tmp_path / "fewer.safetensors", units=30)
    configs = [
        config,
        replace(config, model=str(tmp_path / "other")),
        replace(config, units=str(tmp_path / "fewer.safetensors")),
        replace(config, norm_threshold=3.0),
        replace(config, merge_threshold=0.7),
        replace(config, layers=1),
        replace(config, max_seconds=30.0),
    ]
    digests = [SylberTokenizer(one).facts.weights_digest for one in configs]
    assert len(set(digests)) == len(configs)
    renamed = SylberTokenizer(replace(config, name="other")).facts
    assert (renamed.name, renamed.weights_digest) == ("other", digests[0])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"norm_threshold": -1.0}, "norm_threshold=-1.0 must be 0 or more"),
        ({"norm_threshold": float("nan")}, "norm_threshold=nan"),
        ({"merge_threshold": 1.5}, "merge_threshold=1.5 must be -1 to 1"),
        ({"layers": 0}, "layers=0 must be 1 or more"),
        ({"max_seconds": 3.0}, "max_seconds=3.0 must be 10 to 600"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        SylberConfig(**setting)


def test_models_that_cannot_be_are_refused(config: SylberConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"layers=7, but .* has 3"):
        SylberTokenizer(replace(config, layers=7))
    with pytest.raises(UsageError, match="there is no file or folder"):
        SylberTokenizer(replace(config, model=str(tmp_path / "absent")))
    with pytest.raises(UsageError, match=r"holds neither sylber\.ckpt nor"):
        SylberTokenizer(replace(config, model=str(tmp_path)))
    write_hubert(tmp_path, hidden_size=32)
    with pytest.raises(UsageError, match="centroids of 32 dimensions"):
        SylberTokenizer(replace(config, model=str(tmp_path)))
    torch.save({"encoder.layer_norm.weight": torch.ones(768)}, tmp_path / "part.ckpt")
    with pytest.raises(UsageError, match=r"lacks \d+ of the weights"):
        SylberTokenizer(replace(config, model=str(tmp_path / "part.ckpt")))
    torch.save({"encoder.layer_norm.weight": torch.ones(9)}, tmp_path / "other.ckpt")
    with pytest.raises(UsageError, match="weights of other sizes"):
        SylberTokenizer(replace(config, model=str(tmp_path / "other.ckpt")))


def test_windows_take_every_frame_once_and_see_around_it() -> None:
    for frames in (1, 99, 100, 101, 160, 250, 1003):
        found = list(windows(frames, 100, 20))
        taken = [at for one in found for at in range(one.keep_start, one.keep_end)]
        assert taken == list(range(frames))
        for one in found:
            assert 0 <= one.start <= one.keep_start < one.keep_end <= one.end <= frames
            assert one.end - one.start == min(frames, 100)
            assert one.keep_start - one.start >= 20 or one.start == 0
            assert one.end - one.keep_end >= 20 or one.end == frames


def test_convolutions_of_a_long_clip_are_those_of_the_whole(tmp_path: Path, talk: Clip) -> None:
    net = write_hubert(tmp_path)
    wave = torch.from_numpy(talk[:-77])
    with torch.inference_mode():
        whole = net.feature_extractor(wave[None])[0].T
        parts = convolve(net, wave, norm_over_time(net, wave), 0, len(whole))
    assert len(whole) > 2 * CHUNK_FRAMES
    assert parts.shape == whole.shape
    assert np.allclose(parts, whole, atol=1e-4)


def test_windows_change_few_tokens_of_a_long_clip(config: SylberConfig, talk: Clip) -> None:
    whole = SylberTokenizer(replace(config, max_seconds=60.0))
    for seconds in (10.0, 20.0, 30.0):
        cut = SylberTokenizer(replace(config, max_seconds=seconds))
        features = whole.encoder.features(talk)
        drift = np.linalg.norm(cut.encoder.features(talk) - features) / np.linalg.norm(features)
        kept = _share_kept(whole.encode_timed([talk])[0], cut.encode_timed([talk])[0])
        # Of random weights. Measured: features 0.15 to 0.35 % apart, 99.5 to 100 % of the tokens
        # the same, with the same times.
        assert 0 < drift < 0.01
        assert kept > 0.98


def _share_kept(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    """Return the share of tokens that another encoding has at the same time, with the same id."""
    first, second = (
        {(*t, *c) for c, t in zip(c.tolist(), t.tolist(), strict=True)} for c, t in (one, other)
    )
    return len(first & second) / len(first)


@pytest.mark.slow
def test_a_published_checkpoint_s_layout_and_size_load(tmp_path: Path, clips: list[Clip]) -> None:
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(0)
    net: Any = HubertModel(HubertConfig(num_hidden_layers=9))
    net.eval()
    state = net.state_dict()
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        prefix = "encoder.pos_conv_embed.conv."
        state[prefix + old] = state.pop(f"{prefix}parametrizations.weight.{new}")
    torch.save(state, tmp_path / "sylber.ckpt")
    write_units(tmp_path / "units.safetensors", 10_000, 768)
    units = str(tmp_path / "units.safetensors")
    for model in (tmp_path, tmp_path / "sylber.ckpt"):
        tokenizer = SylberTokenizer(SylberConfig(model=str(model), units=units))
        assert tokenizer.encoder.unused == []
        assert tokenizer.facts.dtype == np.uint16
        wave = torch.from_numpy(clips[0])
        with torch.inference_mode():
            expected = net(((wave - wave.mean()) / wave.std())[None]).last_hidden_state[0].numpy()
        assert np.allclose(tokenizer.encoder.features(clips[0]), expected, atol=1e-4)
        alone = [tokenizer.encode_timed([clip])[0] for clip in clips]
        assert all(map(same, alone, tokenizer.encode_timed(clips)))
