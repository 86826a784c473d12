"""Whatever happens to a dataset, lint reports it or refuses it in words, and does not fail itself.

What lint cannot notice once digests were restated, and why:

- ids that stay in range, but for what their counts show: nothing else in a dataset states them;
- the audio itself, unless it is decoded;
- FLAC's metadata but for rate, channels, depth, length and MD5: the name of the encoder, and hints;
- where a sample was cut from (`custom.origin`): only the cut states it;
- in `dataset.json`: inputs, versions, how many recordings came in and are alike, padding, what was
  measured of the audio, and a tokenizer's kind, weights, sample rate and unused ids: only the
  digest of its content shows that they were edited.
"""

import copy
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sharding.damage import Row, read_content, restated
from wavemill.errors import WavemillError
from wavemill.sharding.dataset import SEAL, Dataset, content_sha256
from wavemill.sharding.lint import lint
from wavemill.sharding.untar import read_members

UNSEEN = {
    ("inputs",), ("wavemill",), ("totals", "recordings"), ("totals", "duplicates"), ("padding",),
    ("quality",),
}  # fmt: skip
MAY_BE_LEFT_OUT = {("run",), ("said",)}
"""Older datasets do not have these."""
UNSEEN_FACTS = {"kind", "weights_digest", "sample_rate", "codebook_size"}
VALUES: list[Any] = [
    None, True, -1, 0, 1, 7, 0.5, -0.5, 2**70, 1e300, math.nan, math.inf, "", "x", "0", "\x00",
    "../x", "/etc/passwd", "bucket-00", "bucket-77", "\udcff", [], {}, [[]], {"": []}, [None],
]  # fmt: skip
HEADER = 512
FLAC_HINTS = range(4, 18)
MD5_START = 26
FLAC_FRAME = b"\xff\xf8"


@pytest.fixture(scope="module")
def out(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that every example damages and mends."""
    folder = tmp_path_factory.mktemp("fuzz") / "out"
    shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns("_work"))
    return folder


def verdict(out: Path, *, decode: bool = True) -> bool:
    """Say whether lint finds nothing wrong; fails where it raises what is not for users."""
    try:
        report = lint(Dataset.open(str(out)), decode=decode)
    except WavemillError:
        return False
    json.dumps(report.to_json()).encode()
    return report.to_json()["ok"] is True


def same_json(old: bytes, new: bytes) -> bool:
    """Say whether JSON lines state the same, but for where samples were cut from."""

    def parsed(data: bytes) -> list[Any]:
        rows = [json.loads(line) for line in data.decode().splitlines()]
        for row in rows:
            origin = row.get("custom", {}).get("origin")
            if isinstance(origin, dict) and set(origin) == {"recording", "start"}:
                row["custom"]["origin"] = [isinstance(origin["recording"], str)]
        return rows

    try:
        return parsed(old) == parsed(new)
    except (ValueError, AttributeError, TypeError):
        return False


def may_hide(path: Path, old: bytes, new: bytes, position: int, *, decode: bool) -> bool:
    """Say whether lint may fail to notice that the byte at `position` has changed."""
    if path.suffix in (".jsonl", ".json"):
        return same_json(old, new)
    if path.suffix != ".tar":
        return False
    with path.open("rb") as file:
        members = list(read_members(file, len(old)))
    member = max((m for m in members if m.offset <= position), key=lambda m: m.offset)
    within = position - member.offset - HEADER
    if not 0 <= within < len(member.data):
        return False
    if member.name.endswith(".json"):
        start = member.offset + HEADER
        return same_json(member.data, new[start : start + len(member.data)])
    if member.name.endswith(".npy"):
        return within >= member.data.index(b"\n") + 1
    frames = member.data.index(FLAC_FRAME) if decode else len(member.data)
    return within in FLAC_HINTS or (MD5_START if not decode else 42) <= within < frames


@settings(max_examples=60)
@given(data=st.data(), decode=st.booleans())
def test_a_flipped_bit_is_found_though_the_digest_was_restated(
    out: Path, data: st.DataObject, decode: bool
) -> None:
    paths = sorted(path for path in out.glob("bucket-*/**/*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    old = path.read_bytes()
    position = data.draw(st.integers(0, len(old) - 1))
    new = bytearray(old)
    new[position] ^= 1 << data.draw(st.integers(0, 7))
    hidden = may_hide(path, old, bytes(new), position, decode=decode)
    description = (out / "dataset.json").read_bytes()
    try:
        restated(out, path, bytes(new))
        assert not verdict(out, decode=decode) or hidden, (path.name, position)
    finally:
        path.write_bytes(old)
        (out / "dataset.json").write_bytes(description)


@settings(max_examples=40)
@given(data=st.data())
def test_a_file_of_any_bytes_is_no_file_of_a_dataset(out: Path, data: st.DataObject) -> None:
    paths = sorted(path for path in out.glob("bucket-*/**/*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    old = path.read_bytes()
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(old))] * 2)))
    new = old[:start] + data.draw(st.binary(max_size=64)) + old[stop:]
    description = (out / "dataset.json").read_bytes()
    try:
        restated(out, path, new)
        assert not verdict(out) or len(new) == len(old) or same_json(old, new)
    finally:
        path.write_bytes(old)
        (out / "dataset.json").write_bytes(description)


def places(value: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the places of all values within a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, item in inner:
        place = (*above, name)
        found.append(place)
        if isinstance(item, dict | list):
            found += places(item, place)
    return found


def is_unseen(place: tuple[str | int, ...]) -> bool:
    facts = len(place) == 3 and place[0] == "tokenizers" and place[2] in UNSEEN_FACTS
    return facts or any(place[: len(unseen)] == unseen for unseen in UNSEEN)


@settings(max_examples=120)
@given(data=st.data())
def test_a_changed_description_is_found_or_refused(out: Path, data: st.DataObject) -> None:
    old = (out / "dataset.json").read_bytes()
    content = read_content(out)
    place = data.draw(st.sampled_from(places(content)))
    holder: Any = content
    for name in place[:-1]:
        holder = holder[name]
    before: Row = copy.deepcopy(content)
    resealed = data.draw(st.booleans())
    change = data.draw(st.sampled_from(["drop", "repeat", "replace"]))
    if change == "drop":
        del holder[place[-1]]
    elif change == "repeat" and isinstance(holder, list):
        holder.append(holder[place[-1]])  # type: ignore[index]
    else:
        holder[place[-1]] = data.draw(st.sampled_from(VALUES))
    try:
        if resealed:
            content[SEAL] = content_sha256(content)
        (out / "dataset.json").write_text(json.dumps(content))
        same = content == before
        left_out = change == "drop" and place in MAY_BE_LEFT_OUT
        hidden = same or (resealed and (left_out or is_unseen(place)))
        assert not verdict(out) or hidden, (place, change)
    finally:
        (out / "dataset.json").write_bytes(old)


@settings(max_examples=40)
@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_description_of_any_bytes_is_found_or_refused(
    out: Path, position: float, byte: int
) -> None:
    old = (out / "dataset.json").read_bytes()
    new = bytearray(old)
    new[int(position * len(new))] = byte
    (out / "dataset.json").write_bytes(new)
    try:
        verdict(out)
    finally:
        (out / "dataset.json").write_bytes(old)
