"""Hold a dataset against what it says of itself, and against the rules of its three readers."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile

from wavemill import storage
from wavemill.sharding import layout
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.tar import unpack_index

CHUNK = 1 << 22
SAFE_KEY = re.compile(r"[A-Za-z0-9_@-]{1,90}\Z")


@dataclass(kw_only=True)
class Report:
    """What lint found."""

    shards: int = 0
    samples: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)

    def add(self, shard: str, key: str, problem: str) -> None:
        """Note a problem; `key` is empty where it concerns a whole file."""
        self.problems.append({"shard": shard, "key": key, "problem": problem})

    def to_json(self) -> dict[str, Any]:
        """Return what `wavemill lint --json` prints."""
        return {"ok": not self.problems, **vars(self)}


def lint(dataset: Dataset) -> Report:
    """Check every file, sample and array of a dataset.

    Raises:
        DatasetError: nothing is raised for bad data; `Dataset.open` raises where there is none.

    """
    report = Report()
    facts = dataset.content["tokenizers"]
    keys: set[str] = set()
    for shard in dataset.content["shards"]:
        report.shards += 1
        _Shard(dataset, shard, facts, report).check(keys)
    _check_totals(dataset, report)
    _check_strays(dataset, report)
    return report


def _check_totals(dataset: Dataset, report: Report) -> None:
    stated = dataset.content["totals"]["samples"]
    if report.samples != stated:
        report.add("dataset.json", "", f"states {stated} samples, the shards hold {report.samples}")


def _check_strays(dataset: Dataset, report: Report) -> None:
    """Report files in the buckets' folders that no shard lists: readers' globs would take them."""
    listed = {file["path"] for shard in dataset.content["shards"] for file in shard["files"]}
    for folder in sorted({path.split("/", 1)[0] for path in listed}):
        root = storage.join(dataset.url, folder)
        if not storage.exists(root):
            continue
        for info in storage.list_files(root):
            path = folder + info.url.split(f"/{folder}", 1)[-1]
            if path not in listed:
                report.add(folder, "", f"{path} belongs to no shard; remove it")


@dataclass(frozen=True)
class _Member:
    name: str
    offset: int
    data: bytes


def _next_member(tar: tarfile.TarFile) -> _Member:
    """Read a tar's next member; one without a name stands for the end."""
    header = tar.next()
    if header is None:
        return _Member("(the end)", 0, b"")
    body = tar.extractfile(header)
    tar.members = []  # type: ignore[attr-defined] # tarfile keeps every header it has read
    return _Member(header.name, header.offset, body.read() if body else b"")


class _Shard:
    """One shard under check."""

    def __init__(
        self, dataset: Dataset, shard: dict[str, Any], facts: dict[str, Any], report: Report
    ) -> None:
        self._dataset, self._shard, self._facts, self._report = dataset, shard, facts, report
        self._name = f"{shard['bucket']}/{shard['number']:06d}"
        self._bucket = storage.join(dataset.url, shard["bucket"])

    def check(self, seen: set[str]) -> None:
        """Check the shard's files; `seen` holds the keys of the shards before it."""
        whole = [self._check_file(file) for file in self._shard["files"]]
        if not all(whole):
            return
        number = self._shard["number"]
        cuts = self._read_lines(layout.cuts_name(number))
        keys = [str(cut.get("id")) for cut in cuts]
        self._report.samples += len(keys)
        self._check_keys(keys, seen)
        self._check_buckets(cuts)
        audio = self._dataset.content["settings"]["audio"]
        if audio != "none":
            self._check_audio(cuts, audio)
            self._check_manifest(keys, audio)
        for name, facts in self._facts.items():
            self._check_stream(cuts, name, facts)

    def _problem(self, key: str, problem: str) -> None:
        self._report.add(self._name, key, problem)

    def _check_file(self, file: dict[str, Any]) -> bool:
        """Compare a file's size and digest with what `dataset.json` states."""
        url = storage.join(self._dataset.url, file["path"])
        digest, size = hashlib.sha256(), 0
        try:
            with storage.open_read(url) as opened:
                while chunk := opened.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            self._problem("", f"{file['path']} cannot be read: {error}")
            return False
        if size != file["bytes"]:
            self._problem("", f"{file['path']} has {size} bytes, should have {file['bytes']}")
            return False
        if digest.hexdigest() != file["sha256"]:
            self._problem("", f"{file['path']} is not what was written: its sha256 differs")
            return False
        return True

    def _read_lines(self, name: str) -> list[dict[str, Any]]:
        data = storage.read_bytes(storage.join(self._bucket, name))
        return [json.loads(line) for line in data.splitlines()]

    def _check_keys(self, keys: list[str], seen: set[str]) -> None:
        if len(keys) != self._shard["samples"]:
            self._problem("", f"holds {len(keys)} cuts, should hold {self._shard['samples']}")
        for key in keys:
            if not SAFE_KEY.match(key) or re.search(r"-sub\d+$", key):
                self._problem(key, "readers would split or cut this key")
            if key in seen:
                self._problem(key, "another sample has this key")
            seen.add(key)

    def _check_buckets(self, cuts: list[dict[str, Any]]) -> None:
        rows = self._dataset.content["buckets"]
        bound = next(row for row in rows if row["name"] == self._shard["bucket"])["max_seconds"]
        for cut in cuts:
            if cut["duration"] > bound + 1e-3:
                self._problem(cut["id"], f"{cut['duration']:.3f} s is over its bucket's {bound} s")

    def _check_audio(self, cuts: list[dict[str, Any]], extension: str) -> None:
        tar = layout.tar_name("audio", self._shard["number"])
        for cut, data, about in self._pairs(tar, cuts, extension):
            try:
                info = soundfile.info(io.BytesIO(data))
            except soundfile.LibsndfileError as error:
                self._problem(cut["id"], f"the audio does not decode: {error}")
                continue
            if (info.samplerate, info.frames) != (about["sampling_rate"], about["num_samples"]):
                self._problem(
                    cut["id"],
                    f"the audio is {info.frames} samples at {info.samplerate} Hz, its JSON states"
                    f" {about['num_samples']} at {about['sampling_rate']}",
                )

    def _check_manifest(self, keys: list[str], extension: str) -> None:
        rows = self._read_lines(layout.manifest_name(self._shard["number"]))
        named = [row.get("audio_filepath") for row in rows]
        if named != [f"{key}.{extension}" for key in keys]:
            self._problem("", "the NeMo manifest does not name the members of the audio tar")
        if any(row.get("shard_id") != self._shard["number"] for row in rows):
            self._problem("", "the NeMo manifest holds a wrong shard_id")

    def _check_stream(self, cuts: list[dict[str, Any]], name: str, facts: dict[str, Any]) -> None:
        tar = layout.tar_name(name, self._shard["number"])
        for cut, data, about in self._pairs(tar, cuts, "npy"):
            try:
                codes = np.load(io.BytesIO(data), allow_pickle=False)
            except ValueError as error:
                self._problem(cut["id"], f"{name}: no array: {error}")
                continue
            if list(codes.shape) != about["array"]["shape"] or codes.ndim != 2:
                self._problem(cut["id"], f"{name}: shape {codes.shape}, its JSON states another")
            elif codes.dtype.name != facts["dtype"] or codes.shape[1] != facts["num_codebooks"]:
                self._problem(cut["id"], f"{name}: {codes.dtype} {codes.shape} is not its facts'")
            elif codes.size and int(codes.max()) >= facts["codebook_size"]:
                self._problem(cut["id"], f"{name}: id {codes.max()} is out of range")

    def _pairs(
        self, tar: str, cuts: list[dict[str, Any]], extension: str
    ) -> Iterator[tuple[dict[str, Any], bytes, dict[str, Any]]]:
        """Walk a tar beside the cuts: data and JSON of each sample, and the index."""
        offsets = []
        with (
            storage.open_read(storage.join(self._bucket, tar)) as file,
            tarfile.open(fileobj=file, mode="r:") as members,
        ):
            for number, cut in enumerate(cuts):
                data, about = _next_member(members), _next_member(members)
                names = [data.name, about.name]
                if names != [f"{cut['id']}.{extension}", f"{cut['id']}.json"]:
                    self._problem(cut["id"], f"{tar}: sample {number} is {names}")
                    return
                offsets.append(data.offset)
                yield cut, data.data, json.loads(about.data)
            if (extra := members.next()) is not None:
                self._problem("", f"{tar}: {extra.name} is no sample of the cuts")
        index = unpack_index(storage.read_bytes(storage.join(self._bucket, f"{tar}.idx")))
        if index[:-1] != offsets or index[-1] != self._size_of(tar):
            self._problem("", f"{tar}.idx does not point at the samples")

    def _size_of(self, tar: str) -> int:
        path = f"{self._shard['bucket']}/{tar}"
        return int(next(f["bytes"] for f in self._shard["files"] if f["path"] == path))
