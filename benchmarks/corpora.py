"""Build speech and audio corpora from Debian packages.

    python benchmarks/corpora.py NAME [NAME...] --out DIR
    python benchmarks/corpora.py --list

One NAME fills DIR itself; several fill DIR/NAME each. A corpus is audio/..., LICENSE.txt and,
written last of all, manifest.jsonl: one JSON object a line with NeMo's field names, sorted by
audio_filepath. A folder that has a manifest is left alone. README.md describes each NAME.

Needs Debian's apt-get and dpkg, and the Python packages numpy, soundfile and av.
"""

import argparse
import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av
import espeak
import numpy as np
import numpy.typing as npt
import soundfile

Row = dict[str, Any]
Samples = npt.NDArray[np.int16]
Clip = tuple[Samples, str]

RATE = 16_000
ENGLISH = ("asterisk-core-sounds-en-g722", "asterisk-core-sounds-en")
AUDIO_SUFFIXES = {".wav", ".flac", ".aiff", ".ogg"}

# Transcripts: "dot [.]" is spoken "dot"; any other bracket is an editor's note.
SYMBOL = re.compile(r"\[\W?\]")
NOTE = re.compile(r"[][<>()]")
MAX_LETTERS_PER_S = 18.5
TONES = {
    "ascending-2tone",
    "beep",
    "beeperr",
    "confbridge-join",
    "confbridge-leave",
    "descending-2tone",
    "tt-monkeys",
}

# espeak corpus: every text is spoken TAKES times, walking through voices and speeds.
TAKES = 2
MIN_WORDS = 4
VOICES = (
    "en-us",
    "en-gb-x-rp+f4",
    "en-us+m3",
    "en-gb-scotland+f2",
    "en-029+m1",
    "en-us+f5",
    "en-gb-x-gbclan+m5",
    "en-us-nyc+f1",
)
SPEEDS = (140, 175, 210)  # words per minute

# long corpus: clips are dealt to LONG_FILES recordings with pauses between them.
LONG_FILES = 10
SEED = 20
GAP_S = (0.4, 5.0)
LOUD = 32768 * 10 ** (-55 / 20)  # 10 ms RMS above -55 dBFS counts as speech
BACKGROUNDS = (("silence", None), ("hiss", 30), ("hiss", 20), ("white", 25), ("white", 15))

# mixed corpus: the formats take turns, and so do the folders and names, among them some with
# dots, blanks and letters that are not ASCII (escaped, as this file is).
MIXED_FILES = 40
FOLDERS = (
    "plain",
    "two words/and more",
    "v1.2/take.3",
    "gr\u00f6\u00dfe/\u0440\u0435\u0447\u044c",
    "\u97f3\u58f0",
)
NAMES = ("{}", "{}.v2", "{} (copy 1)", "caf\u00e9_{}")


class CorpusError(Exception):
    """A corpus cannot be built; the message says why."""


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run a command quietly in `folder`; raise CorpusError with its last words if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise CorpusError(f"{' '.join(map(str, command))} failed: {' '.join(reason)}")


def fetch(packages: Iterable[str], work: Path) -> list[Path]:
    """Download Debian packages and unpack each into its own folder under `work`."""
    roots = []
    for package in packages:
        download = ["apt-get", "download", "-q", package]
        try:
            run(download, work)
        except CorpusError:
            run(["apt-get", "update", "-q"], work)
            run(download, work)
        deb = next(work.glob(f"{package}_*.deb"))
        root = work / deb.stem
        run(["dpkg", "-x", deb, root], work)
        deb.unlink()
        print(f"  unpacked {deb.stem}", flush=True)
        roots.append(root)
    return roots


def progress(items: Iterable[Any], what: str) -> Iterator[Any]:
    """Yield the items, printing a line after every hundredth and after the last."""
    items = list(items)
    for count, item in enumerate(items, 1):
        yield item
        if count % 100 == 0 or count == len(items):
            print(f"  {what} {count}/{len(items)}", flush=True)


def decode(path: Path, container_format: str | None = None) -> Samples:
    """Decode an audio file to 16 kHz mono int16."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path), format=container_format) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def save(out: Path, name: str, samples: Samples, rate: int = RATE) -> Path:
    """Write int16 samples as out/audio/NAME.flac."""
    path = out / "audio" / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def copy(out: Path, name: str, source: Path) -> Path:
    """Copy an audio file, as it is, to out/audio/NAME."""
    path = out / "audio" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    return path


def row(out: Path, audio: Path, **fields: Any) -> Row:
    """Make one manifest line: the path, the duration measured from the file, `fields`."""
    info = soundfile.info(audio)
    duration = round(info.frames / info.samplerate, 6)
    return {"audio_filepath": audio.relative_to(out).as_posix(), "duration": duration, **fields}


def transcripts(root: Path, lang: str) -> dict[str, str]:
    """Read Asterisk's `name: text` list, leaving out what is not, or not surely, speech."""
    path = next(root.glob(f"usr/share/doc/*/core-sounds-{lang}.txt.gz"))
    texts: dict[str, str] = {}
    skipped = 0
    for line in gzip.decompress(path.read_bytes()).decode("utf-8-sig").splitlines():
        name, _, text = line.partition(":")
        text = " ".join(SYMBOL.sub("", text).split())
        if not text or line.startswith(";"):
            continue
        if name in TONES or NOTE.search(text):
            skipped += 1
        else:
            texts.setdefault(name.strip(), text)
    print(f"  {len(texts)} transcripts, {skipped} not surely speech left out", flush=True)
    return texts


def fits(text: str, source: Path) -> bool:
    """Say whether a text can be spoken within a prompt; some transcripts hold too much."""
    is_g722 = source.suffix == ".g722"
    seconds = source.stat().st_size / 8000 if is_g722 else soundfile.info(source).duration
    return sum(map(str.isalnum, text)) <= MAX_LETTERS_PER_S * seconds


def prompts(sounds: Path, docs: Path, lang: str, suffix: str) -> list[tuple[str, str, Path]]:
    """List (name, text, file) of every prompt with a transcript that fits, sorted by name."""
    folder = next((sounds / "usr/share/asterisk/sounds").iterdir())
    listed = [
        (name, text, folder / f"{name}{suffix}")
        for name, text in sorted(transcripts(docs, lang).items())
    ]
    return [
        (name, text, source)
        for name, text, source in listed
        if source.exists() and fits(text, source)
    ]


def speaker(source: Path) -> str:
    """Take the speaker from the prompt folder, such as en_US_f_Allison."""
    return next(folder.name for folder in source.parents if folder.parent.name == "sounds")


def asterisk_en(work: Path, out: Path) -> list[Row]:
    """English prompts, G.722 decoded to 16 kHz FLAC."""
    sounds, docs = fetch(ENGLISH, work)
    rows = []
    for name, text, source in progress(prompts(sounds, docs, "en", ".g722"), "decoded"):
        audio = save(out, name, decode(source, "g722"))
        rows.append(row(out, audio, text=text, lang="en", speaker=speaker(source)))
    return rows


def asterisk_wav(lang: str, work: Path, out: Path) -> list[Row]:
    """Prompts in another language, 8 kHz WAV copied as they are."""
    package = f"asterisk-core-sounds-{lang}"
    sounds, docs = fetch((f"{package}-wav", package), work)
    rows = []
    for name, text, source in progress(prompts(sounds, docs, lang, ".wav"), "copied"):
        audio = copy(out, f"{name}.wav", source)
        rows.append(row(out, audio, text=text, lang=lang, speaker=speaker(source)))
    return rows


def label(path: Path) -> str:
    """Name a sound after its file: HiHatClosed-2.wav is "hi hat closed"."""
    stem = re.sub(r"^\d+__[^_]+__", "", path.stem)  # Freesound's number and user name
    for name in (stem, path.parent.name):
        parts = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", name)
        words = [re.sub(r"\d+$", "", part).lower() for part in parts]
        if any(words):
            return " ".join(filter(None, words))
    raise CorpusError(f"no label in the name {path.name}")


def effects(work: Path, out: Path) -> list[Row]:
    """Non-speech sounds copied as they are, labelled by their names."""
    synth, drums = fetch(("sonic-pi-samples", "hydrogen-drumkits"), work)
    folders = (synth / "usr/share/sonic-pi/samples", drums / "usr/share/hydrogen/data/drumkits")
    sources = [
        (folder, path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES and path.stem != "emptySample"
    ]
    rows = []
    for folder, source in progress(sources, "copied"):
        name = Path(folder.name, source.relative_to(folder)).as_posix()
        rows.append(row(out, copy(out, name, source), label=label(source)))
    return rows


def synthetic(work: Path, out: Path) -> list[Row]:
    """English prompts spoken by espeak-ng, with word, phoneme and syllable times."""
    if not espeak.available():
        print("  installing espeak-ng", flush=True)
        run(["apt-get", "install", "-q", "-y", "--no-install-recommends", "espeak-ng"], work)
    docs, _ = fetch(("asterisk-core-sounds-en", "espeak-ng"), work)
    texts = [
        item
        for item in sorted(transcripts(docs, "en").items())
        if len(item[1].split()) >= MIN_WORDS
    ]
    engine = espeak.Engine()
    rows = []
    for number, (name, text) in enumerate(progress(texts * TAKES, "spoken")):
        voice, speed = VOICES[number % len(VOICES)], SPEEDS[number % len(SPEEDS)]
        speech = engine.say(text, voice, speed)
        audio = save(out, f"{name}__{voice}_{speed}", speech.samples, engine.rate)
        rows.append(
            row(
                out,
                audio,
                text=text,
                lang="en",
                speaker=voice,
                speed=speed,
                words=speech.words,
                phonemes=speech.phonemes,
                syllables=speech.syllables,
            )
        )
    return rows


def active(samples: Samples) -> tuple[int, int]:
    """Find where a clip's speech starts and ends, to 10 ms."""
    hop = RATE // 100
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(float)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > LOUD)
    if not len(loud):
        raise CorpusError("a prompt with a transcript is silent")
    return int(loud[0]) * hop, int(loud[-1] + 1) * hop


def concatenate(clips: Iterable[Clip], dice: random.Random) -> tuple[Samples, list[list[Any]]]:
    """Join clips with random pauses; return the track and its [start, end, text] segments."""
    parts: list[Samples] = []
    segments = []
    at = 0
    for samples, text in clips:
        gap = np.zeros(round(dice.uniform(*GAP_S) * RATE), np.int16)
        at += len(gap)
        start, end = active(samples)
        segments.append([round((at + start) / RATE, 4), round((at + end) / RATE, 4), text])
        at += len(samples)
        parts += [gap, samples]
    parts.append(np.zeros(RATE, np.int16))
    return np.concatenate(parts), segments


def add_background(track: Samples, noise: npt.NDArray[Any], snr_db: int | None) -> Samples:
    """Lay looped noise under the whole track, at `snr_db` below the speech if given."""
    noise = np.resize(noise, len(track)).astype(float)
    if snr_db is not None:
        speech = track[track != 0].astype(float)
        noise *= np.sqrt((speech**2).mean() / (noise**2).mean() / 10 ** (snr_db / 10))
    mixed: Samples = np.clip(np.rint(track + noise), -32768, 32767).astype(np.int16)
    return mixed


def long_form(work: Path, out: Path) -> list[Row]:
    """Join English prompts, with pauses and background noise, to recordings of some minutes."""
    sounds, docs, synth = fetch((*ENGLISH, "sonic-pi-samples"), work)
    silence = next(sounds.rglob("silence/10.g722"))
    noises: dict[str, npt.NDArray[Any]] = {
        "silence": decode(silence, "g722"),
        "hiss": decode(synth / "usr/share/sonic-pi/samples/vinyl_hiss.flac"),
        "white": np.random.RandomState(SEED).standard_normal(RATE * 60),
    }
    clips = [
        (decode(source, "g722"), text) for _, text, source in prompts(sounds, docs, "en", ".g722")
    ]
    dice = random.Random(SEED)
    dice.shuffle(clips)
    rows = []
    for number in progress(range(LONG_FILES), "joined"):
        kind, snr_db = BACKGROUNDS[number % len(BACKGROUNDS)]
        track, segments = concatenate(clips[number::LONG_FILES], dice)
        audio = save(out, f"long-{number:02d}", add_background(track, noises[kind], snr_db))
        text = " ".join(segment[2] for segment in segments)
        rows.append(
            row(
                out,
                audio,
                text=text,
                lang="en",
                speaker=speaker(silence),
                background=kind,
                snr_db=snr_db,
                segments=segments,
            )
        )
    return rows


class Encoding(NamedTuple):
    """One way to write a file of the mixed corpus."""

    suffix: str
    codec: str
    sample_format: str
    rate: int
    layout: str = "mono"


ENCODINGS = (
    Encoding("wav", "pcm_s16le", "s16", 16_000),
    Encoding("wav", "pcm_s24le", "s32", 44_100, "stereo"),
    Encoding("wav", "pcm_f32le", "flt", 8_000),
    Encoding("flac", "flac", "s16", 16_000),
    Encoding("flac", "flac", "s32", 48_000, "stereo"),
    Encoding("ogg", "vorbis", "fltp", 44_100, "stereo"),
    Encoding("mp3", "libmp3lame", "fltp", 22_050),
    Encoding("m4a", "aac", "fltp", 44_100, "stereo"),
    Encoding("opus", "libopus", "flt", 48_000),
    Encoding("g722", "g722", "s16", 16_000),
)


def encode(samples: Samples, path: Path, encoding: Encoding) -> float:
    """Encode 16 kHz mono samples to a file; return its duration in seconds, as decoded."""
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts = RATE, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    # bitexact: or Ogg gets a random serial number, and headers name the version of FFmpeg
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        # strict: FFmpeg calls its own Vorbis encoder, the one that PyAV comes with, experimental;
        # bits: FLAC made from s32 holds 32 bits if nobody objects, and libsndfile reads only 24
        options = {"flags": "+bitexact", "strict": "experimental", "bits_per_raw_sample": "24"}
        stream = container.add_stream(encoding.codec, rate=encoding.rate, options=options)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.format = encoding.layout, encoding.sample_format
        container.mux([*stream.encode(frame), *stream.encode(None)])  # this resamples, too
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def mixed(work: Path, out: Path) -> list[Row]:
    """Write English prompts in many formats, under names that trip programs up."""
    sounds, docs = fetch(ENGLISH, work)
    clips = [clip for clip in prompts(sounds, docs, "en", ".g722") if len(clip[1].split()) > 1]
    chosen = clips[:: len(clips) // MIXED_FILES][:MIXED_FILES]
    rows = []
    for number, (name, text, source) in enumerate(progress(chosen, "encoded")):
        encoding = ENCODINGS[number % len(ENCODINGS)]
        # the second index moves once a round of encodings, so that every suffix meets every name
        turn = number + number // len(ENCODINGS)
        folder, pattern = FOLDERS[turn % len(FOLDERS)], NAMES[turn % len(NAMES)]
        stem = pattern.format(name.replace("/", "-"))
        audio = out / "audio" / folder / f"{stem}.{encoding.suffix}"
        duration = round(encode(decode(source, "g722"), audio, encoding), 6)
        path = audio.relative_to(out).as_posix()
        about = {"text": text, "lang": "en", "speaker": speaker(source)}
        rows.append({"audio_filepath": path, "duration": duration, **about})
    return rows


BUILDERS: dict[str, Callable[[Path, Path], list[Row]]] = {
    "asterisk-en": asterisk_en,
    **{f"asterisk-{lang}": partial(asterisk_wav, lang) for lang in ("es", "fr", "it", "ru")},
    "effects": effects,
    "espeak": synthetic,
    "long": long_form,
    "mixed": mixed,
}


def write_license(work: Path, out: Path) -> None:
    """Copy the copyright file of every unpacked package into out/LICENSE.txt."""
    notices = [
        f"Package: {path.parents[4].name}\n\n{path.read_text(encoding='utf-8')}"
        for path in sorted(work.glob("*/usr/share/doc/*/copyright"))
    ]
    (out / "LICENSE.txt").write_text("\n\n".join(notices), encoding="utf-8")


def write_manifest(rows: list[Row], out: Path) -> None:
    """Write the manifest in one step, so that it exists only for a finished corpus."""
    rows.sort(key=lambda fields: fields["audio_filepath"])
    unfinished = out / "manifest.jsonl.part"
    with unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(fields, ensure_ascii=False) + "\n" for fields in rows)
    unfinished.replace(out / "manifest.jsonl")


def build(name: str, out: Path) -> None:
    """Build one corpus into `out`, unless it is there already."""
    if (out / "manifest.jsonl").exists():
        print(f"{name}: already in {out}")
        return
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        work = Path(folder)
        rows = BUILDERS[name](work, out)
        if not rows:
            raise CorpusError("the packages held nothing to use")
        write_license(work, out)
    write_manifest(rows, out)
    minutes = sum(fields["duration"] for fields in rows) / 60
    print(f"{name}: {len(rows)} files, {minutes:.1f} minutes in {out}")


def main() -> int:
    """Read the command line and build; return the exit status."""
    parser = argparse.ArgumentParser(description="Build corpora from Debian packages.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUILDERS))
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to fill")
    parser.add_argument("--list", action="store_true", help="print the names and exit")
    options = parser.parse_args()
    if options.list:
        print("\n".join(BUILDERS))
        return 0
    unknown = sorted(set(options.names) - set(BUILDERS))
    if unknown:
        parser.error(f"no corpus {', '.join(unknown)}; there are {', '.join(BUILDERS)}")
    if not options.names or options.out is None:
        parser.error("name at least one corpus, and --out DIR")
    for name in options.names:
        try:
            build(name, options.out / name if len(options.names) > 1 else options.out)
        except (CorpusError, espeak.EspeakError, OSError) as error:
            print(f"corpora.py: {name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
