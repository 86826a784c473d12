"""Samples to look at and listen to: a figure, players, and what their cuts say."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavemill.audio import encode_opus
from wavemill.loader.adapters.shards import Shards
from wavemill.loader.corpus import Stream
from wavemill.loader.sample import Sample
from wavemill.loader.wanted import AUDIO
from wavemill.report.draw import Piece, draw_runs, pieces
from wavemill.report.panels import Sketch, Sound, Strip, draw_sample
from wavemill.report.spans import ALIGNMENT, LEVELS, marks_of
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.draw import Keys, mix
from wavemill.sharding.layout import ORIGIN
from wavemill.tokenizers.base import Decoder

SHOWN_SECONDS = 12.0
"""Of a sample at most; what comes after is not in the page."""
MAX_TEXT, MAX_VALUE, MAX_FIELDS = 2000, 200, 16
OPUS = "opus"
WHOLE_RECORDING = ("vad", "fixed")
"""Segmenters that cut recordings by themselves: what their rows say is on the recordings' clock."""

Decoders = Mapping[str, Decoder | str]
"""What turns each stream's tokens back into audio, or why nothing does."""


@dataclass(frozen=True, kw_only=True)
class Player:
    """Audio to listen to."""

    name: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A sample as the page shows it."""

    order: int
    """Where it lies among all samples."""
    key: str
    seconds: float
    shown_seconds: float
    text: str
    about: list[tuple[str, str]]
    """Names and values."""
    figure: str
    players: list[Player]
    silent: list[str]
    """Why there is no more to listen to."""

    @property
    def size(self) -> int:
        """About how many bytes of the page it takes."""
        texts = [self.key, self.text, *(value for pair in self.about for value in pair)]
        uris = sum(len(player.uri) for player in self.players)
        return len(self.figure.encode()) + uris + 8 * sum(map(len, texts)) + 2000


class Showcase:
    """Draws samples of a dataset to show."""

    def __init__(self, dataset: Dataset, decoders: Decoders, seed: int) -> None:
        """Open a dataset."""
        content = dataset.content
        self._audio = content["settings"]["audio"] != "none"
        self._opus = content["settings"]["audio"] == OPUS
        self._cut_up = content["settings"].get("segment", "").startswith(WHOLE_RECORDING)
        self._total = content["totals"]["samples"]
        self._sizes = [shard["samples"] for shard in content["shards"]]
        self._decoders, self._seed = decoders, seed
        self._shards = Shards(dataset.url, audio=self._audio, decode=True)

    def draw(self, wanted: int) -> Iterator[Shown]:
        """Yield samples spread over all buckets, in an order that may end anywhere."""
        runs = draw_runs(self._total, wanted, self._seed, run=1)
        places = [
            Piece(shard=piece.shard, first=at, last=at + 1)
            for piece in pieces(runs, self._sizes)
            for at in range(piece.first, piece.last)
        ]
        firsts = np.cumsum([0, *self._sizes])
        draws: Keys = mix(np.arange(len(places), dtype=np.uint64), self._seed)
        for number in np.argsort(draws, kind="stable").tolist():
            place = places[number]
            for sample in self._shards.read(place.shard, place.first, place.last):
                yield self._show(sample, place, int(firsts[place.shard]) + place.first)

    def _show(self, sample: Sample, place: Piece, order: int) -> Shown:
        cut = sample.cut
        assert cut is not None
        seconds = float(cut["duration"])
        shown = min(seconds, SHOWN_SECONDS)
        sound = self._sound(sample, shown)
        strips = [_strip(stream, sample, shown) for stream in self._shards.corpus.streams]
        decoded, silent = self._decode(sample, shown)
        players = [_player(one) for one in decoded]
        if sound is not None:
            players.insert(0, self._original(sound, sample, place, whole=shown == seconds))
        else:
            silent.insert(0, "the dataset holds no audio (--audio none)")
        marks = marks_of(cut, whole_recording=self._cut_up)
        sketch = Sketch(seconds=shown, marks=marks, sound=sound, strips=strips, decoded=decoded)
        said = cut["supervisions"][0] if cut["supervisions"] else {}
        what = ["waveform and spectrogram"] if sound else []
        what += [f"tokens of {strip.name}" for strip in strips]
        return Shown(
            order=order,
            key=sample.key,
            seconds=seconds,
            shown_seconds=shown,
            text=_clipped(said.get("text") or "", MAX_TEXT),
            about=_about(cut, said, sample),
            figure=draw_sample(sketch, f"{', '.join(what)} of {sample.key}"),
            players=players,
            silent=silent,
        )

    def _sound(self, sample: Sample, shown: float) -> Sound | None:
        if sample.audio is None or sample.sample_rate is None:
            return None
        length = max(round(shown * sample.sample_rate), 1)
        return Sound(name="stored", audio=sample.audio[:length], rate=sample.sample_rate)

    def _original(self, sound: Sound, sample: Sample, place: Piece, *, whole: bool) -> Player:
        """Return the stored audio: Opus as it lies in the shard, else turned into Opus."""
        if not (self._opus and whole):
            return _player(sound)
        member = self._shards.stored(place.shard, AUDIO, place.first, sample.key)[0]
        return Player(name=sound.name, uri=_uri(member.data))

    def _decode(self, sample: Sample, shown: float) -> tuple[list[Sound], list[str]]:
        sounds: list[Sound] = []
        silent: dict[str, list[str]] = {}
        for stream in self._shards.corpus.streams:
            decoder = self._decoders.get(stream.name, "not asked for")
            if isinstance(decoder, str):
                silent.setdefault(decoder, []).append(stream.name)
                continue
            codes = sample.tokens[stream.name]
            if stream.frame_rate is not None:
                codes = codes[: math.ceil(shown * stream.frame_rate)]
            rate = decoder.facts.sample_rate
            audio = decoder.decode(codes)[: max(round(shown * rate), 1)]
            sounds.append(Sound(name=stream.name, audio=audio, rate=rate))
        return sounds, [f"{', '.join(names)}: {why}" for why, names in silent.items()]


def _strip(stream: Stream, sample: Sample, shown: float) -> Strip:
    ids = sample.tokens[stream.name]
    if stream.frame_rate is None:
        times = sample.times.get(stream.name, np.zeros((0, 2)))
        edges = np.asarray(times, np.float64)
        if stream.times is None:  # nothing says where they lie: evenly, then
            steps = np.linspace(0, sample.cut["duration"] if sample.cut else shown, len(ids) + 1)
            edges = np.stack([steps[:-1], steps[1:]], axis=1)
    else:
        steps = np.arange(len(ids) + 1) / stream.frame_rate
        edges = np.stack([steps[:-1], steps[1:]], axis=1)
    within = edges[:, 0] < shown
    return Strip(
        name=stream.name, ids=ids[within], edges=edges[within],
        regular=stream.frame_rate is not None,
    )  # fmt: skip


def _about(
    cut: Mapping[str, Any], said: Mapping[str, Any], sample: Sample
) -> list[tuple[str, str]]:
    """List what there is to be said of a sample: names and values."""
    origin = cut["custom"][ORIGIN]
    about = [(name, str(said[name])) for name in ("language", "speaker") if said.get(name)]
    if origin["recording"] != cut["id"] or origin["start"]:
        about.append(("cut from", f"{origin['recording']} at {origin['start']:.2f} s"))
    about.append(("stored at", f"{cut['recording']['sampling_rate']:,} Hz"))
    about += [(name, f"{len(ids):,} tokens") for name, ids in sample.tokens.items()]
    hidden = {ORIGIN, ALIGNMENT, *LEVELS}
    custom = [(name, value) for name, value in cut["custom"].items() if name not in hidden]
    about += [
        (name, _clipped(value if isinstance(value, str) else json.dumps(value), MAX_VALUE))
        for name, value in custom[:MAX_FIELDS]
    ]
    return about


def _player(sound: Sound) -> Player:
    return Player(name=sound.name, uri=_uri(encode_opus(sound.audio[:, None], sound.rate)))


def _uri(data: bytes) -> str:
    return f"data:audio/ogg;base64,{base64.b64encode(data).decode()}"


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\N{HORIZONTAL ELLIPSIS}"
