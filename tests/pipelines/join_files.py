"""Jobs in this process, and corpora to add to each other."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import SPEECH, UTTERANCES, read_jsonl
from wavemill.pipelines import join
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.job import make_job
from wavemill.pipelines.merge import MergeSettings, make_merge, merge
from wavemill.pipelines.prepare import prepare
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.segmenters import parse_segmenter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lint import lint
from wavemill.specs import Spec

Row = dict[str, Any]
QUIET = Reporter(quiet=True)
AWKWARD: tuple[Row, ...] = (
    {},
    {"channel": "left", "offset_": 1.5, "label": "a"},
    {"custom": {"array": [1]}, "beats": "no tokens", "origin": "here", "type": None},
    {"features": {"shape": 3}, "recording": 7, "shard_id": "x", "mvq": {"sources": 1}},
    {"input_channel": 1, "width": {"width": 2}, "score": 0.1, "long": 2**60},
)
"""Fields that the layouts rename or wrap, each in its way."""


def utterances(count: int, start: int = 0) -> list[Row]:
    """Rows of the example's manifest with absolute paths, ids and awkward fields."""
    rows = read_jsonl(UTTERANCES)[start : start + count]
    return [
        {
            **row,
            "audio_filepath": str(SPEECH / row["audio_filepath"]),
            "id": f"clip-{start + number}",
            **AWKWARD[(start + number) % len(AWKWARD)],
        }
        for number, row in enumerate(rows)
    ]


def write_manifest(place: Path, rows: Iterable[Row | str]) -> str:
    """Write rows, or lines as they are; return the path."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    place.write_text("".join(f"{line}\n" for line in lines))
    return str(place)


def run_prepare(
    inputs: Sequence[str], out: Path, *, clean: bool = False, segment: str = "none",
    tokenizers: Sequence[str] = ("mvq",), **settings: Any,
) -> Row:  # fmt: skip
    """Prepare inputs; small shards unless told otherwise."""
    chosen = PrepareSettings(
        inputs=tuple(inputs),
        out=str(out),
        segmenter=parse_segmenter(segment),
        tokenizers=tuple(map(Spec.parse, tokenizers)),
        **{"num_buckets": 2, "shard_mb": 0.1, "unit_mb": 0.1, **settings},
    )
    return prepare(make_job(chosen, Engine(), QUIET), clean=clean)


def run_add(
    inputs: Sequence[str], out: Path, *, clean: bool = False, workers: int = 1, **more: Any
) -> Row:
    """Add inputs to a dataset."""
    limits = {"unit_mb": 0.1, **more}
    job = join.make_adding_job(str(out), inputs, Engine(workers=workers), QUIET, **limits)
    return join.add(job, inputs, clean=clean)


def run_merge(sources: Sequence[Path], out: Path, **more: Any) -> Row:
    """Merge datasets."""
    settings = MergeSettings(
        sources=tuple(map(str, sources)), out=str(out), **{"layout": {}, **more}
    )
    return merge(make_merge(settings, Engine(), QUIET))


def content_of(out: Path) -> Row:
    return Dataset.open(str(out)).content


def shards_of(out: Path) -> dict[str, str]:
    """Digest all files of a dataset's shards, as they lie on the disk."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.glob("bucket-*/**/*"))
        if path.is_file()
    }


def assert_same(out: Path, whole: Path, *, copies: bool = True) -> None:
    """Two datasets hold the same bytes, and their totals agree; `copies`: of equal audio, too."""
    assert shards_of(out) == shards_of(whole)
    one, other = content_of(out), content_of(whole)
    for name in ("digest", "settings", "tokenizers", "buckets", "padding", "rejected", "shards"):
        assert one[name] == other[name], name
    if not copies:
        one["totals"]["duplicates"] = other["totals"]["duplicates"]
    assert one["totals"] == other["totals"]
    assert sorted(one["inputs"]) == sorted(other["inputs"])
    assert_sound(out)


def assert_sound(out: Path) -> None:
    assert lint(Dataset.open(str(out))).problems == []
