# ruff: noqa: ARG002, N802 - the names that gRPC gives
"""The pool of workers: what a job stages is what its workers run."""

import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_fn_api_pb2,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from apache_beam.portability.common_urns import artifact_roles, artifact_types
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from wavemill.pipelines import worker_pool
from wavemill.pipelines.worker_pool import PACKAGE, WorkerPool

MODULE = "staged_for_a_test"


def source_distribution(value: str, root: str = "thing-1.0") -> bytes:
    """Pack a module as `python -m build --sdist` does."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        data = f"VALUE = {value!r}\n".encode()
        member = tarfile.TarInfo(f"{root}/{MODULE}.py")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


class Engine(
    beam_provision_api_pb2_grpc.ProvisionServiceServicer,
    beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceServicer,
):
    """What an engine tells a worker that is about to start."""

    def __init__(self, package: bytes | None) -> None:
        self.package = package
        self.server = grpc.server(shared_unbounded_instance())
        beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(self, self.server)
        beam_artifact_api_pb2_grpc.add_ArtifactRetrievalServiceServicer_to_server(self, self.server)
        self.address = f"localhost:{self.server.add_insecure_port('localhost:0')}"
        self.server.start()

    def GetProvisionInfo(self, request: Any, context: Any) -> Any:
        found = beam_provision_api_pb2.ProvisionInfo()
        found.control_endpoint.url = "localhost:1"
        found.pipeline_options["beam:option:job_name:v1"] = "a-job"
        if self.package is not None:
            role = beam_runner_api_pb2.ArtifactStagingToRolePayload(staged_name=PACKAGE)
            found.dependencies.add(
                type_urn=artifact_types.FILE.urn,
                role_urn=artifact_roles.STAGING_TO.urn,
                role_payload=role.SerializeToString(),
            )
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=found)

    def ResolveArtifacts(self, request: Any, context: Any) -> Any:
        return beam_artifact_api_pb2.ResolveArtifactsResponse(replacements=request.artifacts)

    def GetArtifact(self, request: Any, context: Any) -> Iterator[Any]:
        assert self.package is not None
        for start in range(0, len(self.package), 50):
            data = self.package[start : start + 50]
            yield beam_artifact_api_pb2.GetArtifactResponse(data=data)

    def request(self, name: str = "1-1") -> Any:
        endpoint = endpoints_pb2.ApiServiceDescriptor(url=self.address)
        return beam_fn_api_pb2.StartWorkerRequest(
            worker_id=name, control_endpoint=endpoint, logging_endpoint=endpoint,
            artifact_endpoint=endpoint, provision_endpoint=endpoint,
        )  # fmt: skip


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """A pool whose workers say what they see, and stay."""
    (tmp_path / "says.py").write_text(
        "import os, sys, time\n"
        "try:\n"
        f"    import {MODULE} as staged\n"
        "except ImportError:\n"
        "    staged = None\n"
        "words = [getattr(staged, 'VALUE', None), os.environ['WORKER_ID'],\n"
        "         'a-job' in os.environ['PIPELINE_OPTIONS'],\n"
        "         'localhost:1' in os.environ['CONTROL_API_SERVICE_DESCRIPTOR']]\n"
        "os.write(1, (' '.join(map(str, words)) + '\\n').encode())\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(worker_pool, "WORKER", "says")
    folder = tmp_path / "pool"
    folder.mkdir()
    found = WorkerPool(folder)
    yield found
    found.stop()
    assert not found._workers


def said(folder: Path, workers: int = 1) -> list[str]:
    """Wait for so many workers' words."""
    while True:
        lines = [text for log in folder.glob("worker-*.log") if (text := log.read_text())]
        if len(lines) == workers:
            return sorted(lines)


def start(pool: WorkerPool, engine: Engine, name: str = "1-1") -> str:
    return str(pool.StartWorker(engine.request(name), None).error)


def test_a_worker_runs_the_package_that_its_job_staged(pool: WorkerPool, tmp_path: Path) -> None:
    assert start(pool, Engine(source_distribution("new"))) == ""
    assert said(tmp_path / "pool") == ["new 1-1 True True\n"]


def test_without_a_package_it_runs_what_is_installed(pool: WorkerPool, tmp_path: Path) -> None:
    assert start(pool, Engine(None)) == ""
    assert said(tmp_path / "pool") == ["None 1-1 True True\n"]


def test_workers_of_two_engines_may_have_one_name_and_two_packages(
    pool: WorkerPool, tmp_path: Path
) -> None:
    for value in ("one", "two"):
        assert start(pool, Engine(source_distribution(value))) == ""
    pool.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1"), None)
    assert said(tmp_path / "pool", 2) == ["one 1-1 True True\n", "two 1-1 True True\n"]
    assert len(pool._workers) == 2


def test_a_package_is_unpacked_once_for_workers_that_start_together(
    pool: WorkerPool, tmp_path: Path
) -> None:
    package = source_distribution("both")
    engine = Engine(package)
    with ThreadPoolExecutor(4) as threads:
        errors = list(threads.map(lambda name: start(pool, engine, name), "abcd"))
    assert errors == [""] * 4
    assert len(said(tmp_path / "pool", 4)) == 4
    held = {path.name for path in (tmp_path / "pool/packages").iterdir()}
    assert held == {"lock", hashlib.sha256(package).hexdigest()[:24]}


def test_a_package_that_would_write_elsewhere_is_refused(pool: WorkerPool, tmp_path: Path) -> None:
    assert "OutsideDestinationError" in start(pool, Engine(source_distribution("x", "../../out")))
    assert not list(tmp_path.rglob(f"{MODULE}.py"))


def test_what_is_no_package_is_an_error_that_the_engine_gets(pool: WorkerPool) -> None:
    assert "ReadError" in start(pool, Engine(b"no tar"))


def test_the_service_listens_on_this_machine_alone_and_ends_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", worker_pool.__name__, "--port", "0", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as service:
        assert service.stdout is not None
        port = int(service.stdout.readline().split(b'"port": ')[1].split(b",")[0])
        listening = Path(f"/proc/{service.pid}/net/tcp").read_text().split("\n")
        addresses = [line.split()[1] for line in listening if f":{port:04X} " in line]
        assert {a for a in addresses if a.endswith(f":{port:04X}")} <= {f"0100007F:{port:04X}"}
        service.terminate()
        assert service.wait(20) == 0
