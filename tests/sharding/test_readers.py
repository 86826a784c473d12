"""What three readers make of the shards: lhotse, webdataset, and NeMo by its rules."""

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import webdataset
from lhotse import CutSet

from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from wavemill import tokenizers
from wavemill.audio import resample, to_mono
from wavemill.records import path_id

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

STREAMS = ("beats", "mvq")
NEMO_TAR = re.compile(r"audio[^/]*_(\d+)[^/]*\.tar")
NEMO_MANIFEST = re.compile(r"manifest[^/]*_(\d+)[^/]*\.json")


def files(bucket: Path, pattern: str) -> list[str]:
    return [str(path) for path in sorted(bucket.glob(pattern))]


def buckets(out: Path) -> list[Path]:
    found = sorted(out.glob("bucket-*"))
    assert found
    return found


def cuts(out: Path, streams: tuple[str, ...] = STREAMS) -> Iterator[Any]:
    for bucket in buckets(out):
        fields = {"cuts": files(bucket, "cuts.*.jsonl"), "recording": files(bucket, "audio_*.tar")}
        fields |= {name: files(bucket, f"{name}_*.tar") for name in streams}
        yield from CutSet.from_shar(fields=fields)


def webdataset_samples(paths: list[str]) -> Iterator[dict[str, Any]]:
    yield from webdataset.WebDataset(paths, shardshuffle=False)


def sources() -> dict[str, Path]:
    rows = read_jsonl(UTTERANCES)
    return {path_id(row["audio_filepath"]): SPEECH / row["audio_filepath"] for row in rows}


def test_lhotse_reads_every_sample_with_the_source_s_audio_and_text(prepared: Path) -> None:
    rows = {path_id(row["audio_filepath"]): row for row in read_jsonl(UTTERANCES)}
    seen = set()
    for cut in cuts(prepared):
        audio, _ = soundfile.read(sources()[cut.id], dtype="float32")
        assert np.array_equal(cut.load_audio()[0], audio)
        assert cut.supervisions[0].text == rows[cut.id]["text"]
        assert cut.supervisions[0].speaker == rows[cut.id]["speaker"]
        seen.add(cut.id)
    assert seen == rows.keys()


def test_lhotse_loads_the_tokens_that_the_tokenizers_give(prepared: Path) -> None:
    built = {name: tokenizers.load(name) for name in STREAMS}
    for cut in cuts(prepared):
        clip = cut.load_audio()[0].astype(np.float32)
        for name, tokenizer in built.items():
            assert np.array_equal(getattr(cut, f"load_{name}")(), tokenizer.encode([clip])[0])


def test_webdataset_reads_the_same_samples(prepared: Path) -> None:
    by_lhotse = {cut.id: cut for cut in cuts(prepared)}
    seen = set()
    for bucket in buckets(prepared):
        for sample in webdataset_samples(files(bucket, "audio_*.tar")):
            cut = by_lhotse[sample["__key__"]]
            audio, _ = soundfile.read(io.BytesIO(sample["flac"]), dtype="float32")
            assert np.array_equal(audio, cut.load_audio()[0])
            seen.add(cut.id)
        for name in STREAMS:
            for sample in webdataset_samples(files(bucket, f"{name}_*.tar")):
                codes = np.load(io.BytesIO(sample["npy"]), allow_pickle=False)
                assert np.array_equal(
                    codes, getattr(by_lhotse[sample["__key__"]], f"load_{name}")()
                )
    assert seen == by_lhotse.keys()


def test_nemo_manifests_name_exactly_the_members_of_the_tars(prepared: Path) -> None:
    for bucket in buckets(prepared):
        tars = [path for path in sorted(bucket.iterdir()) if NEMO_TAR.fullmatch(path.name)]
        manifests = sorted((bucket / "sharded_manifests").iterdir())
        ids = [int(NEMO_TAR.fullmatch(path.name)[1]) for path in tars]  # type: ignore[index]
        assert ids == list(range(len(tars)))
        assert [NEMO_MANIFEST.fullmatch(path.name)[1] for path in manifests] == [  # type: ignore[index]
            f"{number:06d}" for number in ids
        ]
        for number, (tar, manifest) in enumerate(zip(tars, manifests, strict=True)):
            with tarfile.open(tar) as opened:
                members = [name for name in opened.getnames() if name.endswith(".flac")]
            rows = read_jsonl(manifest)
            assert [row["audio_filepath"] for row in rows] == members
            assert {row["shard_id"] for row in rows} == {number}
            assert all(row["duration"] > 0 and isinstance(row["text"], str) for row in rows)


def test_stereo_high_rate_effects_are_kept_and_read_by_all(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = wavemill("prepare", SPEECH / "effects", "--out", out, "--tokenizer", "beats",
                    "--tokenizer", "mvq")  # fmt: skip
    assert done.code == 0, done.err
    originals = {path_id(path.name): path for path in (SPEECH / "effects").iterdir()}
    beats = tokenizers.load("beats")
    channels = set()
    for cut in cuts(out):
        wanted, rate = soundfile.read(originals[cut.id], dtype="float32", always_2d=True)
        audio = cut.load_audio()
        assert cut.sampling_rate == rate
        assert np.array_equal(audio.T, wanted)
        channels.add(audio.shape[0])
        clip = resample(to_mono(wanted), rate, 16_000)
        assert np.array_equal(cut.load_beats(), beats.encode([clip])[0])
    assert channels == {1, 2}
