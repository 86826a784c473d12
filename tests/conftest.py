"""What the tests share: the example corpora, and one dataset prepared from them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import settings

from tests.store_server import StoreServer

# First imports and busy machines take longer than hypothesis lets an example take.
settings.register_profile("wavemill", deadline=None)
settings.load_profile("wavemill")

EXAMPLES = Path(__file__).parent.parent / "examples"
SPEECH = EXAMPLES / "speech"
UTTERANCES = SPEECH / "manifest.jsonl"


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


def wavemill(
    *arguments: Any, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Done:
    """Run the command line as a user does, in a process of its own."""
    command = [sys.executable, "-m", "wavemill", *map(str, arguments)]
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env=variables
    )
    return Done(done.returncode, done.stdout, done.stderr)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example utterances, prepared with both tokenizers; not to be changed."""
    out = tmp_path_factory.mktemp("prepared") / "speech"
    done = wavemill("prepare", UTTERANCES, "--out", out, "--tokenizer", "beats", "--tokenizer",
                    "mvq", "--buckets", 3, "--json")  # fmt: skip
    assert done.code == 0, done.err
    return out


@pytest.fixture(scope="session")
def running_store() -> Iterator[StoreServer]:
    """A store with a bucket."""
    server = StoreServer()
    server.make_bucket()
    yield server
    server.stop()


@pytest.fixture
def store(running_store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    """The store, without faults, where S3 clients of this process find it; waits are short."""
    from wavemill.storage import asking, retrying

    for name, value in running_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retrying, "WAITS", (0.0, 0.02, 0.05, 0.1, 0.2, 0.4))
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 0.4}})
    asking.forget_stores()
    yield running_store
    running_store.faults()
    running_store.age_lists(stale=False)
    asking.forget_stores()
