"""The command line: its JSON, its errors, its exit codes."""

import json
from pathlib import Path

import pytest

from tests.conftest import UTTERANCES, wavemill

PREPARE_KEYS = {
    "recordings", "segments", "rejected", "left_out", "hours", "shards", "reused_units", "seconds",
    "out",
}  # fmt: skip


def test_prepare_prints_its_keys_as_the_last_line(tmp_path: Path) -> None:
    done = wavemill("prepare", UTTERANCES, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert done.json.keys() == PREPARE_KEYS
    assert done.json["rejected"] == 0
    assert len(done.out.splitlines()) == 1
    assert "\x1b" not in done.err  # progress comes in plain lines
    assert "\r" not in done.err


def test_inspect_prints_its_keys(prepared: Path) -> None:
    facts = wavemill("inspect", prepared, "--json").json
    assert {"samples", "hours", "buckets", "tokenizers", "padding", "rejected"} <= facts.keys()
    for bucket in facts["buckets"]:
        assert {"name", "max_seconds", "max_tokens", "samples", "hours"} <= bucket.keys()
    for stream in facts["tokenizers"].values():
        assert {"num_codebooks", "codebook_size", "frame_rate", "tokens", "used",
                "perplexity"} <= stream.keys()  # fmt: skip
    assert 0 <= facts["padding"]["input"] < 1
    assert 0 <= facts["padding"]["tokens"] < 1
    assert sum(bucket["samples"] for bucket in facts["buckets"]) == facts["samples"]


def test_lint_accepts_a_whole_dataset(prepared: Path) -> None:
    done = wavemill("lint", prepared, "--json")
    assert done.code == 0
    assert done.json["ok"] is True
    assert done.json["problems"] == []
    assert done.json["samples"] == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare"], "--out"),
        (["prepare", "--out", "OUT"], "INPUT"),
        (["prepare", "missing.wav", "--out", "OUT"], "missing.wav"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", "beets"], "beats"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", "beats:sede=1"], "seed"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", "mvq:refinements=9"], "0 to 5"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", "mvq:model=nowhere"], "nowhere"),
        (["prepare", UTTERANCES, "--out", "OUT", "--segment", "fixed:0"], "fixed"),
        (["prepare", UTTERANCES, "--out", "OUT", "--segment", "fixed"], "seconds"),
        (["prepare", UTTERANCES, "--out", "OUT", "--sgement", "vad"], "--sgement"),
        (["prepare", UTTERANCES, "--out", "OUT", "--audio", "mp3"], "flac"),
        (["prepare", UTTERANCES, "--out", "OUT", "--audio", "none"], "--tokenizer"),
        (["prepare", UTTERANCES, "--out", "OUT", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["prepare", UTTERANCES, "--out", "OUT", "--workers", "0"], "--workers"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", "beats", "--tokenizer", "beats"],
         "name="),
        (["plan", "LENGTHS", "--batch-seconds", "-1"], "--batch-seconds"),
        (["prepare", UTTERANCES, "--out", UTTERANCES.parent], "new or empty"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenzier", "beats"],
         "did you mean --tokenizer?"),
        (["prepare", UTTERANCES, "--out", "OUT", "--runner", "Nonsense"], "FlinkRunner"),
        (["prepare", UTTERANCES, "--out", "OUT", "--job_name"], "--job_name"),
        (["prepare", UTTERANCES, "--out", "OUT", "--buckets", "many"], "--buckets"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", "beats:name=start"], "taken"),
        (["prepare", UTTERANCES, "--out", "OUT", "--", "-x"], "./-x"),
        (["prepare", UTTERANCES, "--out", "OUT", "--tokenizer", f"beats:seed={2**64}"],
         "give 0 to"),
        (["plan", "LENGTHS", "--batch-secnds", "1"], "Did you mean"),
        (["prepar"], "'prepare'"),
        (["frobnicate"], "frobnicate"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_wrong_usage_is_one_line_with_a_remedy_and_exit_2(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = wavemill(*arguments, cwd=tmp_path)
    assert done.code == 2, (done.out, done.err)
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "OUT").exists()


def test_wavemill_alone_shows_its_help() -> None:
    done = wavemill()
    assert done.code == 2
    assert "Commands:" in done.err


def test_a_place_that_cannot_be_written_stops_a_fit_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = wavemill("fit", "mvq", UTTERANCES, "--out", tmp_path / "file")
    assert done.code == 1
    assert done.err.startswith(f"wavemill: cannot write {tmp_path / 'file'}")
    assert len(done.err.splitlines()) == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = wavemill("prepare", "missing.wav", "--out", "OUT", "--debug", cwd=tmp_path)
    assert done.code != 0
    assert "Traceback" in done.err


def test_a_job_file_gives_options_and_flags_win(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(
        f"inputs: {UTTERANCES}\nout: {tmp_path / 'from-file'}\ntokenizer: mvq\nbuckets: 1\n"
        "sub_buckets: 1\n"
    )
    done = wavemill("prepare", "--config", job, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert done.json["out"] == str(tmp_path / "out")
    facts = wavemill("inspect", tmp_path / "out", "--json").json
    assert len(facts["buckets"]) == 1
    assert list(facts["tokenizers"]) == ["mvq"]


def test_a_job_file_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("tokeniser: beats\n")
    done = wavemill("prepare", UTTERANCES, "--config", job, "--out", tmp_path / "out")
    assert done.code == 2
    assert "did you mean tokenizer" in done.err


def test_beam_options_pass_and_unknown_ones_do_not(tmp_path: Path) -> None:
    done = wavemill("prepare", UTTERANCES, "--out", tmp_path / "out", "--dry-run",
                    "--job_name", "mine", "--flink_master=localhost:1")  # fmt: skip
    assert done.code == 0, done.err


def test_plan_lists_every_id_once_and_keeps_its_budget(tmp_path: Path) -> None:
    lengths, batches = tmp_path / "lengths.jsonl", tmp_path / "batches.jsonl"
    durations = {f"u{i}": 0.5 + (i * 37 % 300) / 10 for i in range(500)}
    rows = [
        {"id": name, "duration": duration, "tokens": 1 + number * 53 % 200}
        for number, (name, duration) in enumerate(durations.items())
    ]
    lengths.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = wavemill("plan", lengths, "--batch-seconds", 120, "--batches", batches, "--json")
    assert done.code == 0, done.err
    planned = [json.loads(line) for line in batches.read_text().splitlines()]
    assert len(planned) == done.json["batches"]
    assert sorted(name for batch in planned for name in batch) == sorted(durations)
    padded = [max(durations[name] for name in batch) * len(batch) for batch in planned]
    assert max(padded) <= 120
    assert done.json["padding_input"] == pytest.approx(
        1 - sum(durations.values()) / sum(padded), abs=1e-6
    )
    assert done.json["dropped"] == 0


def test_plan_names_the_line_it_cannot_read(tmp_path: Path) -> None:
    lengths = tmp_path / "lengths.jsonl"
    lengths.write_text('{"id": "a", "duration": 1, "tokens": 2}\n{"id": "b"}\n')
    done = wavemill("plan", lengths, "--batch-seconds", 10)
    assert done.code == 1
    assert "line 2" in done.err


def test_tokenizers_and_doctor_say_what_there_is() -> None:
    facts = wavemill("tokenizers", "--json").json
    assert facts["beats"]["codebook_size"] == 1024
    assert facts["mvq"]["num_codebooks"] == 4
    assert facts["kmeans"]["needs"] == ["model"]
    doctor = wavemill("doctor", "--json")
    assert doctor.code == 0
    assert doctor.json["ok"] is True
    assert any(row["name"] == "apache-beam" for row in doctor.json["packages"])
