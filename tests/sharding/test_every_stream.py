"""Streams of every kind, with every form of audio, as the three readers take them."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import webdataset
from lhotse import CutSet

from tests.conftest import SPEECH, read_jsonl
from tests.sharding.damage import checked
from tests.sharding.drawn import Sample, clip_samples, make_dataset, stream, times_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

STREAMS = (
    stream("units", 50.0, 1, 100),
    stream("beats", 50.0, 1, 1024),
    stream("mvq", 100.0, 4, 256),
    stream("codec", 75.0, 8, 1024),
    stream("deep", 12.5, 32, 2048),
    stream("large", 50.0, 1, 65536),
    stream("syllables", None, 1, 5000),
)
NAMES = (*(facts.name for facts in STREAMS), "syllables_times")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Utterances, a stereo clip of 44.1 kHz and one of four channels."""
    folder = tmp_path_factory.mktemp("clips")
    for path in sorted((SPEECH / "audio").glob("*.flac"))[:10]:
        (folder / path.name).write_bytes(path.read_bytes())
    dice = np.random.default_rng(1)
    for rate, channels in ((44_100, 2), (22_050, 1), (48_000, 4)):
        noise = dice.uniform(-0.1, 0.1, (rate, channels))
        soundfile.write(folder / f"noise{rate}.flac", noise, rate, subtype="PCM_16")
    return clip_samples(folder, 13, STREAMS)


@pytest.fixture(scope="module", params=["flac", "opus", "none"])
def dataset(
    request: pytest.FixtureRequest, samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("every")
    return make_dataset(samples, folder, request.param, 0.4, STREAMS), request.param


def arrays(sample: Sample) -> dict[str, Any]:
    seconds = sample.num_samples / sample.sample_rate
    return dict(zip(NAMES, (*sample.codes, times_of(sample.codes[-1], seconds)), strict=True))


def test_lhotse_reads_every_array_and_the_audio(
    dataset: tuple[Path, str], samples: list[Sample]
) -> None:
    out, audio = dataset
    wanted = {sample.key: sample for sample in samples}
    seen = []
    for bucket in out.glob("bucket-*"):
        stems = {"cuts": "cuts.*.jsonl", **{name: f"{name}_0*.tar" for name in NAMES}}
        if audio != "none":
            stems["recording"] = "audio_*.tar"
        fields = {name: sorted(map(str, bucket.glob(stem))) for name, stem in stems.items()}
        for cut in CutSet.from_shar(fields=fields):
            sample = wanted[cut.id]
            for name, array in arrays(sample).items():
                found = getattr(cut, f"load_{name}")()
                assert found.dtype == array.dtype
                assert np.array_equal(found, array), name
            assert cut.supervisions[0].language == "en"
            if audio != "none":
                _check_audio(cut, sample, audio)
            seen.append(cut.id)
    assert sorted(seen) == sorted(wanted)


def _check_audio(cut: Any, sample: Sample, audio: str) -> None:
    found = cut.load_audio()
    original, rate = soundfile.read(io.BytesIO(sample.flac), dtype="float32", always_2d=True)
    assert found.shape == (cut.num_channels, cut.num_samples)
    if audio == "flac":
        assert np.array_equal(found.T, original)
    else:
        assert cut.sampling_rate == (rate if rate in (16_000, 48_000) else 48_000)
        assert cut.num_channels == (2 if original.shape[1] == 2 else 1)
        assert abs(cut.duration - len(original) / rate) < 1e-3


def test_webdataset_reads_every_array_and_the_audio(
    dataset: tuple[Path, str], samples: list[Sample]
) -> None:
    out, audio = dataset
    wanted = {sample.key: sample for sample in samples}
    for name in NAMES:
        tars = sorted(map(str, out.glob(f"bucket-*/{name}_0*.tar")))
        found = list(webdataset.WebDataset(tars, shardshuffle=False).decode())
        assert {sample["__key__"] for sample in found} == set(wanted)
        for sample in found:
            assert np.array_equal(sample["npy"], arrays(wanted[sample["__key__"]])[name])
    tars = sorted(map(str, out.glob("bucket-*/audio_*.tar")))
    assert bool(tars) == (audio != "none")
    if tars:
        for sample in webdataset.WebDataset(tars, shardshuffle=False):
            about = soundfile.info(io.BytesIO(sample[audio]))
            assert (about.format, about.subtype) == {
                "flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS"),
            }[audio]  # fmt: skip
            assert set(sample) >= {"__key__", audio, "json"}


def test_nemo_s_manifests_name_the_audio_there_is(dataset: tuple[Path, str]) -> None:
    out, audio = dataset
    manifests = sorted(out.glob("bucket-*/sharded_manifests/manifest_*.json"))
    assert bool(manifests) == (audio != "none")
    for manifest in manifests:
        tar = manifest.parent.parent / manifest.name.replace("manifest", "audio")
        with tarfile.open(tar.with_suffix(".tar")) as opened:
            names = [name for name in opened.getnames() if not name.endswith(".json")]
            for row in read_jsonl(manifest):
                member = opened.extractfile(row["audio_filepath"])
                assert member is not None
                about = soundfile.info(io.BytesIO(member.read()))
                assert abs(about.duration - row["duration"]) < 1e-9
        assert [row["audio_filepath"] for row in read_jsonl(manifest)] == names


def test_lint_finds_nothing_wrong(dataset: tuple[Path, str]) -> None:
    out, _ = dataset
    assert checked(out).problems == []
    assert checked(out, decode=True).problems == []


def test_what_is_sound_is_not_gone_through_sample_by_sample(
    dataset: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        pytest.fail("a sample was looked at by itself")

    for name in ("read_codes", "times_problem", "check_stored"):
        monkeypatch.setattr(f"wavemill.sharding.lint.samples.{name}", fail)
    assert checked(dataset[0]).problems == []


def test_the_same_samples_give_the_same_bytes(
    dataset: tuple[Path, str], samples: list[Sample], tmp_path: Path
) -> None:
    out, audio = dataset
    again = make_dataset(samples, tmp_path, audio, 0.4, STREAMS)
    for path in sorted(out.glob("bucket-*/**/*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(out)).read_bytes(), path
