"""Jobs on the example corpus that are killed, each with what its folder holds before."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import SPEECH, UTTERANCES, read_jsonl
from tests.faults.processes import Start, start_command

PARTS = ("--segment", "none", "--buckets", "3", "--shard-mb", "0.3", "--unit-mb", "0.3")
"""Some 15 units and 12 shards."""
PREPARE_SECONDS = 180.0
MVQ = ("--tokenizer", "mvq")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command that is killed; `--out` is put behind it."""

    name: str
    arguments: tuple[str, ...]
    before: Path | None = None
    """A folder with what the output folder holds at first."""


class Corpus:
    """The example's utterances as manifests, and datasets made of them when they are asked for."""

    def __init__(self, folder: Path, count: int = 60, start: Start = start_command) -> None:
        """Take `count` utterances, of which two thirds are the old ones."""
        self._folder, self._start = folder, start
        rows = [
            {**row, "audio_filepath": str(SPEECH / row["audio_filepath"])}
            for row in read_jsonl(UTTERANCES)[:count]
        ]
        many = 2 * count // 3
        self.all = self._write("all", rows)
        self.old = self._write("old", rows[:many])
        self.new = self._write("new", rows[many:])

    def _write(self, name: str, rows: Sequence[dict[str, object]]) -> str:
        place = self._folder / f"{name}.jsonl"
        place.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return str(place)

    def dataset(self, name: str, inputs: str, *options: str) -> Path:
        """Prepare a dataset unless it is there."""
        out = self._folder / name
        if not (out / "dataset.json").exists():
            words = ("prepare", inputs, "--out", str(out), *PARTS, *MVQ, *options)
            log = self._folder / f"{name}.log"
            assert self._start(words, log, {}).wait(PREPARE_SECONDS) == 0, log.read_text()
        return out


def _prepare(*options: str) -> Callable[[Corpus, str], Case]:
    def make(corpus: Corpus, name: str) -> Case:
        return Case(name=name, arguments=("prepare", corpus.all, *PARTS, *options))

    return make


def _add(*, clean: bool) -> Callable[[Corpus, str], Case]:
    options = ("--clean",) if clean else ()

    def make(corpus: Corpus, name: str) -> Case:
        before = corpus.dataset(f"old{'-clean' * clean}", corpus.old, *options)
        words = ("add", corpus.new, "--unit-mb", "0.3", *options)
        return Case(name=name, arguments=words, before=before)

    return make


def _merge(corpus: Corpus, name: str) -> Case:
    sources = corpus.dataset("old", corpus.old), corpus.dataset("new", corpus.new)
    return Case(name=name, arguments=("merge", *map(str, sources)))


CASES: dict[str, Callable[[Corpus, str], Case]] = {
    "one": _prepare(*MVQ, "--workers", "1"),
    "two": _prepare(*MVQ, "--workers", "2"),
    "tokenizers": _prepare(*MVQ, "--tokenizer", "beats", "--workers", "2"),
    "dedup": _prepare(*MVQ, "--dedup"),
    "opus": _prepare(*MVQ, "--audio", "opus"),
    "clean": _prepare(*MVQ, "--clean"),
    "add": _add(clean=False),
    "add-clean": _add(clean=True),
    "merge": _merge,
}
