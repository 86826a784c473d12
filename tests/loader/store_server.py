"""A store for tests: moto's S3 in a process of its own, as slow and faulty as it is told."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import s3fs

CONTROL = "/__faults"
BUCKET = "corpora"
KEY, SECRET = "AKIAOPENSESAME", "open/sesame+secret"


class StoreServer:
    """A running server; `stop` ends its process."""

    def __init__(self, latency_seconds: float = 0.0) -> None:
        """Start it on a free port of this machine, and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", __name__, str(port), str(latency_seconds)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        for _ in range(200):
            try:
                self.faults()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError("the store does not answer")

    def faults(self, **faults: Any) -> None:
        """Say what goes wrong from now on, with GETs of objects; nothing if nothing is given.

        Args:
            faults: `kind` ("status", "reset", "cut" or "stall"), `status`, `times` (how often),
                `name` (what an object's path must hold).

        """
        data = json.dumps(faults).encode()
        with urllib.request.urlopen(f"{self.url}{CONTROL}", data, timeout=5) as answer:
            answer.read()

    def requests(self) -> int:
        """Return how many GETs of objects there were so far."""
        with urllib.request.urlopen(f"{self.url}{CONTROL}", timeout=5) as answer:
            return int(answer.read())

    @property
    def environment(self) -> dict[str, str]:
        """What leads S3 clients here."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def filesystem(self) -> Any:
        """Return a file system for this store."""
        options = {"endpoint_url": self.url, "key": KEY, "secret": SECRET}
        return s3fs.S3FileSystem(**options, use_listings_cache=False)

    def upload(self, folder: Path, name: str) -> str:
        """Put a folder's files below a name; return its URL."""
        system = self.filesystem()
        if not system.exists(BUCKET):
            system.mkdir(BUCKET)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            system.put_file(str(path), f"{BUCKET}/{name}/{path.relative_to(folder)}")
        return f"s3://{BUCKET}/{name}"

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


class Faulty:
    """An application around another that delays and spoils what it gives."""

    def __init__(self, app: Any, latency_seconds: float) -> None:
        self._app, self._latency = app, latency_seconds
        self._faults: dict[str, Any] = {}
        self._requests = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CONTROL:
            return self._control(environ, start_response)
        time.sleep(self._latency)
        if environ["REQUEST_METHOD"] == "GET" and "QUERY_STRING" in environ:
            self._requests += 1
            kind = self._fault_of(environ["PATH_INFO"])
            if kind is not None:
                return self._spoil(kind, environ, start_response)
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer

    def _control(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            self._faults = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(self._requests).encode()]

    def _fault_of(self, path: str) -> str | None:
        left = self._faults.get("times", 1 << 60)
        if not self._faults or self._faults.get("name", "") not in path or left <= 0:
            return None
        self._faults["times"] = left - 1
        kind: str = self._faults["kind"]
        return kind

    def _spoil(self, kind: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if kind == "status":
            status = self._faults["status"]
            code = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}[status]
            start_response(f"{status} {code}", [("Content-Type", "application/xml")])
            words = f"<Error><Code>{code}</Code><Message>as told</Message></Error>"
            return [f'<?xml version="1.0" encoding="UTF-8"?>{words}'.encode()]
        if kind == "stall":
            time.sleep(60)
        if kind == "cut":
            start_response("206 Partial Content", [("Content-Length", "1000000")])
            return [b"0" * 1000]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return []


def main(port: int, latency_seconds: float) -> None:
    """Serve until the process is ended."""
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").disabled = True
    app = Faulty(DomainDispatcherApplication(create_backend_app), latency_seconds)
    run_simple("127.0.0.1", port, app, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
