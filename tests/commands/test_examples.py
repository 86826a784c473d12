"""`wavemill examples`: recordings that come along."""

import json
from pathlib import Path

from tests.conftest import wavemill


def test_examples_are_written_once_and_over_nothing_else(tmp_path: Path) -> None:
    done = wavemill("examples", "--out", "speech", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    rows = (tmp_path / "speech" / "manifest.jsonl").read_text().splitlines()
    assert done.json["recordings"] == len(rows) >= 30
    assert all((tmp_path / "speech" / json.loads(row)["audio_filepath"]).is_file() for row in rows)
    assert wavemill("examples", "--out", "speech", cwd=tmp_path).code == 0
    (tmp_path / "speech" / "manifest.jsonl").write_text("mine\n")
    done = wavemill("examples", "--out", "speech", cwd=tmp_path)
    assert done.code == 2
    assert "manifest.jsonl: give a new or empty folder" in done.err
    assert (tmp_path / "speech" / "manifest.jsonl").read_text() == "mine\n"
