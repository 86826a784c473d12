"""The service that starts Beam's Python workers on a machine of a cluster.

`python -m wavemill.pipelines.worker_pool --port 50000` runs beside each Flink task manager or Spark
worker; a job finds it by `--environment_type EXTERNAL --environment_config localhost:50000`. It is
Beam's own worker pool, and does what else Beam's containers do: a worker runs the package that the
job staged (`--setup_file`), whatever version is installed here, and two task managers of one
machine may share a pool. It needs Beam alone: this file can be copied to where wavemill is not.

What a job stages is run here, as that is what a cluster is for: so the pool listens on this machine
alone, and so do the engines' own endpoints.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from apache_beam.portability.common_urns import artifact_roles
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance
from google.protobuf import json_format, text_format

PACKAGE = "workflow.tar.gz"
"""What Beam calls the package that `--setup_file` makes."""
WORKER = "apache_beam.runners.worker.sdk_worker_main"
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
STOP_SECONDS = 10.0


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts a process for each worker that an engine asks for."""

    def __init__(self, folder: Path) -> None:
        """Keep packages and logs in a folder."""
        self._folder = folder
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - Beam's names
        """Start a worker; what goes wrong reaches the engine as words."""
        try:
            provided = _provided(request)
            # A machine has as many workers as cores, or else says how many threads each has.
            environment = {"OMP_NUM_THREADS": "1", **os.environ, **_environment(request, provided)}
            package = self._package(provided)
            if package is not None:
                paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
                environment["PYTHONPATH"] = os.pathsep.join(paths)
            self._start(request.worker_id, environment)
        except Exception as error:  # noqa: BLE001 - the engine has to be told, whatever it is
            return beam_fn_api_pb2.StartWorkerResponse(error=f"{type(error).__name__}: {error}")
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - Beam's names
        """Do nothing: a worker ends when its engine closes the connection.

        The request names it by a number that another engine's worker may have, too.
        """
        return beam_fn_api_pb2.StopWorkerResponse()

    def stop(self) -> None:
        """End all workers."""
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.terminate()
        for worker in workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(STOP_SECONDS)
            worker.kill()
            worker.wait()

    def _start(self, name: str, environment: dict[str, str]) -> None:
        # Not in a folder of the job's: `python -m` puts the current one before all others.
        command = [sys.executable, "-P", "-m", WORKER]
        with (self._folder / f"worker-{name}-{time.time_ns()}.log").open("wb") as log:
            worker = subprocess.Popen(
                command, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        with self._lock:
            self._workers[worker.pid] = worker
        threading.Thread(target=self._reap, args=[worker], daemon=True).start()

    def _reap(self, worker: subprocess.Popen[bytes]) -> None:
        worker.wait()
        with self._lock:
            self._workers.pop(worker.pid, None)

    def _package(self, provided: Any) -> Path | None:
        """Unpack what the job staged, once for all its workers; say where it lies."""
        if not provided.dependencies:
            return None
        with _channel(provided.artifact_endpoint.url) as channel:
            store = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
            for artifact in _resolved(store, provided.dependencies):
                if _staged_name(artifact) == PACKAGE:
                    return self._unpack(_content(store, artifact))
        return None

    def _unpack(self, chunks: Iterable[bytes]) -> Path:
        packages = self._folder / "packages"
        packages.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=packages) as file:
            sha256 = hashlib.sha256()
            for chunk in chunks:
                sha256.update(chunk)
                file.write(chunk)
            place = packages / sha256.hexdigest()[:24]
            with (packages / "lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not place.exists():
                    file.seek(0)
                    partial = Path(tempfile.mkdtemp(dir=packages))
                    with tarfile.open(fileobj=file, mode="r:gz") as tar:
                        tar.extractall(partial, filter="data")
                    partial.rename(place)
        # A source distribution holds one folder, its root.
        roots = [path for path in place.iterdir() if path.is_dir()]
        if len(roots) != 1:
            raise ValueError(f"{PACKAGE} is no source distribution: it holds {len(roots)} folders")
        return roots[0]


def _provided(request: Any) -> Any:
    """Ask the engine what the worker needs to know."""
    with _channel(request.provision_endpoint.url) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        info = service.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", request.worker_id)],
        ).info
    for name in ("control_endpoint", "logging_endpoint", "artifact_endpoint"):
        if not getattr(info, name).url:
            getattr(info, name).CopyFrom(getattr(request, name))
    return info


def _environment(request: Any, provided: Any) -> dict[str, str]:
    """Return what Beam's workers read from the environment."""
    found = {
        "WORKER_ID": request.worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(provided.pipeline_options),
        "CONTROL_API_SERVICE_DESCRIPTOR": _described(provided.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": _described(provided.logging_endpoint),
        "RUNNER_CAPABILITIES": " ".join(provided.runner_capabilities),
    }
    if provided.status_endpoint.url:
        found["STATUS_API_SERVICE_DESCRIPTOR"] = _described(provided.status_endpoint)
    return found


def _described(endpoint: Any) -> str:
    return str(text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=endpoint.url)))


@contextlib.contextmanager
def _channel(url: str) -> Iterator[Any]:
    with grpc.insecure_channel(url, options=ANY_SIZE) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        yield channel


def _resolved(store: Any, artifacts: Iterable[Any]) -> Iterator[Any]:
    request = beam_artifact_api_pb2.ResolveArtifactsRequest(artifacts=artifacts)
    yield from store.ResolveArtifacts(request).replacements


def _staged_name(artifact: Any) -> str:
    if artifact.role_urn != artifact_roles.STAGING_TO.urn:
        return ""
    role = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload)
    return str(role.staged_name)


def _content(store: Any, artifact: Any) -> Iterator[bytes]:
    request = beam_artifact_api_pb2.GetArtifactRequest(artifact=artifact)
    for answer in store.GetArtifact(request):
        yield answer.data


def serve(port: int, folder: Path) -> None:
    """Serve until the process is told to end, and end all workers then."""
    # Of gRPC's threads none must hold the process up.
    server = grpc.server(shared_unbounded_instance(), options=ANY_SIZE)
    pool = WorkerPool(folder)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    bound = server.add_insecure_port(f"localhost:{port}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    print(json.dumps({"port": bound, "folder": str(folder)}), flush=True)  # noqa: T201 - for who waits for it
    ended.wait()
    server.stop(0)
    pool.stop()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, prog="wavemill.pipelines.worker_pool")
    parser.add_argument("--port", type=int, default=50000, help="0 for any free one")
    words = "for packages and logs; a temporary one if not given"
    parser.add_argument("--folder", type=Path, help=words)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="wavemill-pool-"))
    folder.mkdir(parents=True, exist_ok=True)
    serve(options.port, folder.resolve())


if __name__ == "__main__":
    main()
