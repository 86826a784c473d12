"""A store for tests: moto's S3 in a process of its own, as slow and faulty as it is told."""

import io
import json
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import s3fs

CONTROL = "/__faults"
BUCKET = "corpora"
KEY, SECRET = "AKIAOPENSESAME", "open/sesame+secret"
STORM = ("500", "503", "reset", "lost", "cut", "stall")
"""All that passes, as `storm` mixes it."""
Answer = tuple[str, list[tuple[str, str]], bytes]
"""A status, headers and a body."""
CODES = {
    301: "PermanentRedirect", 400: "ExpiredToken", 403: "AccessDenied", 404: "NoSuchKey",
    500: "InternalError", 503: "SlowDown",
}  # fmt: skip


class StoreServer:
    """A running server; `stop` ends its process."""

    def __init__(self, latency_seconds: float = 0.0) -> None:
        """Start it on a free port of this machine, and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", __name__, str(port), str(latency_seconds)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
        for _ in range(400):
            try:
                self.faults()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError("the store does not answer")

    def faults(self, **faults: Any) -> None:
        """Say what goes wrong from now on; nothing if nothing is given.

        Args:
            faults: `kind` ("status", a status, "reset", "lost": carried out, but not answered,
                "cut", "stall" or "damage": half of what is put is kept), `status`, `code` (S3's
                word for it), `times` (how often), `name` (what a path must hold), `verbs` (GET
                alone if not given), `seconds` (of a stall).

        """
        self._tell({"verbs": ["GET"], **faults} if faults else {})

    def storm(
        self, share: float = 0.05, seed: int = 0, kinds: Sequence[str] = STORM, seconds: float = 60
    ) -> None:
        """Let a share of all requests go wrong, whatever they are; drawn by a seed."""
        self._tell({"share": share, "seed": seed, "kinds": kinds, "seconds": seconds})

    def age_lists(self, *, stale: bool) -> None:
        """Answer a listing, from now on, as it was answered when last asked for before; or not."""
        self._tell({"stale": stale})

    def requests(self) -> int:
        """Return how many GETs of objects there were so far."""
        return self.counts()["GET"]

    def counts(self) -> Counter[str]:
        """Count the requests so far by their verbs, with LIST for GETs of listings."""
        return Counter(verb for verb, _ in self.log())

    def log(self) -> list[tuple[str, str]]:
        """Return the verb and the path of each request so far."""
        with urllib.request.urlopen(f"{self.url}{CONTROL}", timeout=10) as answer:
            return [(verb, path) for verb, path in json.loads(answer.read())]

    def keys(self, prefix: str) -> list[str]:
        """Return the paths of all files that begin so, without a request to the store itself."""
        with urllib.request.urlopen(f"{self.url}{CONTROL}?{prefix}", timeout=10) as answer:
            return [str(key) for key in json.loads(answer.read())]

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

    def make_bucket(self) -> str:
        """Make the bucket unless it is there; return its URL."""
        system = self.filesystem()
        if not system.exists(BUCKET):
            system.mkdir(BUCKET)
        return f"s3://{BUCKET}"

    def upload(self, folder: Path, name: str) -> str:
        """Put a folder's files below a name; return its URL."""
        bucket, system = self.make_bucket(), self.filesystem()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            system.put_file(str(path), f"{BUCKET}/{name}/{path.relative_to(folder)}")
        return f"{bucket}/{name}"

    def files(self, name: str) -> dict[str, bytes]:
        """Return what lies below a name, as the store holds it."""
        system = self.filesystem()
        return {
            path.removeprefix(f"{BUCKET}/{name}/"): system.cat_file(path)
            for path in system.find(f"{BUCKET}/{name}")
        }

    def uploads(self) -> list[str]:
        """Return the names of files that are uploaded in parts, and not put together."""
        return [upload["Key"] for upload in self.filesystem().list_multipart_uploads(BUCKET)]

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _tell(self, words: dict[str, Any]) -> None:
        data = json.dumps(words).encode()
        with urllib.request.urlopen(f"{self.url}{CONTROL}", data, timeout=5) as answer:
            answer.read()


class Faulty:
    """An application around another that delays and spoils what it gives."""

    def __init__(self, app: Any, latency_seconds: float) -> None:
        self._app, self._latency = app, latency_seconds
        self._faults: dict[str, Any] = {}
        self._stale = False
        self._dice = random.Random()
        self._log: list[tuple[str, str]] = []
        self._lists: dict[str, Answer] = {}
        self._lock, self._writing = threading.Lock(), threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CONTROL:
            return self._control(environ, start_response)
        time.sleep(self._latency)
        verb = environ["REQUEST_METHOD"]
        if verb == "GET" and "/" not in environ["PATH_INFO"].strip("/"):
            verb = "LIST"
        with self._lock:
            self._log.append((verb, environ["PATH_INFO"]))
            kind = self._fault_of(verb, environ["PATH_INFO"])
        # The connection of a request that is not answered is of no use with what it sent in it.
        environ["wsgi.input"] = io.BytesIO(_body_of(environ))
        answer: Answer = "", [], b""
        if kind in (None, "lost", "cut", "damage"):
            if kind == "damage":
                environ["wsgi.input"].truncate(int(environ["CONTENT_LENGTH"]) // 2)
                environ["CONTENT_LENGTH"] = str(int(environ["CONTENT_LENGTH"]) // 2)
            answer = self._answer(verb, environ)
        return self._spoil(kind, environ, start_response, answer)

    def _control(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            told = json.loads(_body_of(environ))
            if "stale" in told:
                self._stale = told["stale"]
            else:
                self._faults, self._dice = told, random.Random(told.get("seed"))
        start_response("200 OK", [("Content-Type", "application/json")])
        prefix = environ["QUERY_STRING"]
        return [json.dumps(_keys(prefix) if prefix else self._log).encode()]

    def _fault_of(self, verb: str, path: str) -> str | None:
        faults = self._faults
        if "share" in faults:
            if self._dice.random() >= faults["share"]:
                return None
            return str(self._dice.choice(faults["kinds"]))
        left = faults.get("times", 1 << 60)
        if not faults or faults.get("name", "") not in path or left <= 0:
            return None
        if verb not in faults["verbs"]:
            return None
        faults["times"] = left - 1
        return str(faults["status"] if faults["kind"] == "status" else faults["kind"])

    def _answer(self, verb: str, environ: dict[str, Any]) -> Answer:
        query = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        if verb == "LIST" and self._stale and query in self._lists:
            return self._lists[query]
        told: list[Any] = []
        # A real store compares and writes in one; moto does not.
        with self._writing:
            given = self._app(environ, lambda *about: told.extend(about))
            body = b"".join(given)
        if verb == "LIST":
            self._lists[query] = told[0], told[1], body
        return told[0], told[1], body

    def _spoil(
        self, kind: str | None, environ: dict[str, Any], start_response: Any, answer: Answer
    ) -> Iterable[bytes]:
        status, headers, body = answer
        if kind is None or kind == "damage" or (kind == "cut" and len(body) < 2):
            start_response(status, headers)
            return [body]
        if kind.isdigit():
            code = self._faults.get("code", CODES[int(kind)])
            words = f"<Error><Code>{code}</Code><Message>as told</Message></Error>"
            body = f'<?xml version="1.0" encoding="UTF-8"?>{words}'.encode()
            length = str(len(body))
            about = [("Content-Type", "application/xml"), ("Content-Length", length)]
            start_response(f"{kind} {code}", about)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        if kind == "cut":
            start_response(status, headers)
            return [body[: len(body) // 2]]
        if kind == "stall":
            time.sleep(self._faults.get("seconds", 60))
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return []


def _keys(prefix: str) -> list[str]:
    from moto.s3.models import s3_backends

    return [
        path
        for account in list(s3_backends.values())
        for backend in list(account.values())
        for bucket in list(backend.buckets.values())
        for path in [f"/{bucket.name}/{key}" for key in list(bucket.keys.keys())]
        if path.startswith(prefix)
    ]


def _body_of(environ: dict[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated"):
        body: bytes = environ["wsgi.input"].read()
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


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
