"""Measure `wavemill prepare`: what it adds to the bare work, what workers gain, how it grows.

    python benchmarks/corpora.py asterisk-en --out build/asterisk-en
    python benchmarks/pipeline.py overhead build/asterisk-en
    python benchmarks/random_models.py encodec --out build/encodec
    python benchmarks/pipeline.py workers build/asterisk-en --tokenizer encodec:model=build/encodec
    python benchmarks/pipeline.py growth build/asterisk-en --workers 1 --plot docs/growth.svg

`examples/speech` serves as a corpus, too; it is small, so that starting counts for more.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pipeline_growth
from pipeline_bare import bare_process
from pipeline_job import Ran, prepare, repeated_manifest

PARTS = ("decode", "encode", "tokenize", "write")


def overhead(options: argparse.Namespace, folder: Path) -> None:
    """Print the wall time of `prepare` beside the bare work in one process."""
    manifest = folder / "corpus.jsonl"
    repeated_manifest(options.corpus, 1, manifest)
    jobs, bare = [], []
    for number in range(options.rounds):
        jobs.append(prepare(manifest, folder / f"out-{number}", options.tokenizer, workers=1))
        bare.append(bare_process(manifest, folder / f"bare-{number}", options.tokenizer))
        if jobs[-1].tokens != bare[-1].tokens:
            raise SystemExit(f"the tokens differ: {jobs[-1].tokens} and {bare[-1].tokens}")
    print(f"{'':<34} {'seconds':>8}")
    for part in ("start", "load", *PARTS):
        seconds = statistics.median(one.seconds[part] for one in bare)
        print(f"bare: {part:<28} {seconds:>8.2f}")
    sums = [sum(one.seconds[part] for part in PARTS) for one in bare]
    within = [job.run["seconds"] for job in jobs]
    print(f"bare: decode to write              {statistics.median(sums):>8.2f}")
    print(f"bare: whole process                {statistics.median(one.wall for one in bare):>8.2f}")
    print(f"prepare: whole process             {statistics.median(job.wall for job in jobs):>8.2f}")
    print(f"prepare: after its start           {statistics.median(within):>8.2f}")
    _say("whole `prepare` : decode to write", [job.wall for job in jobs], sums)
    _say("whole : whole process", [job.wall for job in jobs], [one.wall for one in bare])
    _say("after its start : decode to write", within, sums)


def _say(name: str, these: Sequence[float], those: Sequence[float]) -> None:
    ratios = [this / that for this, that in zip(these, those, strict=True)]
    every = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    print(f"{name:<34} {statistics.median(ratios):>8.3f}  ({every})")


def workers(options: argparse.Namespace, folder: Path) -> None:
    """Print the wall time with one worker and with more."""
    manifest = folder / "corpus.jsonl"
    repeated_manifest(options.corpus, options.copies, manifest)
    ran: dict[int, list[Ran]] = {1: [], options.workers: []}
    for number in range(options.rounds):
        for count, runs in ran.items():
            runs.append(prepare(manifest, folder / f"{number}-{count}", options.tokenizer, count))
    for count, runs in ran.items():
        wall = statistics.median(run.wall for run in runs)
        units = statistics.median(run.run["steps"]["units"] for run in runs)
        print(f"{count} workers: {wall:.2f} s, of which {units:.2f} s segment and tokenize")
    one, many = ran.values()
    _say("whole process, times faster", [run.wall for run in one], [run.wall for run in many])
    steps = [[run.run["steps"]["units"] for run in runs] for runs in (one, many)]
    _say("segment and tokenize", *steps)


def growth(options: argparse.Namespace, folder: Path) -> None:
    """Print time and memory of a corpus once and several times over, and plot them."""
    points = []
    for times in options.times:
        manifest = folder / f"{times}.jsonl"
        rows = repeated_manifest(options.corpus, times, manifest)
        job = (manifest, folder / str(times), options.tokenizer, options.workers)
        ran = prepare(*job, look=True)
        points.append(pipeline_growth.Point(times, rows, ran.wall, ran.peak_mb, ran.mapped_mb))
    for line in pipeline_growth.lines(points):
        print(line)
    if options.plot:
        pipeline_growth.plot(points, options.plot)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure `wavemill prepare`.")
    parts = parser.add_subparsers(required=True)
    for part in (overhead, workers, growth):
        sub = parts.add_parser(part.__name__, help=part.__doc__)
        sub.set_defaults(part=part)
        sub.add_argument("corpus", type=Path, help="a folder with a manifest.jsonl")
        sub.add_argument("--tokenizer", nargs="*", default=["beats", "mvq"], metavar="NAME[:k=v]")
        if part is growth:
            sub.add_argument("--times", type=int, nargs="+", default=[1, 2, 4, 8], metavar="N")
            sub.add_argument("--plot", type=Path, metavar="FILE", help="needs matplotlib")
        else:
            sub.add_argument("--rounds", type=int, default=3)
        if part is not overhead:
            sub.add_argument("--workers", type=int, default=2)
        if part is workers:
            sub.add_argument("--copies", type=int, default=4, help="of the corpus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.part(options, Path(folder))


if __name__ == "__main__":
    main()
