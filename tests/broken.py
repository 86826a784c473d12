"""A folder of good audio under awkward names among everything that can be wrong with a file."""

import io
import itertools
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from wavemill import records

GOOD_NAMES = (
    "plain",
    "take.2.final",
    "two words",
    "two.words",  # becomes the same key as the one above if all that is unsafe becomes _
    "talk-sub3",  # NeMo takes -sub3 off
    "gr\u00f6\u00dfe",
    "\u97f3\u58f0",
    "nested.dir/more nesting/cafe\u0301.v1.2",
)
KEPT = 0.6
FMT_CHANNELS, FMT_RATE = 22, 24  # where a plain WAV header has them
ABSURD_HZ = 2_000_000_000
NO_AUDIO = {records.UNDECODABLE, records.UNSUPPORTED}

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A line of the manifest that must be rejected, for any of `reasons`."""

    line: int
    """Counted from 1."""
    id: str | None
    """None where the line has none."""
    path: str | None
    """The bad file, relative to the folder; None where the fault is the row's alone."""
    reasons: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """What is in the folder, and what must become of it."""

    folder: Path
    manifest: Path
    good: dict[str, str]
    """Rows that must arrive: the id, and the file relative to the folder."""
    bad: tuple[Bad, ...]

    @property
    def num_rows(self) -> int:
        """The lines of the manifest."""
        return len(self.good) + len(self.bad)

    @property
    def good_files(self) -> list[str]:
        """The files that must arrive where the folder itself is the input."""
        return sorted(self.good.values())

    @property
    def bad_files(self) -> dict[str, frozenset[str]]:
        """The files that must be rejected where the folder itself is the input, and why."""
        return {bad.path: bad.reasons for bad in self.bad if bad.path is not None}


def write_broken_folder(folder: Path, good: Sequence[Path]) -> Broken:
    """Write good and bad files and the manifest.jsonl that lists them.

    Copies of the `good` files, in turn, lie under `GOOD_NAMES`, and the rest under numbers; what is
    bad is made of the first, which should last a second or more. There are 20 bad lines, and 15 of
    them are about bad files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    arrives: dict[str, str] = {}
    bad: list[Bad] = []
    for name, source in _named(good):
        path = f"{name}{source.suffix}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(source.read_bytes())
        lines.append(_json(_row(name, path, source)))
        arrives[name] = path

    def reject(line: str, path: str | None, row_id: str | None, reasons: set[str]) -> None:
        lines.append(line)
        bad.append(Bad(line=len(lines), id=row_id, path=path, reasons=frozenset(reasons)))

    for path, reasons in _write_bad_files(folder, good[0]):
        row_id = f"bad {path}"
        reject(_json(_row(row_id, path, good[0])), path, row_id, reasons)
    for row, reason in _bad_rows(folder, arrives):
        reject(_json(row), None, row["id"], {reason})
    reject('{"id": "cut", "audio_filepath": "pla', None, None, {records.INVALID_JSON})

    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return Broken(folder=folder, manifest=manifest, good=arrives, bad=tuple(bad))


def _named(good: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    names = [*GOOD_NAMES, *(f"more-{number}" for number in range(len(GOOD_NAMES), len(good)))]
    return zip(names, itertools.cycle(good), strict=False)


def _row(row_id: str, path: str, source: Path) -> Row:
    duration = soundfile.info(source).duration
    return {"id": row_id, "audio_filepath": path, "duration": duration, "text": "some words"}


def _json(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)


def _bad_rows(folder: Path, arrives: dict[str, str]) -> Iterator[tuple[Row, str]]:
    """Rows that are wrong themselves, and why."""
    (first_id, first), (_, second) = list(arrives.items())[:2]
    row = _row("past the end", first, folder / first)
    yield row | {"offset": row["duration"] + 60}, records.OFFSET_PAST_END
    yield _row("gone", "gone.wav", folder / first), records.MISSING_FILE
    yield _row(first_id, second, folder / second), records.DUPLICATE_ID
    yield {"id": "no path", "duration": 1.0, "text": "some words"}, records.INVALID_ROW


def _write_bad_files(folder: Path, source: Path) -> Iterator[tuple[str, set[str]]]:
    """Write every bad file; yield its path and the reasons to reject it for."""
    samples, rate = soundfile.read(source, dtype="float32")
    for name, write in _WRITERS.items():
        path = folder / f"truncated-{name}"
        write(path, samples, rate)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(KEPT * len(whole))])
        # a decoder may meet the torn frame before it misses the rest
        torn = {records.UNDECODABLE} if path.suffix == ".flac" else set()
        yield path.name, {records.TRUNCATED} | torn

    soundfile.write(folder / "no-samples.wav", samples[:0], rate)
    yield "no-samples.wav", {records.EMPTY}
    with_nan = samples.copy()
    with_nan[len(with_nan) // 2] = np.nan
    soundfile.write(folder / "nan.wav", with_nan, rate, subtype="FLOAT")
    yield "nan.wav", {records.NON_FINITE}

    wav, flac = _encoded(samples, rate, "WAV"), _encoded(samples, rate, "FLAC")
    assert wav[12:16] == b"fmt "
    contents = {
        "empty.wav": b"",
        "wrong-magic.wav": b"XXXX" + wav[4:],
        "garbage-header.flac": bytes(range(200, 242)) + flac[42:],  # all of STREAMINFO
        "no-channels.wav": _patched(wav, FMT_CHANNELS, "<H", 0),
        "no-rate.wav": _patched(wav, FMT_RATE, "<I", 0),
        "absurd-rate.wav": _patched(wav, FMT_RATE, "<I", ABSURD_HZ),
        "text.wav": b"This is a shopping list, not a sound.\n" * 50,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        yield name, NO_AUDIO if content else {records.EMPTY}


def _encoded(samples: Any, rate: int, container: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype="PCM_16")
    return file.getvalue()


def _patched(wav: bytes, offset: int, layout: str, value: int) -> bytes:
    header = bytearray(wav)
    struct.pack_into(layout, header, offset, value)
    return bytes(header)


def _write_sndfile(path: Path, samples: Any, rate: int) -> None:
    soundfile.write(path, samples, rate)


def _write_m4a(path: Path, samples: Any, rate: int, *, fast_start: bool = False) -> None:
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    options = {"movflags": "faststart"} if fast_start else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("aac", rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        container.mux([*stream.encode(frame), *stream.encode(None)])


def _write_fast_start_m4a(path: Path, samples: Any, rate: int) -> None:
    _write_m4a(path, samples, rate, fast_start=True)


_WRITERS: dict[str, Callable[[Path, Any, int], None]] = {
    "wav.wav": _write_sndfile,
    "flac.flac": _write_sndfile,
    "ogg.ogg": _write_sndfile,
    "mp3.mp3": _write_sndfile,
    "m4a.m4a": _write_m4a,
    "index-first.m4a": _write_fast_start_m4a,
}
