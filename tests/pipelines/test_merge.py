"""`merge`: datasets become one; what does not go together is named, and damage is not copied."""

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import read_jsonl, wavemill
from tests.pipelines.join_files import (
    assert_same,
    assert_sound,
    content_of,
    run_add,
    run_merge,
    run_prepare,
    shards_of,
    utterances,
    write_manifest,
)
from tests.sharding.damage import MVQ, restated
from tests.tokenizers.hubert_files import SETTINGS, write_hubert, write_units
from wavemill.errors import JobError, TooManyRejectedError, UsageError

Row = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one` and `two`, which share two recordings and a broken row; `other`, with other tokens."""
    folder = tmp_path_factory.mktemp("made")
    gone: Row = {"id": "gone", "audio_filepath": "gone.wav"}
    one = write_manifest(folder / "one.jsonl", [*utterances(4), gone])
    two = write_manifest(folder / "two.jsonl", [*utterances(4, 2), gone])
    run_prepare([one], folder / "one", clean=True, max_rejected=1)
    run_prepare([two], folder / "two", clean=True, max_rejected=1)
    run_prepare([one], folder / "other", max_rejected=1, tokenizers=["mvq", "beats"])
    return folder


def test_recordings_that_both_hold_alike_are_kept_once(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = shards_of(made / "one"), shards_of(made / "two")
    summary = run_merge([made / "one", made / "two"], out)
    assert (summary["identical"], summary["conflicts"]) == (3, 0)  # the broken row is the third
    assert (summary["recordings"], summary["segments"], summary["rejected"]) == (7, 6, 1)
    everything = [*utterances(6), {"id": "gone", "audio_filepath": "gone.wav"}]
    whole = write_manifest(tmp_path / "whole.jsonl", everything)
    run_prepare([whole], tmp_path / "whole", max_rejected=1)
    assert shards_of(out) == shards_of(tmp_path / "whole")
    assert content_of(out)["digest"] == content_of(tmp_path / "whole")["digest"]
    assert content_of(out)["inputs"] == [str(made / "one.jsonl"), str(made / "two.jsonl")]
    assert_sound(out)
    assert (shards_of(made / "one"), shards_of(made / "two")) == before


def test_a_dataset_merged_with_itself_stays_what_it_is(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "one", tmp_path / "copy")
    summary = run_merge([made / "one", tmp_path / "copy"], tmp_path / "out")
    assert (summary["identical"], summary["conflicts"]) == (5, 0)
    assert shards_of(tmp_path / "out") == shards_of(made / "one")
    assert content_of(tmp_path / "out")["totals"] == content_of(made / "one")["totals"]
    more = write_manifest(tmp_path / "more.jsonl", utterances(1, 9))
    assert run_add([more], tmp_path / "out")["recordings"] == 6
    assert_sound(tmp_path / "out")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A dataset with an id of `one`, of other audio."""
    rows = [{**utterances(1, 8)[0], "id": "clip-1"}, *utterances(1, 9)]
    run_prepare([write_manifest(tmp_path / "changed.jsonl", rows)], tmp_path / "changed")
    return tmp_path / "changed"


def test_another_recording_of_the_same_id_is_rejected_and_counted(
    made: Path, changed: Path, tmp_path: Path
) -> None:
    with pytest.raises(TooManyRejectedError, match="--prefix keeps them apart"):
        run_merge([made / "one", changed], tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.json").exists()
    summary = run_merge([made / "one", changed], tmp_path / "out", max_rejected=0.5)
    assert (summary["identical"], summary["conflicts"]) == (0, 1)
    assert (summary["recordings"], summary["segments"], summary["rejected"]) == (7, 5, 2)
    rejects = {row["id"]: row for row in read_jsonl(tmp_path / "out" / "rejected.jsonl")}
    assert rejects["clip-1"]["reason"] == "duplicate-id"
    assert rejects["gone"]["reason"] == "missing-file"
    assert_sound(tmp_path / "out")
    # The same holds when more is added, or when the result is read back.
    more = write_manifest(tmp_path / "more.jsonl", utterances(1, 10))
    again = run_add([more], tmp_path / "out")
    assert (again["recordings"], again["segments"], again["rejected"]) == (8, 6, 2)
    assert_sound(tmp_path / "out")


def test_a_prefix_keeps_namesakes_apart(made: Path, changed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = run_merge([made / "one", changed], out, prefixes=("", "new-"))
    assert (summary["conflicts"], summary["recordings"], summary["segments"]) == (0, 7, 6)
    cuts = [cut for path in out.glob("bucket-*/cuts.*.jsonl") for cut in read_jsonl(path)]
    assert {cut["id"] for cut in cuts} == {
        "clip-0", "clip-1", "clip-2", "clip-3", "new-clip-1", "new-clip-9"
    }  # fmt: skip
    assert all(cut["custom"]["origin"]["recording"] == cut["id"] for cut in cuts)
    assert_sound(out)


def test_what_does_not_go_together_is_named(made: Path, tmp_path: Path) -> None:
    one, other, out = made / "one", made / "other", tmp_path / "out"
    words = rf"{other} has the stream beats, {one} has not; --streams mvq keeps"
    with pytest.raises(UsageError, match=words):
        run_merge([one, other], out)
    summary = run_merge([one, other], out, streams=("mvq",))
    assert (summary["identical"], summary["segments"]) == (5, 4)
    assert shards_of(out) == shards_of(one)
    with pytest.raises(UsageError, match="holds another dataset"):
        run_merge([one, made / "two"], out)
    inputs = [str(made / "one.jsonl")]
    unlike: list[tuple[Row, str]] = [
        ({"tokenizers": ["mvq:refinements=1"]}, "weights_digest is"),
        ({"audio": "opus"}, "--audio is opus, not flac"),
        ({"mono": True}, "--mono is True, not False"),
    ]
    for number, (settings, told) in enumerate(unlike):
        place = tmp_path / f"{number}"
        run_prepare(inputs, place, max_rejected=1, **settings)
        with pytest.raises(UsageError, match=f"{place}.*{told}"):
            run_merge([one, place], tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("restate", [False, True])
def test_a_damaged_shard_is_named_with_its_sample(
    made: Path, tmp_path: Path, *, restate: bool
) -> None:
    bad, out = tmp_path / "bad", tmp_path / "out"
    shutil.copytree(made / "two", bad)
    path = min(bad.glob(MVQ))
    with tarfile.open(path) as tar:
        member = tar.getmembers()[0]
    data = bytearray(path.read_bytes())
    data[member.offset_data + 1] ^= 1
    path.write_bytes(data)
    if restate:
        restated(bad, path, bytes(data))
    key = member.name.removesuffix(".npy")
    words = f"{path.parent.name}/000000 of {bad} is damaged: " + (key if restate else "")
    with pytest.raises(JobError, match=words):
        run_merge([made / "one", bad], out)
    assert not (out / "dataset.json").exists()
    assert not list(out.glob("bucket-*"))


def test_times_and_their_dtypes_are_carried_over(tmp_path: Path) -> None:
    write_hubert(tmp_path / "hubert")
    write_units(tmp_path / "units.safetensors")
    chosen = {**SETTINGS, "model": tmp_path / "hubert", "units": tmp_path / "units.safetensors"}
    spec = "sylber:" + ",".join(f"{name}={value}" for name, value in chosen.items())
    made: Row = {"tokenizers": [spec, "beats"], "segment": "fixed:2"}
    parts = [write_manifest(tmp_path / f"{n}.jsonl", utterances(2, 2 * n)) for n in (0, 1)]
    run_prepare(parts, tmp_path / "whole", **made)
    for number, part in enumerate(parts):
        run_prepare([part], tmp_path / f"{number}", clean=True, **made)
    run_merge([tmp_path / "0", tmp_path / "1"], tmp_path / "out")
    assert_same(tmp_path / "out", tmp_path / "whole")
    tar = min((tmp_path / "out").glob("bucket-*/sylber_times_*.tar"))
    with tarfile.open(tar) as file:
        found = file.extractfile(file.getmembers()[0])
        assert found is not None
        assert np.load(io.BytesIO(found.read())).dtype == np.float32


def test_the_command_merges_and_says_what_it_would_do(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sources = (made / "one", f"file://{made / 'two'}")
    plan = wavemill("merge", *sources, "--out", out, "--dry-run", "--json")
    assert plan.code == 0, plan.err
    assert (plan.json["recordings"], plan.json["segments"]) == (10, 8)
    assert not out.exists()
    done = wavemill("merge", *sources, "--out", out, "--buckets", 1, "--json")
    assert done.code == 0, done.err
    assert done.json["segments"] == 6
    assert len(content_of(out)["buckets"]) <= 2
    with pytest.raises(UsageError, match="two datasets"):
        run_merge([made / "one"], out)


def test_a_merge_given_again_goes_on_where_it_stood(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_merge([made / "one", made / "two"], out)
    before = shards_of(out)
    shutil.rmtree(min(out.glob("bucket-*")))
    again = run_merge([made / "one", made / "two"], out)
    assert again["reused_units"] > 0
    assert shards_of(out) == before
