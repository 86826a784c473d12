"""The main job: what comes out of it, and what is rejected."""

import json
from pathlib import Path

import pytest
import soundfile as sf

from tests.broken import write_broken_folder
from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from wavemill.records import safe_key


def test_every_recording_becomes_a_sample_and_the_summary_says_so(prepared: Path) -> None:
    rows = read_jsonl(UTTERANCES)
    content = json.loads((prepared / "dataset.json").read_text("utf-8"))
    assert content["totals"]["samples"] == len(rows)
    assert content["totals"]["recordings"] == len(rows)
    assert content["rejected"] == {}
    hours = sum(row["duration"] for row in rows) / 3600
    assert content["totals"]["hours"] == pytest.approx(hours, abs=1e-4)
    assert (prepared / "rejected.jsonl").read_text() == ""


def test_perplexity_is_within_its_bounds_and_healthy(prepared: Path) -> None:
    streams = wavemill("inspect", prepared, "--json").json["tokenizers"]
    assert streams["beats"]["num_codebooks"] == 1
    assert 10 < streams["beats"]["perplexity"] <= 1024
    assert streams["mvq"]["num_codebooks"] == 4
    assert 50 < streams["mvq"]["perplexity"] <= 256
    assert streams["mvq"]["used"] <= 4 * 256


def test_broken_inputs_are_rejected_and_the_good_ones_arrive(tmp_path: Path) -> None:
    good = sorted((SPEECH / "audio").rglob("*.flac"))[:40]
    broken = write_broken_folder(tmp_path / "in", good)
    out = tmp_path / "out"
    done = wavemill("prepare", broken.manifest, "--out", out, "--tokenizer", "beats",
                    "--max-rejected", 0.5, "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    rejects = read_jsonl(out / "rejected.jsonl")
    reasons = {reject["id"]: reject["reason"] for reject in rejects}
    for bad in broken.bad:
        if bad.path is not None:
            assert bad.id is not None
            assert reasons[safe_key(bad.id)] in bad.reasons, bad
    assert len(rejects) == len(broken.bad)
    assert done.json["recordings"] == broken.num_rows
    assert done.json["segments"] == len(broken.good)
    cuts = [cut for path in out.glob("bucket-*/cuts.*.jsonl") for cut in read_jsonl(path)]
    assert {cut["custom"]["origin"]["recording"] for cut in cuts} == {
        safe_key(name) for name in broken.good
    }
    assert wavemill("lint", out).code == 0


def test_recordings_in_are_those_that_arrive_and_those_rejected(tmp_path: Path) -> None:
    rows = read_jsonl(UTTERANCES)[:4]
    for row in rows:
        row["audio_filepath"] = str(SPEECH / row["audio_filepath"])
    same = [{**rows[number], "id": "same"} for number in (1, 2, 3)]
    manifest = tmp_path / "manifest.jsonl"
    lines = [json.dumps(row) for row in (rows[0], *same)]
    manifest.write_text("\n".join([*lines, "{no json", "[]"]) + "\n")
    out = tmp_path / "out"
    done = wavemill("prepare", manifest, "--out", out, "--max-rejected", 1, "--json")
    assert done.code == 0, done.err
    assert (done.json["recordings"], done.json["segments"], done.json["rejected"]) == (6, 2, 4)
    assert len(read_jsonl(out / "rejected.jsonl")) == 4


def test_too_many_rejects_fail_the_job_and_publish_nothing(tmp_path: Path) -> None:
    good = sorted((SPEECH / "audio").rglob("*.flac"))[:8]
    broken = write_broken_folder(tmp_path / "in", good)
    out = tmp_path / "out"
    done = wavemill("prepare", broken.manifest, "--out", out)
    assert done.code == 1
    assert len(done.err.splitlines()[-1]) > 0
    assert "--max-rejected" in done.err
    assert "Traceback" not in done.err
    assert not (out / "dataset.json").exists()
    assert list(out.glob("_work/segments-*/*.arrow"))


def test_a_folder_of_broken_files_gives_the_same_verdicts(tmp_path: Path) -> None:
    good = sorted((SPEECH / "audio").rglob("*.flac"))[:40]
    broken = write_broken_folder(tmp_path / "in", good)
    broken.manifest.unlink()
    out = tmp_path / "out"
    done = wavemill("prepare", broken.folder, "--out", out, "--max-rejected", 0.5, "--json")
    assert done.code == 0, done.err
    assert done.json["segments"] == len(broken.good_files)
    sources = {
        str(Path(reject["source"]).relative_to(broken.folder)): reject["reason"]
        for reject in read_jsonl(out / "rejected.jsonl")
    }
    assert sources.keys() == broken.bad_files.keys()
    for path, reason in sources.items():
        assert reason in broken.bad_files[path], path


def test_custom_fields_survive_to_cuts_and_manifests(tmp_path: Path) -> None:
    corpus = SPEECH / "effects" / "manifest.jsonl"
    out = tmp_path / "out"
    done = wavemill("prepare", corpus, "--out", out, "--tokenizer", "beats")
    assert done.code == 0, done.err
    wanted = sorted(row["label"] for row in read_jsonl(corpus))
    cuts = [cut for path in out.glob("bucket-*/cuts.*.jsonl") for cut in read_jsonl(path)]
    assert sorted(cut["custom"]["label"] for cut in cuts) == wanted
    manifests = out.glob("bucket-*/sharded_manifests/*.json")
    rows = [row for path in manifests for row in read_jsonl(path)]
    assert sorted(row["label"] for row in rows) == wanted


def test_equal_audio_is_counted_and_removed_only_on_request(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    sources = sorted((SPEECH / "audio").rglob("*.flac"))[:3]
    for number, source in enumerate([*sources, sources[0]]):
        (folder / f"{number}.flac").write_bytes(source.read_bytes())
    kept = wavemill("prepare", folder, "--out", tmp_path / "kept", "--json")
    assert kept.json["segments"] == 4
    assert wavemill("inspect", tmp_path / "kept", "--json").json["duplicates"] == 1
    fewer = wavemill("prepare", folder, "--out", tmp_path / "fewer", "--dedup", "--json")
    assert fewer.json["segments"] == 3
    assert fewer.code == 0, fewer.err
    (reject,) = read_jsonl(tmp_path / "fewer" / "rejected.jsonl")
    assert reject["reason"] == "duplicate-audio"
    assert reject["detail"].startswith("the same audio as")


def test_a_recording_of_two_samples_is_a_dataset(tmp_path: Path) -> None:
    sf.write(tmp_path / "click.wav", [0.5, -0.5], 16_000)
    wavemill("prepare", tmp_path / "click.wav", "--out", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert content["totals"]["samples"] == 1


def test_clean_removes_the_spool_and_leaves_a_whole_dataset(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = wavemill("prepare", UTTERANCES, "--out", out, "--tokenizer", "mvq", "--clean")
    assert done.code == 0, done.err
    assert not (out / "_work").exists()
    assert wavemill("lint", out).code == 0


def test_tokens_alone_make_a_dataset(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = wavemill("prepare", UTTERANCES, "--out", out, "--tokenizer", "mvq", "--audio", "none")
    assert done.code == 0, done.err
    assert not list(out.glob("bucket-*/audio_*"))
    assert wavemill("lint", out).code == 0
