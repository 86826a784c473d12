"""Shards of a stream on an irregular clock, as lhotse and webdataset read them."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import webdataset
from lhotse import CutSet

from tests.conftest import SPEECH, wavemill
from tests.tokenizers.hubert_files import SETTINGS, write_hubert, write_units
from wavemill import tokenizers
from wavemill.errors import UsageError
from wavemill.sharding import layout
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
NAMES = ("sylber", "sylber_times", "beats")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A sylber with random weights."""
    folder = tmp_path_factory.mktemp("sylber")
    write_hubert(folder / "hubert")
    write_units(folder / "units.safetensors")
    settings = {**SETTINGS, "model": folder / "hubert", "units": folder / "units.safetensors"}
    return "sylber:" + ",".join(f"{name}={value}" for name, value in settings.items())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some utterances, and silence, in which this sylber finds nothing."""
    folder = tmp_path_factory.mktemp("clips")
    for path in sorted((SPEECH / "audio").glob("*.flac"))[:8]:
        (folder / path.name).write_bytes(path.read_bytes())
    soundfile.write(folder / "silence.flac", np.zeros(16_000), 16_000, subtype="PCM_16")
    return folder


def prepare(clips: Path, out: Path, spec: str, *more: Any) -> None:
    done = wavemill("prepare", clips, "--out", out, "--tokenizer", spec, "--tokenizer", "beats",
                    "--buckets", 2, "--shard-mb", 0.2, "--unit-mb", 0.1, *more)  # fmt: skip
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def timed(clips: Path, spec: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("timed") / "out"
    prepare(clips, out, spec, "--workers", 1)
    return out


def read_cuts(out: Path) -> list[Any]:
    found = []
    for bucket in sorted(out.glob("bucket-*")):
        fields = {"cuts": sorted(map(str, bucket.glob("cuts.*.jsonl")))}
        for field, name in (("recording", "audio"), *((name, name) for name in NAMES)):
            fields[field] = sorted(map(str, bucket.glob(f"{name}_[0-9]*.tar")))
        found += list(CutSet.from_shar(fields=fields))
    return found


def test_lhotse_loads_the_ids_and_times_that_the_tokenizer_gives(timed: Path, spec: str) -> None:
    torch.set_num_threads(1)
    tokenizer: Any = tokenizers.load(spec)
    cuts = read_cuts(timed)
    assert len(cuts) == 9
    lengths = []
    for cut in cuts:
        clip = cut.load_audio()[0].astype(np.float32)
        ((codes, times),) = tokenizer.encode_timed([clip])
        assert np.array_equal(cut.load_sylber(), codes)
        assert np.array_equal(cut.load_sylber_times(), times)
        assert cut.load_sylber_times().dtype == np.float32
        lengths.append(len(codes))
    assert min(lengths) == 0
    assert max(lengths) > 20


def test_webdataset_reads_the_same(timed: Path) -> None:
    by_id = {cut.id: cut for cut in read_cuts(timed)}
    for name in ("sylber", "sylber_times"):
        paths = sorted(map(str, timed.glob(f"bucket-*/{name}_[0-9]*.tar")))
        seen = set()
        for sample in webdataset.WebDataset(paths, shardshuffle=False):
            array = np.load(io.BytesIO(sample["npy"]), allow_pickle=False)
            cut = by_id[sample["__key__"]]
            assert np.array_equal(array, getattr(cut, f"load_{name}")())
            seen.add(cut.id)
        assert seen == by_id.keys()


def test_dataset_json_and_the_card_name_the_times(timed: Path) -> None:
    facts = json.loads((timed / "dataset.json").read_text("utf-8"))["tokenizers"]
    assert (facts["sylber"]["frame_rate"], facts["sylber"]["times"]) == (None, "sylber_times")
    assert facts["beats"]["times"] is None
    card = (timed / "README.md").read_text("utf-8")
    assert '"sylber_times": tars("sylber_times"),' in card
    assert "| irregular |" in card


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(
    timed: Path, clips: Path, spec: str, tmp_path: Path
) -> None:
    prepare(clips, tmp_path / "out", spec, "--workers", 2)
    assert _digests(tmp_path / "out") == _digests(timed)


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".log"]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_lint_checks_the_times_and_another_job_removes_them(
    timed: Path, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for path in timed.rglob("*"):
        place = out / path.relative_to(timed)
        place.mkdir(exist_ok=True) if path.is_dir() else place.write_bytes(path.read_bytes())
    assert wavemill("lint", out).code == 0
    tar = next(iter(sorted(out.glob("bucket-*/sylber_times_*.tar"))))
    _break_first_times(tar)
    _restate(out, tar)
    done = wavemill("lint", out)
    assert done.code == 1
    assert "sylber_times: times that do not rise" in done.out + done.err
    again = wavemill("prepare", clips, "--out", out, "--tokenizer", "beats", "--buckets", 2,
                     "--shard-mb", 0.2, "--unit-mb", 0.1)  # fmt: skip
    assert again.code == 0, again.err
    assert not list(out.glob("bucket-*/sylber*"))
    assert wavemill("lint", out).code == 0


def _break_first_times(tar: Path) -> None:
    """Make the first token of a tar begin before its clip."""
    data = bytearray(tar.read_bytes())
    at = data.index(b"\n", data.index(b"\x93NUMPY")) + 1
    data[at : at + 4] = np.float32(-1).tobytes()
    tar.write_bytes(data)


def _restate(out: Path, changed: Path) -> None:
    """State a changed file's digest in `dataset.json`, as if it had been written so."""
    content = json.loads((out / "dataset.json").read_text("utf-8"))
    for shard in content["shards"]:
        for file in shard["files"]:
            if file["path"] == str(changed.relative_to(out)):
                file["sha256"] = hashlib.sha256(changed.read_bytes()).hexdigest()
    (out / "dataset.json").write_text(json.dumps(content))


def test_a_stream_named_like_another_s_times_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="name that does not begin with sylber_"):
        make_tokenizers([Spec.parse(spec), Spec.parse("beats:name=sylber_times")])
    make_tokenizers([Spec.parse(spec), Spec.parse("beats:name=times")])


def test_an_array_of_no_tokens_has_a_frame_shift() -> None:
    assert layout.frame_shift(None, 0, 1.5) == 1.5
    assert layout.stream_names("a", 50.0) == ("a",)
    assert layout.stream_names("a", None) == ("a", "a_times")
    files = list(layout.shard_files(3, layout.stream_names("a", None), audio=False))
    assert files == ["a_000003.tar", "a_000003.tar.idx", "a_times_000003.tar",
                     "a_times_000003.tar.idx", "cuts.000003.jsonl",
                     "lengths_000003.npy"]  # fmt: skip
    assert all(layout.is_shard_file(f"bucket-00/{name}") for name in files)
