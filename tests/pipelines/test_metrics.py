"""Names of metrics stay, counters say what `dataset.json` says, and times lie beside it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wavemill
from tests.pipelines.join_files import (
    assert_sound,
    content_of,
    run_add,
    run_merge,
    run_prepare,
    utterances,
    write_manifest,
)
from wavemill.pipelines.metrics import measured
from wavemill.pipelines.run_notes import RunNotes
from wavemill.sharding.dataset import Dataset

NAMES = {
    "segment_audio_ms", "segment_bytes_read", "segment_bytes_written", "segment_ms",
    "segment_recordings", "segment_rejects", "segment_rejects_shorter_than_stated",
    "segment_rejects_undecodable", "segment_segments", "segment_units",
    "tokenize_mvq_audio_ms", "tokenize_mvq_bytes_written", "tokenize_mvq_load_ms",
    "tokenize_mvq_ms", "tokenize_mvq_segments", "tokenize_mvq_tokens", "tokenize_mvq_units",
    "write_audio_ms", "write_bytes_written", "write_ms", "write_samples", "write_shards",
}  # fmt: skip
"""What people's dashboards look for: a name that goes is missed."""
STEPS = ["start", "ingest", "units", "survey", "plan", "write", "publish"]
LOSSY: dict[str, Any] = {"max_rejected": 0.5}


def run_of(out: Path) -> dict[str, Any]:
    run = Dataset.open(str(out)).run()
    assert run is not None
    return run


def lossy_manifest(folder: Path) -> str:
    """Twenty utterances, two of them shorter than stated, and two files without audio."""
    rows = utterances(20)
    rows[3]["duration"] = rows[4]["duration"] = 99.0
    noise = folder / "noise.wav"
    noise.write_bytes(b"no audio at all")
    rows[7]["audio_filepath"] = rows[11]["audio_filepath"] = str(noise)
    rows[15]["audio_filepath"] = str(folder / "missing.wav")
    return write_manifest(folder / "lossy.jsonl", rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    run_prepare([lossy_manifest(folder)], folder / "out", **LOSSY)
    return folder / "out"


def test_the_names_are_those_that_are_documented(made: Path) -> None:
    assert run_of(made)["metrics"].keys() == NAMES
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")
    for name in NAMES:
        said = name.replace("_mvq_", "_STREAM_")
        if "_rejects_" in said:
            said = said.split("_rejects_", maxsplit=1)[0] + "_rejects_REASON"
        assert f"`{said}`" in page


def test_counters_say_what_the_dataset_says(made: Path) -> None:
    content, run = content_of(made), run_of(made)
    totals, counted = content["totals"], run["metrics"]
    assert counted["segment_recordings"] == totals["recordings"] - 1  # ingest rejects the missing
    assert counted["segment_segments"] == counted["write_samples"] == totals["samples"] == 15
    assert counted["tokenize_mvq_tokens"] == content["tokenizers"]["mvq"]["tokens"]
    assert counted["write_bytes_written"] == totals["bytes"]
    assert counted["write_shards"] == counted["write_ms"]["count"] == totals["shards"]
    for step in ("segment", "tokenize_mvq", "write"):
        assert counted[f"{step}_audio_ms"] / 3.6e6 == pytest.approx(totals["hours"], rel=1e-3)
    assert run["rejected"] == content["rejected"]
    reasons = {reason.replace("-", "_"): count for reason, count in content["rejected"].items()}
    assert reasons.pop("missing_file") == 1
    assert {name: counted[f"segment_rejects_{name}"] for name in reasons} == reasons
    assert counted["segment_rejects"] == sum(reasons.values())


def test_steps_add_up_and_the_speed_is_that_of_the_whole_run(made: Path) -> None:
    run = run_of(made)
    assert list(run["steps"]) == STEPS
    assert sum(run["steps"].values()) == pytest.approx(run["seconds"], abs=0.01)
    assert run["hours_an_hour"] == pytest.approx(run["hours"] / run["seconds"] * 3600, rel=0.01)
    assert run["started"] <= run["ended"]
    assert run["workers"] == {"units": 1, "write": 1}


def test_no_time_is_in_dataset_json(made: Path, tmp_path: Path) -> None:
    run_prepare(content_of(made)["inputs"], tmp_path / "out", **LOSSY)
    assert run_of(tmp_path / "out")["ended"] >= run_of(made)["ended"]
    for name in ("dataset.json", "README.md", "rejected.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (made / name).read_bytes()
    assert content_of(made)["run"] == "run.json"


def test_a_run_that_goes_on_speaks_of_its_own_work(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_prepare(content_of(made)["inputs"], out, **LOSSY)
    whole = run_of(out)["metrics"]["tokenize_mvq_units"]
    tokens = sorted(out.glob("_work/tokens-*/*.arrow"))
    assert len(tokens) == whole > 1
    tokens[0].unlink()
    (out / "dataset.json").unlink()
    (out / "run.json").unlink()
    run_prepare(content_of(made)["inputs"], out, **LOSSY)
    run = run_of(out)
    assert run["reused_units"] == 2 * whole - 1
    assert run["metrics"]["tokenize_mvq_units"] == run["metrics"]["segment_units_found"] == 1
    assert "write_shards" not in run["metrics"]
    assert (out / "dataset.json").read_bytes() == (made / "dataset.json").read_bytes()
    before = (out / "run.json").read_bytes()
    run_prepare(content_of(made)["inputs"], out, **LOSSY)  # makes nothing
    assert (out / "run.json").read_bytes() == before


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"dataset": "of another"}'])
def test_a_dataset_is_whole_without_its_run(tmp_path: Path, made: Path, text: str | None) -> None:
    shutil.copytree(made, tmp_path / "out")
    place = tmp_path / "out/run.json"
    if text is None:
        place.unlink()
    else:
        place.write_text(text)
    assert_sound(tmp_path / "out")
    assert Dataset.open(str(tmp_path / "out")).inspect()["run"] is None


def test_what_joins_has_a_run_of_its_own(tmp_path: Path) -> None:
    first = write_manifest(tmp_path / "first.jsonl", utterances(12))
    later = write_manifest(tmp_path / "later.jsonl", utterances(6, 12))
    run_prepare([first], tmp_path / "one", clean=True)
    run_prepare([later], tmp_path / "two")
    run_merge([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    merged = run_of(tmp_path / "both")
    assert merged["metrics"]["restore_samples"] == merged["metrics"]["write_samples"] == 18
    assert "segment_units" not in merged["metrics"]
    run_add([later], tmp_path / "one")
    added = run_of(tmp_path / "one")
    assert added["dataset"] == merged["dataset"] == content_of(tmp_path / "both")["digest"]
    assert added["metrics"]["restore_samples"] == 12
    assert added["metrics"]["segment_segments"] == 6


def test_inspect_shows_the_run(made: Path) -> None:
    shown = wavemill("inspect", made).out
    assert "hours an hour (start" in shown
    assert "tokenize_mvq" in shown
    facts = wavemill("inspect", made, "--json").json
    assert facts["run"] == json.loads((made / "run.json").read_text("utf-8"))


def test_an_engine_without_metrics_makes_a_run_without_speed() -> None:
    class Result:
        def metrics(self) -> None:
            raise NotImplementedError

    assert measured(Result()) == {}
    notes = RunNotes()
    content = notes.content({"digest": "d", "rejected": {}})
    assert content["hours"] is content["hours_an_hour"] is None
