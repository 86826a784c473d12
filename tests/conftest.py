"""What the tests share: the example corpora, and one dataset prepared from them."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

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


def wavemill(*arguments: Any, cwd: Path | None = None) -> Done:
    """Run the command line as a user does, in a process of its own."""
    command = [sys.executable, "-m", "wavemill", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
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
