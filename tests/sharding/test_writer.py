"""A shard's bytes stay as they are; where they must change, `LAYOUT_VERSION` does, too."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SPEECH
from tests.sharding.drawn import CODEC, Sample, make_spool, sources_of, stream
from wavemill.digest import digest
from wavemill.sharding.writer import ShardTask, result_json, write_shard
from wavemill.tokenizers.base import Codes, TokenizerFacts

STREAMS = (CODEC, stream("units", None, 1, 300), stream("wide", 12.5, 33, 1024))
CLIPS = sorted((SPEECH / "audio").glob("*.flac"))[:7]


def ids(facts: TokenizerFacts, length: int, seed: int) -> Codes:
    every = np.arange(length * facts.num_codebooks) * 7919 + seed
    return (every % facts.codebook_size).reshape(length, facts.num_codebooks).astype(facts.dtype)


def sample(number: int, audio: str) -> Sample:
    clip = CLIPS[number % len(CLIPS)]
    about = soundfile.info(clip)
    lengths = (int(about.duration * 50), number % 4, int(about.duration * 12.5))
    codes = [ids(*pair, number) for pair in zip(STREAMS, lengths, strict=True)]
    return Sample(
        key=f"sample{number:06d}", num_samples=about.frames, sample_rate=about.samplerate,
        num_channels=about.channels, codes=tuple(codes),
        flac=b"" if audio == "none" else clip.read_bytes(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("audio", "count", "expected"),
    [("flac", 300, "8801496f9dcee09a"), ("none", 1500, "62a78f935d15d544")],
)
def test_the_same_spool_gives_the_bytes_it_gave(
    audio: str, count: int, expected: str, tmp_path: Path
) -> None:
    spool = str(tmp_path / "spool")
    units = make_spool([sample(number, audio) for number in range(count)], spool, STREAMS)
    members = [(units[row // 128], row % 128) for row in range(count - 1, -1, -1)]
    task = ShardTask(bucket="bucket-00", number=7, members=members)
    result = write_shard(task, sources_of(spool, audio, STREAMS), str(tmp_path / "out"))
    marker = dict(result_json(result))
    said = marker.pop("said")  # of manifests: it is in no file of the shard
    assert said.keys() == {"texts", "languages", "licences"}
    assert digest(marker) == expected
