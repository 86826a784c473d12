"""The Beam steps keep only what they may."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from apache_beam import DoFn

from tests.conftest import SPEECH
from tests.pipelines.spool_files import UNITS, write_spool
from wavemill.errors import JobError
from wavemill.pipelines import outdir
from wavemill.pipelines.blocks import SurveyBlock, block_name
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.segment import AudioForm
from wavemill.pipelines.stages import (
    FingerprintUnit,
    SegmentUnit,
    TokenizeUnit,
    WriteShard,
    _check_versions,
)
from wavemill.pipelines.unit_names import write_names
from wavemill.records import RECORDING_SCHEMA, Recording
from wavemill.sharding.writer import ShardSources
from wavemill.specs import Spec
from wavemill.spool import RECORDINGS, unit_url, write_unit


def test_a_file_that_changes_under_the_job_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    subprocess.run(["cp", SPEECH / "audio/hello-world.flac", path], check=True)
    recordings = [row for row in read_inputs([str(path)]) if isinstance(row, Recording)]
    _check_versions(recordings)
    subprocess.run(["cp", SPEECH / "audio/sorry.flac", path], check=True)
    with pytest.raises(JobError, match="was changed while the job read it"):
        _check_versions(recordings)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The spool of a job, whose units are cut and surveyed."""
    folder = tmp_path / "out" / "_work"
    write_spool(folder, UNITS)
    outdir.mark(str(folder.parent), str(folder))
    return folder


def steps(spool: Path, names: Path) -> dict[str, tuple[DoFn, Any, str]]:
    """Steps with what each takes, and the file that it makes of that."""
    url, config = str(spool), write_spool(spool, UNITS)
    write_names(str(names), ["u1", "u2"])
    with write_unit(unit_url(url, RECORDINGS, "u3"), RECORDING_SCHEMA):
        pass
    sources = ShardSources(spool=url, segments="segments", audio="none")
    plan, block = outdir.plan_files(url, "p"), block_name(["u1", "u2"])
    tokenize = TokenizeUnit(url, "segments", "ids", Spec(name="mvq"), "mvq")
    return {
        "segment": (SegmentUnit(url, "cut", Spec(name="none"), AudioForm()), "u3", "cut/u3"),
        "fingerprint": (FingerprintUnit(url, "segments", "prints"), "u3", "prints/u3"),
        "tokenize": (tokenize, "u3", "ids/u3"),
        "survey": (SurveyBlock(str(names), config, "survey"), (0, 2), f"survey/{block}"),
        "write": (WriteShard(plan, f"{url}/shards-p", sources, str(spool.parent)), 0, ""),
    }


@pytest.mark.parametrize("name", ["segment", "fingerprint", "tokenize", "survey", "write"])
def test_no_step_writes_into_a_spool_that_went(name: str, spool: Path, tmp_path: Path) -> None:
    step, given, _ = steps(spool, tmp_path / "names")[name]
    (spool / outdir.MARK).unlink()
    before = sorted(spool.parent.rglob("*"))
    with pytest.raises(JobError, match=r"_work is gone: it was removed, or its disk unmounted"):
        list(step.process(given))
    assert sorted(spool.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["segment", "fingerprint", "tokenize", "survey"])
def test_a_step_writes_what_the_spool_lacks_and_leaves_what_is_there(
    name: str, spool: Path, tmp_path: Path
) -> None:
    step, given, made = steps(spool, tmp_path / "names")[name]
    place = spool / f"{made}.arrow"
    assert list(step.process(given)) == [given]
    first = place.stat()
    (spool / outdir.MARK).unlink()  # nobody asks for it where there is nothing to write
    shutil.rmtree(spool / "segments")
    assert list(step.process(given)) == [given]
    assert place.stat().st_mtime_ns == first.st_mtime_ns
