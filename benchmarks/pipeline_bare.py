"""The work of `prepare` without it: decode, encode, tokenize and write, in one process and thread.

All audio lies in memory from one part to the next. There are no units, no spool and no engine, no
ids are checked, nothing is measured of the audio, and what is written is not read again.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARDS = 19
"""As many as `prepare` makes of a small corpus."""


@dataclass(frozen=True)
class Bare:
    """What the bare work took."""

    wall: float
    """Seconds of the whole process."""
    seconds: dict[str, float]
    """By part: `start` (Python and the modules), `load` (the tokenizers), `decode`, `encode`,
    `tokenize`, `write`."""
    tokens: dict[str, int]


def bare_process(manifest: Path, out: Path, tokenizers: Sequence[str]) -> Bare:
    """Do the work in a process of its own."""
    started = time.monotonic()
    command = [sys.executable, __file__, manifest, out, *tokenizers]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    wall = time.monotonic() - started
    found = json.loads(done.stdout)
    return Bare(wall, {"start": wall - found["since_start"], **found["seconds"]}, found["tokens"])


def main() -> None:
    """Work, and print what it took as JSON."""
    import torch

    from wavemill.audio import encode_flac, open_audio
    from wavemill.pipelines.tokenize import npy_bytes
    from wavemill.specs import Spec
    from wavemill.tokenizers import make_tokenizers

    began = time.monotonic()
    torch.set_num_threads(1)
    manifest, out, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    clock = _Clock()
    rows = [json.loads(line) for line in Path(manifest).read_text("utf-8").splitlines()]
    tokenizers = make_tokenizers([Spec.parse(name) for name in names])
    clock.note("load")
    clips, rates, depths = [], [], []
    for row in rows:
        with open_audio(row["audio_filepath"]) as stream:
            clips.append(_joined(stream.blocks()))
            rates.append(stream.info.sample_rate)
            depths.append(stream.info.bit_depth)
    clock.note("decode")
    flacs = [encode_flac(*about) for about in zip(clips, rates, depths, strict=True)]
    clock.note("encode")
    codes = {one.facts.name: _tokenize(one, clips, rates) for one in tokenizers}
    clock.note("tokenize")
    samples = [_sample(row, clip, rate) for row, clip, rate in zip(rows, clips, rates, strict=True)]
    arrays = {name: [npy_bytes(array) for array in found] for name, found in codes.items()}
    lengths = {name: [len(array) for array in found] for name, found in codes.items()}
    order = sorted(range(len(rows)), key=lambda number: len(clips[number]))
    facts = [one.facts for one in tokenizers]
    for shard in range(SHARDS):
        chosen = order[shard * len(order) // SHARDS : (shard + 1) * len(order) // SHARDS]
        part = [samples[number] for number in chosen]
        audio = [memoryview(flacs[number]) for number in chosen]
        streams = [
            (one, [memoryview(arrays[one.name][number]) for number in chosen],
             [lengths[one.name][number] for number in chosen])
            for one in facts
        ]  # fmt: skip
        _write(out, shard, part, audio, streams)
    clock.note("write")
    tokens = {name: sum(found) for name, found in lengths.items()}
    print(json.dumps({"seconds": clock.seconds, "tokens": tokens,
                      "since_start": time.monotonic() - began}))  # fmt: skip


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def note(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part] = now - self._since
        self._since = now


def _joined(blocks: Iterator[Any]) -> Any:
    import numpy as np

    return np.concatenate(list(blocks))


def _tokenize(tokenizer: Any, clips: list[Any], rates: list[int]) -> list[Any]:
    from wavemill.audio import resample, to_mono
    from wavemill.pipelines.tokenize import BATCH_SECONDS

    rate = tokenizer.facts.sample_rate
    found: list[Any] = []
    batch: list[Any] = []
    for clip, own in zip(clips, rates, strict=True):
        batch.append(resample(to_mono(clip)[:, None], own, rate)[:, 0])
        if sum(map(len, batch)) >= BATCH_SECONDS * rate:
            found += tokenizer.encode(batch)
            batch = []
    return [*found, *(tokenizer.encode(batch) if batch else [])]


def _sample(row: dict[str, Any], clip: Any, rate: int) -> dict[str, Any]:
    from wavemill.records import safe_key

    key = safe_key(row["id"])
    return {
        "id": key, "recording_id": key, "start_seconds": 0.0, "num_samples": len(clip),
        "sample_rate": rate, "num_channels": clip.shape[1], "text": row.get("text"),
        "language": row.get("lang"), "speaker": row.get("speaker"), "custom": {},
        "extension": "flac",
    }  # fmt: skip


def _write(
    out: str, shard: int, rows: list[dict[str, Any]], audio: list[Any],
    streams: list[tuple[Any, list[Any], list[int]]],
) -> None:  # fmt: skip
    from wavemill.sharding import layout
    from wavemill.sharding.lengths import make_lengths, pack_lengths
    from wavemill.sharding.lines import array_lines, cut_line, nemo_line, recording_line
    from wavemill.sharding.shard_files import shard_files

    keys = [row["id"] for row in rows]
    with shard_files(out, f"bucket-{shard:02d}") as files:
        with files.tar(layout.tar_name("audio", 0)) as tar:
            tar.add(keys, flac=audio, json=[recording_line(row) for row in rows])
        for facts, arrays, lengths in streams:
            with files.tar(layout.tar_name(facts.name, 0)) as tar:
                tar.add(keys, npy=arrays, json=array_lines(rows, facts, lengths))
        files.lines(layout.manifest_name(0), [nemo_line(row, 0) for row in rows])
        names = tuple(facts.name for facts, _, _ in streams)
        files.lines(layout.cuts_name(0), [cut_line(row, names) for row in rows])
        seconds = [row["num_samples"] / row["sample_rate"] for row in rows]
        tokens = {facts.name: lengths for facts, _, lengths in streams}
        files.lines(layout.lengths_name(0), [pack_lengths(make_lengths(seconds, tokens))])


if __name__ == "__main__":
    main()
