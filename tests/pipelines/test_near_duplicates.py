"""Groups of near-duplicates: who is kept, and what a job makes of them."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import SPEECH, read_jsonl, wavemill
from tests.pipelines.copies import CHANGES, RATE, speech
from wavemill.audio import resample
from wavemill.errors import UsageError
from wavemill.pipelines import near_duplicates
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.fingerprint import EMBEDDING_SIZE, SAMPLE_RATE, Floats, embed, wave_of
from wavemill.pipelines.job import make_job
from wavemill.pipelines.near_duplicates import near_copies
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.specs import Spec


class Prints:
    """Fingerprints at hand."""

    def __init__(self, embeddings: Floats, waves: list[Any]) -> None:
        self._embeddings, self.wave = embeddings, waves.__getitem__

    def __len__(self) -> int:
        return len(self._embeddings)

    def embeddings(self, start: int, stop: int) -> Floats:
        return self._embeddings[start:stop]


def numbers(values: list[float]) -> Any:
    """Fingerprints that are all near each other, and whose waves are numbers."""
    embeddings = np.zeros((len(values), EMBEDDING_SIZE), np.float32)
    embeddings[:, 0] = 1
    return Prints(embeddings, values)


def found_among(values: list[float], monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Take numbers for copies of each other if they are at most 1 apart."""
    monkeypatch.setattr(near_duplicates, "similarity", lambda a, b: 1.0 if abs(a - b) <= 1 else 0.0)
    copies = near_copies(numbers(values), np.ones(len(values)))
    return {copy: kept for copy, (kept, _) in copies.items()}


def test_the_first_of_a_group_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_among([5, 9, 5.5, 9, 4.5], monkeypatch) == {2: 0, 3: 1, 4: 0}


def test_a_chain_of_likenesses_takes_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_among([0, 1, 2, 3, 4], monkeypatch) == {1: 0, 3: 2}
    assert found_among([2, 1, 0, 3, 4], monkeypatch) == {1: 0, 3: 0}


def test_a_group_larger_than_its_neighbourhoods_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_among([7.0] * 40, monkeypatch) == dict.fromkeys(range(1, 40), 0)


def test_none_and_one_have_no_copies() -> None:
    assert near_copies(numbers([]), np.ones(0)) == near_copies(numbers([1.0]), np.ones(1)) == {}


def test_a_search_in_parts_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [(clip, RATE) for clip in speech()]
    clips += [CHANGES[change](clips[at][0]) for at, change in enumerate(CHANGES)]
    low = [resample(clip, rate, SAMPLE_RATE) for clip, rate in clips]
    prints: Any = Prints(np.array([embed(clip) for clip in low]), [wave_of(clip) for clip in low])
    seconds = np.array([len(clip) / SAMPLE_RATE for clip in low])
    expected = {60 + at: at for at in range(len(CHANGES))}
    whole = near_copies(prints, seconds)
    assert {copy: kept for copy, (kept, _) in whole.items()} == expected
    monkeypatch.setattr(near_duplicates, "EXACT_SEARCH", 69)
    monkeypatch.setattr(near_duplicates, "_SAMPLES_A_LIST", 35)
    monkeypatch.setattr(near_duplicates, "_AT_ONCE", 16)
    assert near_copies(prints, seconds) == whole


def test_without_faiss_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    settings = PrepareSettings(
        inputs=("x",), out=str(tmp_path / "out"), segmenter=Spec(name="none"), dedup=True
    )
    with pytest.raises(UsageError, match=r"--dedup needs faiss .*pip install 'wavemill\[dedup\]'"):
        make_job(settings, Engine(), Reporter(quiet=True))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty clips, two copies of each kind and an exact one."""
    folder = tmp_path_factory.mktemp("planted")
    for at, clip in enumerate(speech()):
        soundfile.write(folder / f"clip-{at:02d}.flac", clip, RATE)
    for at, change in enumerate([*CHANGES, *CHANGES]):
        audio, rate = CHANGES[change](speech()[at + 20])
        soundfile.write(folder / f"copy-{at + 20}.flac", audio, rate)
    (folder / "copy-05.flac").write_bytes((folder / "clip-05.flac").read_bytes())
    return folder


def shards(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and (path.suffix in (".tar", ".jsonl", ".arrow"))
    }


def test_a_job_leaves_out_the_copies_and_nothing_else(planted: Path, tmp_path: Path) -> None:
    out = tmp_path / "one"
    options = ("--dedup", "--unit-mb", "0.2", "--max-rejected", "0", "--json")
    done = wavemill("prepare", planted, "--out", out, *options)
    assert done.code == 0, done.err
    assert (done.json["segments"], done.json["left_out"]) == (60, 21)
    rejects = read_jsonl(out / "rejected.jsonl")
    for row in rejects:
        number = row["id"].split("-")[1]
        assert row["id"].startswith("copy-")
        assert f" as clip-{number}-" in row["detail"]
        assert row["stage"] == "dedup"
    facts = wavemill("inspect", out, "--json").json
    assert facts["rejected"] == {"duplicate-audio": 1, "near-duplicate": 20}
    assert wavemill("lint", out).code == 0
    again = wavemill("prepare", planted, "--out", tmp_path / "two", *options, "--workers", 2)
    assert again.code == 0, again.err
    assert shards(tmp_path / "two") == shards(out)


def test_without_dedup_no_fingerprints_are_taken(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sound = SPEECH / "audio/hello-world.flac"
    assert wavemill("prepare", sound, "--out", out).code == 0
    assert not list(out.glob("_work/fingerprints-*"))
    done = wavemill("prepare", sound, "--out", out, "--dedup", "--json")
    assert (done.json["reused_units"], done.json["segments"]) == (1, 1)
    assert list(out.glob("_work/fingerprints-*/*.arrow"))


@pytest.mark.slow
def test_copies_that_come_later_are_left_out(tmp_path: Path) -> None:
    first, later = tmp_path / "first", tmp_path / "later"
    first.mkdir()
    later.mkdir()
    for at, clip in enumerate(speech()[20:26]):
        soundfile.write(first / f"clip-{at}.flac", clip, RATE)
        audio, rate = CHANGES["noisy"](clip)
        soundfile.write(later / f"copy-{at}.flac", audio, rate)
    soundfile.write(later / "new.flac", speech()[1], RATE)
    out, other, both = tmp_path / "out", tmp_path / "other", tmp_path / "both"
    assert wavemill("prepare", first, "--out", out, "--dedup").code == 0
    assert wavemill("prepare", later, "--out", other, "--dedup").code == 0
    merged = wavemill("merge", out, other, "--out", both, "--json")
    assert merged.code == 0, merged.err
    added = wavemill("add", later, "--out", out, "--json")
    assert added.code == 0, added.err
    for done in (merged, added):
        assert (done.json["segments"], done.json["left_out"]) == (7, 6)
    rejects = [
        sorted(read_jsonl(folder / "rejected.jsonl"), key=lambda row: str(row["id"]))
        for folder in (out, both)
    ]
    assert rejects[0] == rejects[1]
