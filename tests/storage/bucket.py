"""A folder of the store as a place that a job writes to while it is killed."""

import hashlib
import time
from pathlib import Path

from tests.store_server import BUCKET, StoreServer

LOOK_SECONDS = 0.05


class Bucket:
    """A folder of the store, looked at without its faults."""

    def __init__(self, server: StoreServer, name: str, *, share: float, seed: int) -> None:
        """Let a share of the requests to the store fail, but for those from here."""
        self._server, self._name = server, name
        self._faults = {"share": share, "seed": seed, "seconds": 3.0}
        self._seen: set[str] = set()
        self._looked = 0.0
        self._system = server.filesystem()

    @property
    def url(self) -> str:
        """What `--out` is given."""
        return f"s3://{BUCKET}/{self._name}"

    def fill(self, folder: Path | None) -> None:
        """Let it hold what a local folder holds, or nothing, and nothing else."""
        self._server.faults()
        if self._system.exists(f"{BUCKET}/{self._name}"):
            self._system.rm(f"{BUCKET}/{self._name}", recursive=True)
        if folder is not None:
            self._server.upload(folder, self._name)
        self._looked = 0.0
        self._server.storm(**self._faults)  # type: ignore[arg-type]

    def names(self) -> set[str]:
        """List all files; a moment later they may be others."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            prefix = f"/{BUCKET}/{self._name}/"
            self._seen = {key.removeprefix(prefix) for key in self._server.keys(prefix)}
            self._looked = time.monotonic()
        return self._seen

    def digests(self) -> dict[str, str]:
        """Digest all files but that which tells how long the run took."""
        self._server.faults()
        files = self._server.files(self._name)
        self._server.storm(**self._faults)  # type: ignore[arg-type]
        return {
            name: hashlib.sha256(data).hexdigest()
            for name, data in files.items()
            if name != "run.json"
        }
