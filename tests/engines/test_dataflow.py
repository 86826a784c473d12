"""The job file for Dataflow: its options are Beam's, and all that Dataflow wants is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

from wavemill.commands.config import _beam_options
from wavemill.pipelines.engine import split_beam_options
from wavemill.pipelines.remote import Remote

JOB = Path(__file__).parents[2] / "examples/jobs/dataflow.yaml"


class DataflowRunner:
    """Stands for Beam's, which needs Google's packages: the validator goes by the name."""


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    """The job file."""
    return dict(yaml.safe_load(JOB.read_text("utf-8")))


@pytest.fixture(scope="module")
def arguments(job: dict[str, Any]) -> list[str]:
    """Its options of Beam, with those that a job adds."""
    given = _beam_options(job["beam"], str(JOB))
    known, unknown = split_beam_options(given)
    assert unknown == []
    remote = Remote(runner=job["runner"], given=tuple(known), what="writing", place=job["out"])
    with remote.options() as options:
        return options


def test_its_options_are_what_beams_own_parser_takes(arguments: list[str]) -> None:
    options = PipelineOptions(arguments)
    assert options.view_as(GoogleCloudOptions).temp_location == "gs://my-corpus/tmp"
    assert options.view_as(WorkerOptions).max_num_workers == 50
    assert options.view_as(SetupOptions).setup_file == "./setup.py"


@pytest.fixture
def complain(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Ask Beam's validator what is wrong with the job's options and others."""
    monkeypatch.chdir(JOB.parents[2])

    def ask(*others: str) -> list[str]:
        options = PipelineOptions([*arguments, "--runner=DataflowRunner", *others])
        return list(PipelineOptionsValidator(options, DataflowRunner()).validate())

    return ask


def test_beams_validator_finds_nothing_wrong_for_dataflow(
    complain: Callable[..., list[str]],
) -> None:
    assert complain() == []


def test_the_validator_would_find_a_wrong_one(complain: Callable[..., list[str]]) -> None:
    (said,) = complain("--project=not valid!")
    assert "project" in said
