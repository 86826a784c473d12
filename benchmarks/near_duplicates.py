"""Plant near-duplicates among distinct clips, and count which of them `prepare --dedup` finds.

    python benchmarks/corpora.py asterisk-en asterisk-es asterisk-it asterisk-ru --out build/corpora
    python benchmarks/near_duplicates.py build/corpora/asterisk-*

Prints recall by kind of change, precision, and the time; then lists what was found among the clips
that are taken for distinct, to be listened to: corpora hold copies of their own. Clips with exactly
equal audio are taken once, those of `--leave-out` not at all. `--hard` plants worse changes.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.float32]
Clip = tuple[Samples, int]
Change = Callable[[Clip, np.random.Generator], Clip]


def gain(clip: Clip, dice: np.random.Generator) -> Clip:
    """Change the level by -20 to 6 dB; what is too loud is clipped."""
    audio, rate = clip
    scale = 10 ** (dice.choice([-20, -12, -6, 3, 6]) / 20)
    return np.clip(audio * scale, -1, 1).astype(np.float32), rate


def resampled(clip: Clip, dice: np.random.Generator) -> Clip:
    """Go to another rate, and in half of the cases back."""
    audio, rate = clip
    to = int(dice.choice([8000, 11025, 16000, 22050, 44100]))
    there = soxr.resample(audio, rate, to)
    return (soxr.resample(there, to, rate), rate) if dice.integers(2) else (there, to)


def shifted(clip: Clip, dice: np.random.Generator) -> Clip:
    """Move by 50 ms: silence before it, or cut off, or both."""
    audio, rate = clip
    by = round(0.05 * rate)
    silence = np.zeros(by, np.float32)
    ways = [np.concatenate([silence, audio])]
    if len(audio) > 4 * by:
        ways += [audio[by:], np.concatenate([silence, audio[:-by]])]
    return ways[dice.integers(len(ways))], rate


def noisy(clip: Clip, dice: np.random.Generator) -> Clip:
    """Add white noise at 20 dB."""
    audio, rate = clip
    scale = np.sqrt(np.mean(audio**2)) / 10
    return (audio + dice.normal(0, scale, len(audio))).astype(np.float32), rate


def coded(clip: Clip, dice: np.random.Generator) -> Clip:
    """Encode as MP3 or Opus at 16 to 64 kbit/s."""
    ways = [("libmp3lame", "mp3", 16000, 32000), ("libmp3lame", "mp3", 44100, 64000),
            ("libopus", "ogg", 16000, 16000), ("libopus", "ogg", 48000, 24000)]  # fmt: skip
    return through(clip, *ways[dice.integers(len(ways))])


def coded_low(clip: Clip, dice: np.random.Generator) -> Clip:
    """Encode as telephones do: GSM, or MP3 and Opus at 6 to 8 kbit/s."""
    way = dice.integers(3)
    if way:
        low = [("libmp3lame", "mp3", 8000, 8000), ("libopus", "ogg", 8000, 6000)]
        return through(clip, *low[way - 1])
    file = io.BytesIO()
    audio = soxr.resample(*clip, 8000)
    soundfile.write(file, audio, 8000, format="WAV", subtype="GSM610")
    file.seek(0)
    return soundfile.read(file, dtype="float32")  # type: ignore[no-any-return]


def all_at_once(clip: Clip, dice: np.random.Generator) -> Clip:
    """Add noise, shift, change the level, and encode or resample."""
    for change in (noisy, shifted, gain, (coded, resampled)[dice.integers(2)]):
        clip = change(clip, dice)
    return clip


KINDS: dict[str, Change] = {
    "gain": gain, "codec": coded, "resampling": resampled, "shift": shifted, "noise": noisy,
}  # fmt: skip
HARD: dict[str, Change] = {"all at once": all_at_once, "low-rate codec": coded_low}


def through(clip: Clip, codec: str, container: str, rate: int, bit_rate: int) -> Clip:
    """Encode and decode."""
    audio = soxr.resample(*clip, rate)
    whole = (np.clip(audio, -1, 1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    file = io.BytesIO()
    with av.open(file, "w", format=container) as sink:
        stream: Any = sink.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        context = stream.codec_context
        cutter = av.AudioResampler(
            format=context.format, layout="mono", rate=rate, frame_size=context.frame_size
        )
        for part in [*cutter.resample(frame), *cutter.resample(None)]:
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    file.seek(0)
    to_float = av.AudioResampler(format="flt", layout="mono", rate=rate)
    with av.open(file, "r") as source:
        parts = [out for part in source.decode(audio=0) for out in to_float.resample(part)]
    return np.concatenate([part.to_ndarray().reshape(-1) for part in parts]), rate


def read_clips(folders: Sequence[Path], leave_out: set[str]) -> Iterator[tuple[str, Clip]]:
    """Yield every clip that libsndfile reads, once if another has the same samples."""
    seen = set()
    for folder in folders:
        for line in (folder / "manifest.jsonl").open(encoding="utf-8"):
            name = json.loads(line)["audio_filepath"]
            if f"{folder.name}/{name}" in leave_out:
                continue
            try:
                audio, rate = soundfile.read(folder / name, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                continue
            mono = audio.mean(axis=1)
            if mono.any() and (key := mono.tobytes()) not in seen:
                seen.add(key)
                yield f"{folder.name}/{name}", (mono, rate)


def plant(
    clips: list[tuple[str, Clip]], kinds: dict[str, Change], planted: int, folder: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Write clips and copies as FLAC.

    Returns:
        What each file is a clip of, and how each copy was changed.

    """
    dice = np.random.default_rng(7)
    origin, kind_of = {}, {}
    for number, (name, clip) in enumerate(clips):
        origin[f"clip-{number}"] = name
        soundfile.write(folder / f"clip-{number}.flac", *clip, subtype="PCM_16")
    for copy, number in enumerate(dice.choice(len(clips), planted, replace=False)):
        kind = list(kinds)[copy % len(kinds)]
        name, clip = clips[number]
        audio, rate = kinds[kind](clip, dice)
        soundfile.write(folder / f"copy-{copy}.flac", audio, rate, subtype="PCM_16")
        origin[f"copy-{copy}"], kind_of[f"copy-{copy}"] = name, kind
    return origin, kind_of


def prepare(folder: Path, out: Path, arguments: Sequence[str]) -> float:
    """Run the job and return its seconds."""
    command = [sys.executable, "-m", "wavemill", "prepare", str(folder), "--out", str(out)]
    started = time.monotonic()
    subprocess.run([*command, "--quiet", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def judge(out: Path, origin: dict[str, str], kind_of: dict[str, str]) -> None:
    """Print recall by kind, precision, and what was found among the distinct clips."""
    found, wrong = set(), []
    for line in (out / "rejected.jsonl").open(encoding="utf-8"):
        row: dict[str, Any] = json.loads(line)
        kept = row["detail"].split(" as ")[1].split(",")[0]
        one, other = (name.rsplit("-", 1)[0] for name in (row["id"], kept))
        if origin[one] == origin[other]:
            found.add(one if one in kind_of else other)
        else:
            wrong.append((origin[one], origin[other], row["detail"].rsplit(" ", 1)[-1]))
    in_all, seen = Counter(kind_of.values()), Counter(kind_of[name] for name in found)
    for kind, number in in_all.items():
        print(f"{kind:>15}: {seen[kind]:>4} of {number:>4}")
    right = len(found)
    print(f"recall {right / len(kind_of):.3f}, precision {right / max(right + len(wrong), 1):.3f}")
    for pair in wrong:
        print("  found among the distinct:", *pair)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Recall and precision of `prepare --dedup`.")
    parser.add_argument("corpora", type=Path, nargs="+", help="folders that corpora.py made")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="CORPUS/PATH")
    parser.add_argument("--hard", action="store_true", help="plant what is harder to find")
    options = parser.parse_args()
    clips = list(read_clips(options.corpora, set(options.leave_out)))
    order = np.random.default_rng(5).permutation(len(clips))[: options.clips]
    with tempfile.TemporaryDirectory() as work:
        folder, out = Path(work) / "in", Path(work) / "out"
        folder.mkdir()
        kinds = HARD if options.hard else KINDS
        origin, kind_of = plant([clips[at] for at in order], kinds, options.planted, folder)
        without = prepare(folder, out, [])
        more = prepare(folder, out, ["--dedup"])
        print(f"{len(order)} clips, {len(kind_of)} copies; {without:.1f} s without --dedup,")
        print(f"{more:.1f} s more with it: {1000 * more / len(origin):.1f} s a thousand clips")
        judge(out, origin, kind_of)


if __name__ == "__main__":
    main()
