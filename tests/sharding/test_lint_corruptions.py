"""Corruptions, each drawn by a seed: lint names the shard, and the sample if it is one."""

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SPEECH, read_jsonl, wavemill
from tests.sharding.damage import checked, restated
from tests.sharding.drawn import clip_samples, make_dataset, stream
from wavemill.sharding.tar import TarWriter, pack_index, unpack_index
from wavemill.tokenizers.base import TokenizerFacts

STREAMS = (stream("codec", 50.0, 8, 1000), stream("syllables", None, 1, 300))
SEEDS = range(3)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return make_dataset(clip_samples(SPEECH / "audio", 24, STREAMS), tmp_path, "flac", 0.5, STREAMS)


class Place:
    """A shard and a sample of it, drawn."""

    def __init__(self, out: Path, seed: int, stem: str) -> None:
        dice = random.Random(seed)
        self.out = out
        self.tar = dice.choice(sorted(out.glob(f"bucket-*/{stem}_0*.tar")))
        self.number = self.tar.stem[-6:]
        self.shard = f"{self.tar.parent.name}/{self.number}"
        self.cuts = self.tar.parent / f"cuts.{self.number}.jsonl"
        self.manifest = self.tar.parent / "sharded_manifests" / f"manifest_{self.number}.json"
        keys = [cut["id"] for cut in read_jsonl(self.cuts)]
        self.key = dice.choice(keys)
        self.position = keys.index(self.key)
        self.dice = dice

    def members(self) -> list[tuple[str, bytes]]:
        with tarfile.open(self.tar) as tar:
            return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]

    def write(self, members: list[tuple[str, bytes]]) -> None:
        """Write the tar anew, with its index, and restate both."""
        file = io.BytesIO()
        tar = TarWriter(file)
        for name, data in members:
            key, extension = name.rsplit(".", 1)
            tar.add([key], **{extension: [data]})
        tar.finish()
        restated(self.out, self.tar, file.getvalue())

    def start_of(self, extension: str) -> int:
        """Return where the sample's data begin."""
        with tarfile.open(self.tar) as tar:
            return tar.getmember(f"{self.key}.{extension}").offset_data

    def edit(self, path: Path, old: bytes, new: bytes) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        assert old in lines[self.position]
        lines[self.position] = lines[self.position].replace(old, new)
        restated(self.out, path, b"".join(lines))


def truncation(out: Path, seed: int) -> Place:
    place = Place(out, seed, "audio")
    place.tar.write_bytes(place.tar.read_bytes()[: place.start_of("flac") + 700])
    return place


def flipped_byte_of_audio(out: Path, seed: int) -> Place:
    place = Place(out, seed, "audio")
    data = bytearray(place.tar.read_bytes())
    data[place.start_of("flac") + 9000] ^= 1 << place.dice.randrange(8)
    place.tar.write_bytes(bytes(data))
    return place


def flipped_byte_of_json(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    data = bytearray(place.tar.read_bytes())
    data[place.start_of("json") + place.dice.randrange(30)] ^= 1
    place.tar.write_bytes(bytes(data))
    return place


def missing_member(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    place.write([pair for pair in place.members() if pair[0] != f"{place.key}.json"])
    return place


def extra_member(out: Path, seed: int) -> Place:
    place = Place(out, seed, "audio")
    members = place.members()
    at = next(i for i, pair in enumerate(members) if pair[0] == f"{place.key}.json")
    place.write([*members[:at], (f"{place.key}.txt", b"hello"), *members[at:]])
    return place


def missing_file(out: Path, seed: int) -> Place:
    place = Place(out, seed, "syllables")
    place.tar.unlink()
    place.key = ""
    return place


def wrong_index(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    index = place.tar.with_suffix(".tar.idx")
    offsets = unpack_index(index.read_bytes())
    offsets[place.position] += 512
    restated(out, index, pack_index(offsets))
    place.key = ""
    return place


def manifest_that_disagrees(out: Path, seed: int) -> Place:
    place = Place(out, seed, "audio")
    place.edit(place.manifest, b'"duration":', b'"duration":1')
    return place


def cut_that_disagrees(out: Path, seed: int) -> Place:
    place = Place(out, seed, "audio")
    place.edit(place.cuts, b'"num_samples":', b'"num_samples":1')
    return place


def id_out_of_range(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    data = bytearray(place.tar.read_bytes())
    start = place.start_of("npy") + 128
    data[start : start + 2] = (1000).to_bytes(2, "little")
    restated(out, place.tar, bytes(data))
    return place


def dotted_key(out: Path, seed: int) -> Place:
    place = Place(out, seed, "audio")
    place.edit(place.cuts, f'"{place.key}"'.encode(), f'"{place.key}.x"'.encode())
    place.key += ".x"
    return place


def swapped_samples(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    pairs = place.members()
    if place.position == 0:
        pairs = [*pairs[2:4], *pairs[:2], *pairs[4:]]
    else:
        at = 2 * place.position
        pairs = [*pairs[at : at + 2], *pairs[:at], *pairs[at + 2 :]]
        place.key = read_jsonl(place.cuts)[0]["id"]
    place.write(pairs)
    return place


def lengths_of(place: Place) -> Path:
    return place.tar.parent / f"lengths_{place.number}.npy"


def missing_lengths(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    lengths_of(place).unlink()
    place.key = ""
    return place


def truncated_lengths(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    path = lengths_of(place)
    restated(out, path, path.read_bytes()[: -place.dice.randint(1, 40)])
    place.key = ""
    return place


def lengths_of_other_streams(out: Path, seed: int) -> Place:
    place = Place(out, seed, "codec")
    path = lengths_of(place)
    restated(out, path, path.read_bytes().replace(b"tokens_codec", b"tokens_other"))
    place.key = ""
    return place


def _with_lengths(out: Path, seed: int, field: str, add: float) -> Place:
    place = Place(out, seed, "codec")
    path = lengths_of(place)
    lengths = np.load(path, allow_pickle=False)
    lengths[field][place.position] += add
    file = io.BytesIO()
    np.save(file, lengths)
    restated(out, path, file.getvalue())
    return place


def seconds_that_disagree(out: Path, seed: int) -> Place:
    return _with_lengths(out, seed, "seconds", 1e-9)


def seconds_that_are_none(out: Path, seed: int) -> Place:
    return _with_lengths(out, seed, "seconds", np.nan)


def tokens_that_disagree(out: Path, seed: int) -> Place:
    return _with_lengths(out, seed, "tokens_codec", 1)


def syllables_that_disagree(out: Path, seed: int) -> Place:
    return _with_lengths(out, seed, "tokens_syllables", 3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (truncation, "should have"),
        (flipped_byte_of_audio, "sha256 differs"),
        (flipped_byte_of_json, "sha256 differs"),
        (missing_member, "is ["),
        (extra_member, "is ["),
        (missing_file, "it is missing"),
        (wrong_index, "does not point at the samples"),
        (manifest_that_disagrees, "the NeMo manifest: duration"),
        (cut_that_disagrees, "the cut: "),
        (id_out_of_range, "id 1000 is out of range"),
        (dotted_key, "readers would split or cut this key"),
        (swapped_samples, "sample 0 is ["),
        (missing_lengths, "it is missing"),
        (truncated_lengths, "bytes of lengths for"),
        (lengths_of_other_streams, "no lengths of"),
        (seconds_that_disagree, ".npy: seconds is"),
        (seconds_that_are_none, ".npy: seconds is nan"),
        (tokens_that_disagree, ".npy: tokens_codec is"),
        (syllables_that_disagree, ".npy: tokens_syllables is"),
    ],
)
def test_a_corruption_is_named(
    corrupt: Callable[[Path, int], Place], words: str, seed: int, out: Path
) -> None:
    assert checked(out).problems == []
    place = corrupt(out, seed)
    problems = checked(out).problems
    assert any(words in problem["problem"] for problem in problems), problems
    named = {(problem["shard"], problem["key"]) for problem in problems}
    assert (place.shard, place.key) in named, named


@pytest.mark.parametrize(
    ("audio", "streams"),
    [
        ("flac", (stream("codec", 50.0, 8, 1024), stream("units", 50.0, 1, 100))),
        ("none", (stream("deep", 75.0, 32, 1024),)),
        ("opus", (stream("units", 25.0, 1, 65536),)),
        ("flac", (stream("syllables", None, 1, 300),)),
        ("flac", ()),
    ],
    ids=["two streams", "no audio", "opus", "times", "audio alone"],
)
def test_a_clean_dataset_has_no_problem(
    audio: str, streams: tuple[TokenizerFacts, ...], tmp_path: Path
) -> None:
    samples = clip_samples(SPEECH / "audio", 24, streams)
    out = make_dataset(samples, tmp_path, audio, 0.5, streams)
    for decode in (False, True):
        report = checked(out, decode=decode)
        assert (report.samples, report.problems) == (24, [])


def test_a_missing_dataset_json_is_one_line(out: Path) -> None:
    (out / "dataset.json").unlink()
    done = wavemill("lint", out)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert "no dataset.json" in line
