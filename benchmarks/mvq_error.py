"""Measure how well MVQ stands for features, against faiss at equal bytes a frame.

    python benchmarks/corpora.py asterisk-en --out /tmp/asterisk-en
    python benchmarks/mvq_error.py /tmp/asterisk-en
    python benchmarks/mvq_error.py /tmp/asterisk-en --teacher whisper --teacher-model MODEL
    python benchmarks/mvq_error.py /tmp/asterisk-en --frames-file F.npz --methods MVQ --bytes 8

The last keeps the drawn frames in a file, from which other methods and sizes then read them.

All are fitted on the same frames, normalised per dimension, and measured on the same recordings
that none has heard. Relative error is the summed squared error over that of the training mean.
MVQ's codes are after 5 refinements. PQ splits the dimensions evenly; zeros fill up what does not
divide; OPQ turns the space first. RQ and LSQ are faiss's additive quantizers. The table shows
whatever comes out.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch

from wavemill.audio import open_audio, resample, to_mono
from wavemill.tokenizers.fit_mvq import FitMvqConfig, fit_mvq
from wavemill.tokenizers.reservoir import FrameReservoir, Frames
from wavemill.tokenizers.teachers.base import Clip, Teacher, TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher

Method = Callable[[Frames, Frames, int], Frames]
"""Fits on frames, and gives other frames back from so many bytes each."""


def clip_of(path: Path, sample_rate: int) -> Clip:
    """Decode a recording to mono at a rate."""
    with open_audio(str(path)) as stream:
        blocks = [to_mono(block) for block in stream.blocks()]
    return resample(np.concatenate(blocks), stream.info.sample_rate, sample_rate)


def draw(paths: list[Path], teacher: Teacher, count: int) -> Frames:
    """Draw frames of recordings."""
    reservoir = FrameReservoir(count, seed=0)
    for path in paths:
        reservoir.add(teacher.features(clip_of(path, teacher.facts.sample_rate)))
    return reservoir.frames()


def by_mvq(iterations: int) -> Method:
    """Make the method of MVQ."""

    def method(train: Frames, test: Frames, codebooks: int) -> Frames:
        config = FitMvqConfig(codebooks=codebooks, iterations=(iterations, iterations))
        fitted = fit_mvq(train, config)
        x = (torch.from_numpy(test) - fitted.mean) / fitted.std
        with torch.no_grad():
            decoded = fitted.quantizer.decode(fitted.quantizer.encode(x, 5))
            frames: Frames = (decoded * fitted.std + fitted.mean).numpy()
        return frames

    return method


def by_faiss(build: Callable[[int, int], Any]) -> Method:
    """Make the method of one of faiss's quantizers."""

    def method(train: Frames, test: Frames, codebooks: int) -> Frames:
        dim = train.shape[1]
        width = -(-dim // codebooks) * codebooks
        quantizer = build(width, codebooks)
        quantizer.train(np.pad(train, ((0, 0), (0, width - dim))))
        codes = quantizer.compute_codes(np.pad(test, ((0, 0), (0, width - dim))))
        frames: Frames = quantizer.decode(codes)[:, :dim]
        return frames

    return method


def by_opq(train: Frames, test: Frames, codebooks: int) -> Frames:
    """Turn the space so that PQ's parts are alike, and quantize by PQ."""
    dim = train.shape[1]
    width = -(-dim // codebooks) * codebooks
    turn = faiss.OPQMatrix(dim, codebooks, width)
    turn.train(train)
    turned = by_faiss(lambda wide, n: faiss.ProductQuantizer(wide, n, 8))(
        turn.apply(train), turn.apply(test), codebooks
    )
    frames: Frames = turn.reverse_transform(turned)
    return frames


def methods(iterations: int) -> dict[str, Method]:
    """Name the methods, in the order of the table."""
    return {
        "MVQ": by_mvq(iterations),
        "PQ": by_faiss(lambda dim, n: faiss.ProductQuantizer(dim, n, 8)),
        "OPQ": by_opq,
        "RQ": by_faiss(lambda dim, n: faiss.ResidualQuantizer(dim, n, 8)),
        "LSQ": by_faiss(lambda dim, n: faiss.LocalSearchQuantizer(dim, n, 8)),
    }


def split(corpus: Path, limit: int) -> tuple[list[Path], list[Path]]:
    """Take every fifth recording to measure on."""
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").open(encoding="utf-8")]
    paths = [corpus / row["audio_filepath"] for row in rows][:limit]
    return [path for number, path in enumerate(paths) if number % 5], paths[::5]


def frames(options: argparse.Namespace) -> tuple[Frames, Frames]:
    """Draw frames to fit and to measure on, or read those that were kept."""
    kept = options.frames_file
    if kept and kept.exists():
        file = np.load(kept, allow_pickle=False)
        return file["train"], file["test"]
    config = TeacherConfig(name=options.teacher, model=options.teacher_model, layer=options.layer)
    teacher = make_teacher(config)
    fit_on, measure_on = split(options.corpus, options.recordings)
    train = draw(fit_on, teacher, options.frames)
    test = draw(measure_on, teacher, options.frames // 5)
    if kept:
        np.savez(kept, train=train, test=test)
    return train, test


def table(train: Frames, test: Frames, options: argparse.Namespace) -> None:
    """Fit and measure everything, and print a row a size."""
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-3
    train, test = (train - mean) / std, (test - mean) / std
    spread = float(np.square(test - train.mean(axis=0)).sum())
    found = {n: m for n, m in methods(options.iterations).items() if n in options.methods}
    print(f"{'bytes':>5} " + " ".join(f"{name + ' (s)':>14}" for name in found))
    for codebooks in options.bytes:
        cells = []
        for method in found.values():
            started = time.perf_counter()
            error = float(np.square(method(train, test, codebooks) - test).sum()) / spread
            cells.append(f"{error:.4f} ({time.perf_counter() - started:.0f})")
        print(f"{codebooks:>5} " + " ".join(f"{cell:>14}" for cell in cells), flush=True)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Relative error of MVQ against faiss.")
    parser.add_argument("corpus", type=Path, help="a folder that corpora.py made")
    parser.add_argument("--teacher", default="logmel")
    parser.add_argument("--teacher-model")
    parser.add_argument("--layer", type=int)
    parser.add_argument("--bytes", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--methods", nargs="+", default=list(methods(0)), help="of the table")
    parser.add_argument("--frames-file", type=Path, help="an .npz to keep the frames in")
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--iterations", type=int, default=3000, help="of each phase of MVQ")
    parser.add_argument("--recordings", type=int, default=10**9, help="take the first so many")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    train, test = frames(options)
    print(f"{options.teacher}: {train.shape[1]} dimensions, {len(train)} and {len(test)} frames")
    table(train, test, options)


if __name__ == "__main__":
    main()
