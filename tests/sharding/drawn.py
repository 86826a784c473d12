"""Spools of drawn tokens and real audio, and datasets from them, as `prepare` writes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from wavemill import storage
from wavemill.pipelines.outdir import MARK
from wavemill.pipelines.parts import Part
from wavemill.pipelines.publish import Finished, publish
from wavemill.pipelines.reject_rows import RejectRows
from wavemill.pipelines.run_notes import RunNotes
from wavemill.pipelines.settings import PrepareSettings
from wavemill.pipelines.stock import Losses, Stock
from wavemill.pipelines.survey import SurveyConfig, survey
from wavemill.pipelines.tokenize import npy_bytes
from wavemill.records import SEGMENT_SCHEMA, TOKEN_SCHEMA, to_json
from wavemill.sharding.plan import PlanConfig, plan_shards
from wavemill.sharding.writer import ShardSources, ShardTask, result_json, write_shard
from wavemill.specs import Spec
from wavemill.spool import unit_url, write_unit
from wavemill.tokenizers.base import Codes, Times, TokenizerFacts

UNIT_ROWS = 128
TEXTS = ("say that again", "the quick brown fox", 'jumps over "it"', "und läuft davon")


def stream(name: str, rate: float | None, codebooks: int, ids: int) -> TokenizerFacts:
    """State the facts of a stream."""
    return TokenizerFacts(
        name=name, kind="drawn", sample_rate=16_000, frame_rate=rate, num_codebooks=codebooks,
        codebook_size=ids, weights_digest="drawn",
    )  # fmt: skip


CODEC = stream("codec", 50.0, 8, 1024)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample: its FLAC (empty if there is none), how long that is, and an array a stream."""

    key: str
    num_samples: int
    sample_rate: int
    num_channels: int
    flac: bytes
    codes: tuple[Codes, ...]


def token_samples(count: int, mean_seconds: float) -> list[Sample]:
    """Draw tokens of clips whose lengths are spread as those of speech corpora are."""
    dice = np.random.default_rng(0)
    lengths = np.clip(dice.lognormal(-0.32, 0.8, count), 0.05, 4) * mean_seconds
    return [
        Sample(key=f"sample{number:06d}", num_samples=int(seconds * 16_000), sample_rate=16_000,
               num_channels=1, flac=b"", codes=(draw(dice, CODEC, seconds),))
        for number, seconds in enumerate(lengths)
    ]  # fmt: skip


def clip_samples(
    folder: Path, count: int, streams: Sequence[TokenizerFacts] = (CODEC,)
) -> list[Sample]:
    """Take the FLAC files of a folder, again and again, with drawn tokens."""
    dice = np.random.default_rng(0)
    paths = sorted(folder.rglob("*.flac"))
    clips = [(path.read_bytes(), soundfile.info(path)) for path in paths[:count]]
    samples = []
    for number in range(count):
        flac, about = clips[number % len(clips)]
        codes = tuple(draw(dice, facts, about.duration) for facts in streams)
        samples.append(
            Sample(key=f"sample{number:06d}", num_samples=about.frames, flac=flac, codes=codes,
                   sample_rate=about.samplerate, num_channels=about.channels)
        )  # fmt: skip
    return samples


def draw(dice: np.random.Generator, facts: TokenizerFacts, seconds: float) -> Codes:
    """Draw ids, [T, Q]; at times none where the clock is irregular."""
    if facts.frame_rate is None:
        length = int(dice.integers(0, int(seconds * 5) + 1))
    else:
        length = max(int(seconds * facts.frame_rate), 1)
    shape = (length, facts.num_codebooks)
    return dice.integers(0, facts.codebook_size, shape, facts.dtype)


def times_of(codes: Codes, seconds: float) -> Times:
    """Spread tokens evenly, [T, 2]."""
    edges = np.linspace(0, seconds, len(codes) + 1, dtype=np.float32)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def make_spool(
    samples: Sequence[Sample], spool: str, streams: Sequence[TokenizerFacts] = (CODEC,)
) -> list[str]:
    """Write units of segments and tokens; return their names."""
    names = []
    for start in range(0, len(samples), UNIT_ROWS):
        names.append(f"unit{start:07d}")
        part = samples[start : start + UNIT_ROWS]
        with write_unit(unit_url(spool, "segments", names[-1]), SEGMENT_SCHEMA) as file:
            for sample in part:
                file.add(_segment(sample), len(sample.flac))
        for number, facts in enumerate(streams):
            with write_unit(unit_url(spool, facts.name, names[-1]), TOKEN_SCHEMA) as file:
                for sample in part:
                    row = _tokens(sample, sample.codes[number], facts)
                    file.add(row, len(row["npy"]))
    return names


def _segment(sample: Sample) -> dict[str, Any]:
    number = int(sample.key[-6:])
    return {
        "id": sample.key, "recording_id": sample.key, "start_seconds": 0.0,
        "num_samples": sample.num_samples, "sample_rate": sample.sample_rate,
        "num_channels": sample.num_channels, "num_audio_bytes": len(sample.flac),
        "audio_digest": number, "text": TEXTS[number % 4], "language": "en",
        "speaker": f"speaker{number % 40}", "custom": "{}", "audio": sample.flac,
    }  # fmt: skip


def _tokens(sample: Sample, codes: Codes, facts: TokenizerFacts) -> dict[str, Any]:
    row = {"num_tokens": len(codes), "npy": npy_bytes(codes), "times": None}
    if facts.frame_rate is None:
        row["times"] = npy_bytes(times_of(codes, sample.num_samples / sample.sample_rate))
    return row


def sources_of(
    spool: str, audio: str, streams: Sequence[TokenizerFacts] = (CODEC,)
) -> ShardSources:
    """Say where the members of shards lie."""
    named = tuple((facts.name, facts) for facts in streams)
    return ShardSources(spool=spool, segments="segments", streams=named, audio=audio)


def shuffled_tasks(units: Sequence[str], count: int, shards: int) -> Iterator[ShardTask]:
    """Yield shards of about equally many samples, shuffled over all units."""
    order = np.random.default_rng(1).permutation(count)
    for number, part in enumerate(np.array_split(order, shards)):
        members = [(units[row // UNIT_ROWS], row % UNIT_ROWS) for row in part.tolist()]
        yield ShardTask(bucket="bucket-00", number=number, members=members)


def make_dataset(
    samples: Sequence[Sample],
    folder: Path,
    audio: str,
    shard_mb: float,
    streams: Sequence[TokenizerFacts] = (CODEC,),
) -> Path:
    """Write a whole dataset below a folder, as `prepare` does once the spool is there."""
    spool, out = str(folder / "spool"), folder / "dataset"
    units = make_spool(samples, spool, streams)
    named = tuple((facts.name, facts.name) for facts in streams)
    config = SurveyConfig(spool=spool, segments="segments", streams=named, audio=audio)
    found = survey(units, config)
    plan = PlanConfig(num_buckets=2, num_sub_buckets=1, shard_bytes=int(shard_mb * 2**20))
    buckets, shards = plan_shards(found.lengths, plan)
    markers = []
    for number, shard in enumerate(shards):
        where = zip(shard.unit.tolist(), shard.row.tolist(), strict=True)
        members = [(units[unit], row) for unit, row in where]
        task = ShardTask(bucket=shard.bucket, number=shard.number, members=members)
        result = write_shard(task, sources_of(spool, audio, streams), str(out))
        markers.append(str(folder / f"{number}.json"))
        storage.write_text(markers[-1], [to_json(result_json(result))])
    specs = tuple(Spec.parse(facts.name) for facts in streams)
    settings = PrepareSettings(inputs=("drawn",), out=str(out), segmenter=Spec.parse("none"),
                               tokenizers=specs, audio=audio)  # fmt: skip
    part = Part(inputs=("drawn",), units=tuple(units), recordings=len(samples))
    stock = Stock(parts=[part], units=units, found=found, recordings=len(samples),
                  rejects=RejectRows(), losses=Losses(share=0.0, reasons=set()))  # fmt: skip
    storage.write_text(storage.join(spool, MARK), ["{}"])
    publish(Finished(settings=settings, facts=streams, buckets=buckets, markers=markers,
                     stock=stock, spool=spool, notes=RunNotes()))  # fmt: skip
    return out
