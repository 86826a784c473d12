"""What a worker on another machine must have in common with the driver: the files, and the code."""

import contextlib
import hashlib
import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import wavemill
from wavemill import storage
from wavemill.errors import JobError
from wavemill.pipelines.outdir import MARK


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a driver works, and with which code. It travels to the workers."""

    folder: str
    """The current one: relative paths count from it."""
    code: str
    """The version, and a digest of all modules."""

    @classmethod
    def here(cls) -> "Surroundings":
        """Look around in the driver."""
        return cls(folder=os.getcwd(), code=_code())  # noqa: PTH109 - a text that travels

    def enter(self, spool: str) -> None:
        """Go to the driver's folder, and check what a worker sees.

        Args:
            spool: of the job.

        Raises:
            JobError: the code is not the driver's, or the spool is not to be seen from here.

        """
        if _code() != self.code:
            raise JobError(
                f"the worker on {socket.gethostname()} runs wavemill {_code()}, the driver"
                f" {self.code}: their results may differ; give --setup_file ./setup.py, or install"
                " one version on all machines"
            )
        if self.folder != os.getcwd():  # noqa: PTH109
            with contextlib.suppress(OSError):  # whole paths and URLs need none
                os.chdir(self.folder)
        if not storage.is_file(storage.join(spool, MARK)):
            raise JobError(
                f"the worker on {socket.gethostname()} does not see {spool}: give an --out that all"
                " machines share (a URL such as s3://..., or a folder mounted on each)"
            )


@lru_cache(maxsize=1)
def _code() -> str:
    """Name the code by its version and its modules' content."""
    root = Path(wavemill.__file__).parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root).as_posix()}\n".encode())
        found.update(path.read_bytes())
    return f"{wavemill.__version__} ({found.hexdigest()[:8]})"
