"""Speak text with espeak-ng's C library and read when each sound starts and ends.

Labels are espeak's own phoneme names ("I2", "t#", "oU"); times are in seconds.

Words: a word runs from its espeak word event to the end of its last phoneme. Where espeak
speaks several words as one ("of the") or one word as several ("28Kilobit"), the label is
the stretch of text between two blanks that the events share.

Phonemes: a phoneme runs from its event to the next event; the first one of a word starts
with the word, because the closure of a stop comes before the stop's event. Pauses, and
phonemes that espeak gives no time of their own, are left out.

Syllables: one per nucleus (a vowel, or syllabic n), never across words. Consonants between
two nuclei go to the right as far as they make an onset that English words can start with
(maximal onset); the rest stay on the left. A word without a nucleus has no syllable.
"""

import ctypes
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Span = list[Any]  # [label, start_s, end_s]

LIBRARY = "libespeak-ng.so.1"
SYNCHRONOUS, PHONEME_EVENTS, UTF8, RATE_PARAMETER = 2, 1, 1, 1
WORD_EVENT, PHONEME_EVENT = 1, 7

PUNCTUATION = '.,;:!?"'
VOWELS = tuple("aAeEiIoOuUV03@")
AFFRICATES = ("tS", "dZ")
ONSETS = """pl pr pj bl br bj tr tw tj dr dw dj kl kr kw kj gl gr gw fl fr fj vj
    Tr Tw Sr sp st sk sm sn sl sw sf hj mj nj lj spl spr spj str stj skr skw skj"""
CLUSTERS = frozenset(ONSETS.split())


class EspeakError(Exception):
    """espeak-ng cannot be used; the message says why."""


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@dataclass
class Speech:
    """One spoken text: int16 samples and what was said when."""

    samples: npt.NDArray[np.int16]
    words: list[Span] = field(default_factory=list)
    phonemes: list[Span] = field(default_factory=list)
    syllables: list[list[float]] = field(default_factory=list)


def available() -> bool:
    """Say whether the C library can be loaded."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


class Engine:
    """The espeak-ng library, loaded once in a process."""

    def __init__(self) -> None:
        """Load the library and ask for phoneme events."""
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise EspeakError(f"cannot load {LIBRARY}: {error}") from error
        self.rate: int = self._library.espeak_Initialize(SYNCHRONOUS, 200, None, PHONEME_EVENTS)
        if self.rate <= 0:
            raise EspeakError("espeak-ng finds no voice data")
        self._audio: list[bytes] = []
        self._events: list[tuple[int, int, int, str]] = []
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, audio: int | None, count: int, events: Any) -> int:
        """Keep the audio and the events that espeak hands over piece by piece."""
        if audio and count > 0:
            self._audio.append(ctypes.string_at(audio, 2 * count))
        for event in events:
            if event.type == 0:
                break
            if event.type == WORD_EVENT and event.length > 0:
                self._events.append((WORD_EVENT, event.sample, event.text_position - 1, ""))
            elif event.type == PHONEME_EVENT:
                self._events.append((PHONEME_EVENT, event.sample, 0, event.id.string.decode()))
        return 0

    def say(self, text: str, voice: str, speed: int) -> Speech:
        """Speak `text` with a voice at a speed in words per minute."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise EspeakError(f"espeak-ng has no voice {voice}")
        self._library.espeak_SetParameter(RATE_PARAMETER, speed, 0)
        self._audio.clear()
        self._events.clear()
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF8, None, None)
        self._library.espeak_Synchronize()
        speech = Speech(np.frombuffer(b"".join(self._audio), np.int16))
        self._align(text, speech)
        return speech

    def _align(self, text: str, speech: Speech) -> None:
        """Turn the events into word, phoneme and syllable times."""
        for first, last, phonemes in self._groups(text, len(speech.samples)):
            timed = [
                [name, round(start / self.rate, 4), round(end / self.rate, 4)]
                for name, start, end in phonemes
            ]
            bare = (word.strip(PUNCTUATION) for word in text.split()[first:last])
            label = " ".join(filter(None, bare))
            speech.words.append([label, timed[0][1], timed[-1][2]])
            speech.phonemes += timed
            speech.syllables += syllables(timed)

    def _groups(self, text: str, total: int) -> list[tuple[int, int, list[Span]]]:
        """Group phonemes by the blank-separated words first..last-1 that they speak."""
        spoken: list[tuple[int, str, int, int]] = []
        word, start = 0, None
        for event, following in pairwise([*self._events, (0, total, 0, "_")]):
            kind, sample, position, name = event
            if kind == WORD_EVENT:
                word = len(text[: position + 1].split()) - 1
                start = sample
                continue
            begin = sample if start is None else start
            if not name.startswith("_") and following[1] > sample:
                spoken.append((word, name, begin, following[1]))
                start = None
        groups = [
            (word, [[name, begin, end] for _, name, begin, end in members])
            for word, members in groupby(spoken, key=lambda item: item[0])
        ]
        firsts = [0, *(word for word, _ in groups[1:]), len(text.split())]
        return [
            (first, last, phonemes)
            for (first, last), (_, phonemes) in zip(pairwise(firsts), groups, strict=False)
        ]


def is_nucleus(name: str) -> bool:
    """Say whether an espeak phoneme is a vowel or syllabic consonant."""
    return name.startswith(VOWELS) or name == "n-"


def is_onset(names: list[str]) -> bool:
    """Say whether consonants can start an English word."""
    plain = [name if name in AFFRICATES else name[0] for name in names]
    return plain != ["N"] and (len(plain) == 1 or "".join(plain) in CLUSTERS)


def syllables(phonemes: list[Span]) -> list[list[float]]:
    """Cut one word's phonemes into [start_s, end_s] syllables."""
    names = [name for name, _, _ in phonemes]
    nuclei = [index for index, name in enumerate(names) if is_nucleus(name)]
    if not nuclei:
        return []
    cuts = [0]
    for left, right in pairwise(nuclei):
        cut = right
        while cut - 1 > left and is_onset(names[cut - 1 : right]):
            cut -= 1
        cuts.append(cut)
    return [
        [phonemes[first][1], phonemes[last - 1][2]] for first, last in pairwise([*cuts, len(names)])
    ]
