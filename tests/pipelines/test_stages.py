"""The Beam steps keep only what they may."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import SPEECH
from wavemill.errors import JobError
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.stages import _check_versions
from wavemill.records import Recording


def test_a_file_that_changes_under_the_job_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    subprocess.run(["cp", SPEECH / "audio/hello-world.flac", path], check=True)
    recordings = [row for row in read_inputs([str(path)]) if isinstance(row, Recording)]
    _check_versions(recordings)
    subprocess.run(["cp", SPEECH / "audio/sorry.flac", path], check=True)
    with pytest.raises(JobError, match="was changed while the job read it"):
        _check_versions(recordings)
