"""Measure a job of many recordings without their audio: time, memory of the driver, files, bytes.

    python benchmarks/scale.py 100_000 1_000_000
    python benchmarks/scale.py 10_000_000 --workers 2 --dir /big/disk --plot scale.png

The input is a NeMo manifest whose rows are pieces of files (all are links to one). It is read, cut
into units, planned, written (`--audio none`) and published by the job's own code and Beam steps;
only what would listen to audio is replaced: the segmenter gives each recording one segment of a
length, and the tokenizer tokens, that are a function of its id. So the time of decoding and
tokenizing is left out, and everything that grows with the number of recordings is in.

Printed per step: seconds; the peak of the driver's anonymous memory (what it allocated; what it
maps of files is the system's to take back) and its resident memory, both in MB; files that the
driver opened. Imports come first: their memory is the floor. Then what lies on the disk.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wavemill.digest import digest_number
from wavemill.pipelines import outdir
from wavemill.pipelines.engine import Engine
from wavemill.pipelines.ingest import read_inputs
from wavemill.pipelines.intake import ingest
from wavemill.pipelines.job import Job
from wavemill.pipelines.progress import Reporter
from wavemill.pipelines.segmenters import parse_segmenter
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.step import Step
from wavemill.pipelines.stock import check_rejected, take_stock
from wavemill.pipelines.tokenize import npy_bytes
from wavemill.pipelines.units import Steps, run_units
from wavemill.pipelines.write import write_dataset
from wavemill.records import SEGMENT_SCHEMA, TOKEN_SCHEMA
from wavemill.specs import Spec
from wavemill.spool import RECORDINGS, UnitReader, unit_url, write_unit
from wavemill.tokenizers.base import TokenizerFacts

FACTS = TokenizerFacts(name="drawn", kind="drawn", sample_rate=16_000, frame_rate=1.0,
                       num_codebooks=1, codebook_size=1000, weights_digest="0")  # fmt: skip
RATE = 16_000
LINKS = 100
"""In a folder, to itself and to a file: paths of three of them are a million, all to one file."""
SAMPLE_SECONDS = 0.05


class DrawSegments(Step):
    """Write a segment for each recording of a unit, as long as its id says."""

    def __init__(self, spool: str, stage: str) -> None:
        """Keep where things are."""
        super().__init__(spool)
        self._stage = stage

    def process(self, unit: str) -> Iterator[str]:
        """Write the unit's segments."""
        place = unit_url(self._spool, self._stage, unit)
        if self.lacks(place):
            with write_unit(place, SEGMENT_SCHEMA) as file:
                for name in UnitReader(unit_url(self._spool, RECORDINGS, unit)).column("id"):
                    file.add(_segment(name, digest_number(name)))
        yield unit


def _segment(name: str, number: int) -> dict[str, Any]:
    return {
        "id": name, "recording_id": name, "start_seconds": 0.0,
        "num_samples": RATE + number % (20 * RATE), "sample_rate": RATE, "num_channels": 1,
        "num_audio_bytes": 0, "audio_digest": number, "clipping": 0.0,
        "silence": number % 97 / 97, "snr_db": number % 53, "text": "so it was said",
        "num_characters": 14, "custom": "{}", "audio": b"",
    }  # fmt: skip


class DrawTokens(Step):
    """Write tokens for each segment of a unit, one a second."""

    def __init__(self, spool: str, segments: str, stage: str) -> None:
        """Keep where things are."""
        super().__init__(spool)
        self._segments, self._stage = segments, stage

    def process(self, unit: str) -> Iterator[str]:
        """Write the unit's tokens."""
        place = unit_url(self._spool, self._stage, unit)
        if self.lacks(place):
            segments = UnitReader(unit_url(self._spool, self._segments, unit))
            lengths = segments.numbers("num_samples") // RATE
            with write_unit(place, TOKEN_SCHEMA) as file:
                for key, length in zip(segments.column("audio_digest"), lengths, strict=True):
                    codes = (np.arange(length) * (key % 997) % 1000).astype(np.uint16)
                    file.add({"num_tokens": length, "npy": npy_bytes(codes[:, None])})
        yield unit


def steps(job: Job, missing: Mapping[str, int]) -> Steps:
    """Return the steps that stand in for the segmenter and the tokenizer."""
    del missing
    segments = job.settings.segments_stage
    return [
        ("segments", DrawSegments(job.spool, segments)),
        ("tokens", DrawTokens(job.spool, segments, job.token_stages[0])),
    ]


def write_input(count: int, rows_a_file: int, folder: Path) -> str:
    """Write a manifest of so many rows, each with an id of its own."""
    (folder / "audio").write_bytes(b"none")
    for number in range(LINKS):
        (folder / f"{number:02d}").symlink_to(".")
        (folder / f"{number:02d}.wav").symlink_to("audio")
    place = folder / "manifest.jsonl"
    with place.open("w", encoding="utf-8") as file:
        for number in range(count):
            which, part = divmod(number, rows_a_file)
            path = f"{which // 10_000 % 100:02d}/{which // 100 % 100:02d}/{which % 100:02d}.wav"
            row = f'"audio_filepath": "{path}", "offset": {20 * part}, "duration": 19.5'
            file.write(f'{{{row}, "id": "recording-{number:09d}", "text": "so it was said"}}\n')
    return str(place)


class Meter(Reporter):
    """Watches this process's memory and the files it opens, step by step."""

    def __init__(self) -> None:
        """Begin to watch."""
        super().__init__(quiet=True)
        self.rows: list[dict[str, Any]] = []
        self._opened = 0
        self._step = ("imports", time.monotonic(), 0)
        self._peak = Counter[str]()
        sys.addaudithook(self._count)
        threading.Thread(target=self._watch, daemon=True).start()

    def _count(self, event: str, _: Any) -> None:
        if event == "open":
            self._opened += 1

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(SAMPLE_SECONDS)

    def _look(self) -> None:
        with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123
            lines = file.read().decode().splitlines()
        self._opened -= 1
        for line in lines:
            if line.startswith(("VmRSS", "RssAnon")):
                name, size, _ = line.replace(":", " ").split()
                self._peak[name] = max(self._peak[name], int(size) >> 10)

    def begin(self, name: str) -> None:
        """End a step and begin another."""
        self._look()
        step, started, opened = self._step
        row: dict[str, Any] = {
            "step": step,
            "seconds": round(time.monotonic() - started, 1),
            "anonymous_mb": self._peak["RssAnon"],
            "resident_mb": self._peak["VmRSS"],
            "opened": self._opened - opened,
        }
        self.rows.append(row)
        print("  {step:<10} {seconds:>9.1f} s {anonymous_mb:>7} MB {resident_mb:>7} MB"
              " {opened:>9}".format(**row), flush=True)  # fmt: skip
        self._step = (name, time.monotonic(), self._opened)
        self._peak.clear()

    def stage(self, name: str, total: int | None) -> Any:
        """Take the beginning of one of the job's stages for that of a step."""
        self.begin(name)
        return super().stage(name, total)

    def counting(self, name: str, *about: Any, **more: Any) -> Any:
        """Take the beginning of a stage that workers are at for that of a step."""
        self.begin(name)
        return super().counting(name, *about, **more)


def run(count: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run a job of so many recordings."""
    print(f"{count:,} recordings: seconds, anonymous and resident memory of the driver, opened")
    meter = Meter()
    meter.begin("input")
    place = write_input(count, options.rows_a_file, folder)
    out = str(folder / "out")
    settings = PrepareSettings(
        inputs=(place,), out=out, segmenter=parse_segmenter("none"), audio="none",
        tokenizers=(Spec.parse("mvq:name=drawn"),), shard_mb=options.shard_mb,
    )  # fmt: skip
    job = Job(settings=settings, engine=Engine(workers=options.workers), facts=(FACTS,),
              reporter=meter)  # fmt: skip
    outdir.mark(out, job.spool)
    intake = ingest(job, read_inputs([place], leave_out=out))
    run_units(job, intake.units, steps)
    meter.begin("stock")
    stock = take_stock(job, [intake.part([place])])
    check_rejected(job, stock)
    meter.begin("plan")
    content = write_dataset(job, stock)
    meter.begin("end")
    totals = content["totals"]
    assert totals["samples"] == totals["recordings"] == count
    sizes = disk(Path(out))
    print(f"  {len(intake.units):,} units, {totals['shards']:,} shards,"
          f" {totals['hours']:,.0f} hours; on disk:")  # fmt: skip
    for name, (files, size) in sizes.items():
        print(f"    {name:<14} {files:>9,} files {size / count:>9.1f} bytes a recording")
    return {"recordings": count, "units": len(intake.units), "steps": meter.rows, "disk": sizes,
            **totals}  # fmt: skip


def disk(out: Path) -> dict[str, tuple[int, int]]:
    """Count files and bytes of the spool's folders, and of the dataset."""
    found: dict[str, list[int]] = {}
    for folder, _, names in os.walk(out):
        parts = Path(folder).relative_to(out).parts
        in_spool = parts[:1] == (outdir.SPOOL,)
        name = (parts[1:2] or ("notes",))[0].split("-")[0] if in_spool else "dataset"
        sizes = [(Path(folder) / one).stat().st_size for one in names]
        held = found.setdefault(f"{outdir.SPOOL}/{name}" if in_spool else name, [0, 0])
        held[0] += len(sizes)
        held[1] += sum(sizes)
    return {name: (files, size) for name, (files, size) in sorted(found.items())}


def plot(results: list[dict[str, Any]], place: Path) -> None:
    """Draw the peak of each step against the number of recordings."""
    from matplotlib import pyplot as plt

    names = [row["step"] for row in results[0]["steps"]][2:]
    counts = [result["recordings"] for result in results]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, field in zip(axes, ("anonymous_mb", "seconds"), strict=True):
        for name in names:
            steps = [{row["step"]: row for row in result["steps"]} for result in results]
            axis.plot(counts, [found[name][field] for found in steps], "o-", label=name)
        axis.set(xscale="log", xlabel="recordings", ylabel=field.replace("_", ", "))
    axes[0].set_ylim(bottom=0)
    axes[1].set_yscale("log")
    axes[1].legend()
    figure.tight_layout()
    figure.savefig(place)


def main() -> None:
    """Read the command line; each job runs in a process of its own."""
    parser = argparse.ArgumentParser(description="A job of many recordings, without their audio.")
    parser.add_argument("recordings", type=int, nargs="+")
    parser.add_argument(
        "--rows-a-file", type=int, default=100, help="as of files cut by a manifest"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shard-mb", type=float, default=256)
    parser.add_argument("--dir", type=Path, help="where everything lies; else TMPDIR")
    parser.add_argument("--keep", action="store_true", help="leave it there")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--plot", type=Path, help="a picture; needs matplotlib")
    options = parser.parse_args()
    results = [_apart(run, count, options) for count in options.recordings]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot(results, options.plot)


def _apart(
    work: Callable[..., dict[str, Any]], count: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Work in a child process, whose memory begins anew; return what it gives."""
    folder = Path(tempfile.mkdtemp(prefix="wavemill-scale-", dir=options.dir))
    result = folder / "result.json"
    try:
        if not (child := os.fork()):
            result.write_text(json.dumps(work(count, folder, options)), encoding="utf-8")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"the job of {count:,} recordings failed")
        return dict(json.loads(result.read_text(encoding="utf-8")))
    finally:
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
