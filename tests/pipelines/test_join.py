"""`add`: what is there stays as it is, whatever happens; what is new comes to it."""

import json
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SPEECH, read_jsonl, wavemill
from tests.pipelines.join_files import (
    assert_same,
    assert_sound,
    content_of,
    run_add,
    run_prepare,
    shards_of,
    utterances,
    write_manifest,
)
from wavemill import storage
from wavemill.errors import DatasetError, JobError, TooManyRejectedError, UsageError
from wavemill.specs import Spec
from wavemill.storage import writing

OLD, NEW = 4, 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`old`, a dataset of old.jsonl; `whole`, one of old.jsonl and new.jsonl."""
    folder = tmp_path_factory.mktemp("made")
    old = write_manifest(folder / "old.jsonl", utterances(OLD))
    new = write_manifest(folder / "new.jsonl", utterances(NEW, OLD))
    run_prepare([old], folder / "old")
    run_prepare([old, new], folder / "whole")
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """A copy of the old dataset."""
    shutil.copytree(made / "old", tmp_path / "out")
    return tmp_path / "out"


def members(out: Path, pattern: str) -> dict[str, bytes]:
    found = {}
    for path in out.glob(pattern):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    return found


def test_the_old_inputs_are_not_read_again(made: Path, out: Path) -> None:
    units = {path: path.stat().st_mtime_ns for path in out.glob("_work/*-*/*.arrow")}
    (made / "old.jsonl").rename(made / "gone.jsonl")
    try:
        summary = run_add([str(made / "new.jsonl")], out)
    finally:
        (made / "gone.jsonl").rename(made / "old.jsonl")
    assert (summary["added"], summary["skipped"]) == (NEW, 0)
    assert summary["recordings"] == OLD + NEW
    assert summary["reused_units"] > 0
    kept = {path: path.stat().st_mtime_ns for path in units if "plan" not in path.parent.name}
    assert kept == {path: units[path] for path in kept}
    assert_same(out, made / "whole")


def test_what_is_there_already_is_passed_over_and_counted(made: Path, out: Path) -> None:
    both = [str(made / "old.jsonl"), str(made / "new.jsonl")]
    summary = run_add(both, out)
    assert (summary["added"], summary["skipped"]) == (NEW, OLD)
    assert_same(out, made / "whole")
    before = shards_of(out)
    again = run_add(both, out)
    assert (again["added"], again["skipped"]) == (0, OLD + NEW)
    assert shards_of(out) == before


def test_it_is_passed_over_after_the_spool_went_too(made: Path, out: Path) -> None:
    shutil.rmtree(out / "_work")
    before = shards_of(out)
    nothing = run_add([str(made / "old.jsonl")], out)
    assert (nothing["added"], nothing["skipped"]) == (0, OLD)
    assert shards_of(out) == before
    assert not (out / "_work").exists()
    summary = run_add([str(made / "old.jsonl"), str(made / "new.jsonl")], out)
    assert (summary["added"], summary["skipped"]) == (NEW, OLD)
    assert shards_of(out) == shards_of(made / "whole")


@pytest.mark.parametrize("clean", [False, True])
def test_another_file_of_the_same_id_is_rejected(out: Path, tmp_path: Path, *, clean: bool) -> None:
    if clean:
        shutil.rmtree(out / "_work")
    row = {**utterances(1, 9)[0], "id": "clip-0"}
    more = write_manifest(tmp_path / "more.jsonl", [row, *utterances(1, 10)])
    summary = run_add([more], out, max_rejected=1)
    assert (summary["added"], summary["skipped"], summary["rejected"]) == (2, 0, 1)
    (reject,) = read_jsonl(out / "rejected.jsonl")
    assert (reject["id"], reject["reason"]) == ("clip-0", "duplicate-id")
    assert_sound(out)


@pytest.mark.parametrize("clean", [False, True])
def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path, *, clean: bool) -> None:
    sources = sorted((SPEECH / "audio").glob("*.flac"))[:4]
    for number, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        for name, source in zip("ab", sources[2 * number :], strict=False):
            (tmp_path / folder / f"{name}.flac").write_bytes(source.read_bytes())
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    run_prepare(folders, tmp_path / "whole")
    run_prepare(folders[:1], tmp_path / "out", clean=clean)
    assert run_add(folders[1:], tmp_path / "out")["added"] == 2
    assert_same(tmp_path / "out", tmp_path / "whole")
    again = run_add(folders, tmp_path / "out")
    assert (again["added"], again["skipped"]) == (0, 4)


def test_too_many_rejects_leave_the_dataset_as_it_was(out: Path, tmp_path: Path) -> None:
    before = (out / "dataset.json").read_bytes(), shards_of(out)
    gone = [{"id": f"gone-{n}", "audio_filepath": "gone.wav"} for n in range(2)]
    more = write_manifest(tmp_path / "more.jsonl", [*utterances(8, 20), *gone])
    with pytest.raises(TooManyRejectedError, match=r"20\.0% was rejected"):
        run_add([more], out)
    assert ((out / "dataset.json").read_bytes(), shards_of(out)) == before
    assert_sound(out)
    summary = run_add([more], out, max_rejected=0.3)
    assert (summary["added"], summary["rejected"]) == (10, 2)


@pytest.mark.parametrize("clean", [False, True])
def test_what_was_rejected_before_is_not_held_against_it_again(
    tmp_path: Path, *, clean: bool
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound at all" * 100)
    bad = [
        {"id": "gone", "audio_filepath": "gone.wav"},
        {"id": "broken", "audio_filepath": str(broken)},
    ]
    place, out = tmp_path / "corpus.jsonl", tmp_path / "out"
    write_manifest(place, [*utterances(3), *bad])
    run_prepare([str(place)], out, clean=clean, max_rejected=1)
    before = shards_of(out)
    nothing = run_add([str(place)], out, clean=clean)
    assert (nothing["added"], nothing["recordings"], nothing["rejected"]) == (0, 5, 2)
    assert shards_of(out) == before
    write_manifest(place, [*utterances(4), *bad])
    summary = run_add([str(place)], out, clean=clean)
    assert (summary["added"], summary["recordings"], summary["rejected"]) == (1, 6, 2)
    # Mended, it comes in; that it once did not is still told.
    broken.write_bytes(Path(utterances(1, 5)[0]["audio_filepath"]).read_bytes())
    again = run_add([str(place)], out, max_rejected=1)
    if clean:
        assert (again["added"], again["segments"], again["rejected"]) == (1, 5, 2)
    else:  # its id was taken by the file that it was
        assert (again["added"], again["segments"], again["rejected"]) == (1, 4, 3)
    assert_sound(out)


def test_a_damaged_shard_is_not_read_back(made: Path, out: Path) -> None:
    shutil.rmtree(out / "_work")
    tar = min(out.glob("bucket-*/audio_*.tar"))
    data = bytearray(tar.read_bytes())
    data[len(data) // 2] ^= 1
    tar.write_bytes(data)
    before = shards_of(out)
    with pytest.raises(JobError, match=r"reading shards back failed: .*is damaged") as caught:
        run_add([str(made / "new.jsonl")], out)
    assert f"{tar.parent.name}/000000" in str(caught.value)
    assert shards_of(out) == before
    assert content_of(out) == content_of(made / "old")


def test_prepare_would_drop_what_was_added_and_refuses(made: Path, out: Path) -> None:
    old, new = str(made / "old.jsonl"), str(made / "new.jsonl")
    run_add([new], out)
    with pytest.raises(UsageError, match=r"came later from .*new\.jsonl"):
        run_prepare([old], out)
    assert_same(out, made / "whole")
    run_prepare([old, new], out)
    assert "joined" not in content_of(out)
    assert_same(out, made / "whole")


def test_opus_is_copied_and_not_encoded_again(tmp_path: Path) -> None:
    old = write_manifest(tmp_path / "old.jsonl", utterances(3))
    new = write_manifest(tmp_path / "new.jsonl", utterances(2, 3))
    run_prepare([old, new], tmp_path / "whole", audio="opus", num_buckets=1)
    for clean in (False, True):
        out = tmp_path / f"out-{clean}"
        run_prepare([old], out, audio="opus", num_buckets=1, clean=clean)
        run_add([new], out)
        for pattern in ("bucket-*/audio_*.tar", "bucket-*/mvq_*.tar"):
            assert members(out, pattern) == members(tmp_path / "whole", pattern)
        assert_sound(out)
    assert_same(tmp_path / "out-False", tmp_path / "whole")


def test_a_model_that_moved_is_given_anew_and_another_is_refused(tmp_path: Path) -> None:
    weights = Path(__file__).parents[2] / "wavemill" / "tokenizers" / "weights"
    (model,) = weights.glob("*mvq*.safetensors")
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    first.write_bytes(model.read_bytes())
    old = write_manifest(tmp_path / "old.jsonl", utterances(2))
    new = write_manifest(tmp_path / "new.jsonl", utterances(2, 2))
    out = tmp_path / "out"
    run_prepare([old], out, tokenizers=[f"mvq:model={first},teacher=logmel", "beats"])
    first.rename(second)
    with pytest.raises(UsageError, match=r"first\.safetensors"):
        run_add([new], out)
    moved = f"mvq:model={second},teacher=logmel"
    for other, words in (("dac", "has no stream 'dac'"), ("beats:seed=5", "is not what made")):
        with pytest.raises(UsageError, match=words):
            run_add([new], out, tokenizers=[Spec.parse(moved), Spec.parse(other)])
    assert run_add([new], out, tokenizers=[Spec.parse(moved)])["added"] == 2
    assert_sound(out)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    new = write_manifest(tmp_path / "new.jsonl", utterances(1))
    with pytest.raises(DatasetError, match="no folder"):
        run_add([new], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(made: Path, out: Path) -> None:
    shutil.rmtree(out / "_work")
    both = [str(made / "old.jsonl"), str(made / "new.jsonl")]
    done = wavemill("add", *both, "--out", out, "--dry-run", "--json")
    assert done.code == 0, done.err
    shards = content_of(out)["totals"]["shards"]
    plan = done.json
    assert (plan["added"], plan["skipped"]) == (NEW, OLD)
    assert (plan["shards_read_back"], plan["shards_rewritten"]) == (shards, shards)
    assert not (out / "_work").exists()


def kill_when(seen: Callable[[], Any], out: Path, new: Path) -> None:
    """Start `add` and kill it as soon as `seen()` is true."""
    command = [sys.executable, "-m", "wavemill", "add", str(new), "--out", str(out)]
    process = subprocess.Popen([*command, "--unit-mb", "0.1", "--quiet"], stdout=subprocess.DEVNULL)
    while process.poll() is None and not seen():
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()


def check_halfway(out: Path, old: dict[str, Any]) -> None:
    """Where there is a `dataset.json`, all that it lists is there."""
    if (out / "dataset.json").exists():
        assert content_of(out)["totals"]["recordings"] in (OLD, OLD + NEW)
        assert_sound(out)
    else:
        assert json.loads((out / "_work/adding.json").read_text())["content"] == old


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param("_work/recordings/*", marks=pytest.mark.slow),
        pytest.param("_work/tokens-*/*.arrow", marks=pytest.mark.slow),
        "_work/segments-*/*.arrow",
        pytest.param("_work/plan-*/*.arrow", marks=pytest.mark.slow),
        "_work/shards-*/*.json",
    ],
)
def test_an_add_that_is_killed_goes_on_and_ends_with_the_same_bytes(
    made: Path, out: Path, mark: str
) -> None:
    shutil.rmtree(out / "_work")
    old = content_of(out)
    kill_when(lambda: any(out.glob(mark)), out, made / "new.jsonl")
    check_halfway(out, old)
    run_add([str(made / "new.jsonl")], out)
    assert_same(out, made / "whole")


@pytest.mark.slow
def test_two_workers_read_back_and_write_the_same_bytes_as_one(made: Path, out: Path) -> None:
    shutil.rmtree(out / "_work")
    run_add([str(made / "new.jsonl")], out, workers=2)
    assert_same(out, made / "whole")


class Crash(BaseException):
    """The end of the process."""


def crash_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the write or removal of this number, and all after it, fail."""
    left = [number]

    def dying(call: Any) -> Any:
        def die_or_do(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return call(*arguments)

        return die_or_do

    for module, name in ((writing, "_write_local"), (storage, "remove")):
        monkeypatch.setattr(module, name, dying(getattr(module, name)))


@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.slow), 13], ids=["every", "some"]
)
def test_an_add_may_end_at_any_write(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    (new,) = [str(made / "new.jsonl")]
    old = content_of(made / "old")
    for number in range(3, 1000, step):
        out = tmp_path / f"{number}"
        shutil.copytree(made / "old", out, ignore=shutil.ignore_patterns("_work"))
        with monkeypatch.context() as patch:
            crash_at(number, patch)
            try:
                run_add([new], out)
            except BaseException:  # noqa: BLE001 - Beam may have wrapped it
                crashed = True
            else:
                crashed = False
        if not crashed:
            break
        check_halfway(out, old)
        run_add([new], out)
        assert_same(out, made / "whole")
        assert not (out / "_work/adding.json").exists()
    assert number > 20
