"""Check the samples of a shard: each part of one against the others, and against readers' rules.

A sample's cut states all that the writer knew of it. So the writer's own functions say, from the
cut, what the other files of the shard must hold.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.audio.stored import check_stored
from wavemill.errors import RejectedError
from wavemill.sharding import layout
from wavemill.sharding.counting import IdCounter
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lines import nemo_line
from wavemill.sharding.lint.arrays import read_codes, times_problem
from wavemill.sharding.lint.bulk import audio_holds, stream_counts, times_hold
from wavemill.sharding.lint.files import read_objects, shard_name, stated_streams
from wavemill.sharding.lint.lengths import length_problems
from wavemill.sharding.lint.mapped import Members, find_members, map_file
from wavemill.sharding.lint.report import REMEDY, Report
from wavemill.sharding.lint.rows import custom_differences, differences, row_of, row_of_line
from wavemill.sharding.lint.totals import SECONDS_SLACK, Held, stream_facts
from wavemill.sharding.lint.walk import Sample, walk
from wavemill.sharding.said import said_of
from wavemill.tokenizers.base import TokenizerFacts

SAFE_KEY = re.compile(r"(?!.*-sub\d+\Z)[A-Za-z0-9_@-]{1,90}\Z", re.ASCII)


class ShardCheck:
    """One shard under check, whose files are all there."""

    def __init__(
        self, dataset: Dataset, shard: dict[str, Any], report: Report, *, decode: bool
    ) -> None:
        self._content, self._shard, self._report = dataset.content, shard, report
        self._decode = decode
        self._folder = storage.join(dataset.url, shard["bucket"])
        self._rows: list[dict[str, Any]] = []
        self.held = Held()

    def check(self, seen: set[str]) -> None:
        """Check all samples; `seen` holds the keys of the shards before."""
        if not self._check_cuts():
            return  # what follows would be held against the wrong cuts
        self._report.samples += len(self._rows)
        self._check_keys(seen)
        self._check_lengths()
        self.held.said = said_of(self._rows)
        audio = self._content["settings"]["audio"]
        if audio != "none":
            self._check_audio(audio)
            self._check_manifest(audio)
        lengths = np.zeros(len(self._rows), np.int64)
        sound: dict[str, npt.NDArray[np.int64]] = {}
        for name, facts in self._content["tokenizers"].items():
            before = len(self._report.problems)
            found = self._check_stream(name, stream_facts(facts))
            if len(self._report.problems) == before:
                sound[name] = found
            if facts["frame_rate"] is None:
                self._check_times(layout.times_name(name), stream_facts(facts), found)
            lengths = np.maximum(lengths, found)
        self._check_tokens(lengths)
        self._check_stated_lengths(sound)

    def _problem(self, key: str, problem: str) -> None:
        self._report.add(shard_name(self._shard), key, problem)

    def _damaged(self, name: str, error: Exception) -> None:
        self._problem("", f"{self._shard['bucket']}/{name} is damaged: {error}; {REMEDY}")

    def _read_lines(self, name: str) -> list[dict[str, Any]] | None:
        try:
            return list(read_objects(storage.join(self._folder, name)))
        except ValueError as error:
            self._damaged(name, error)
            return None

    def _check_cuts(self) -> bool:
        """Read the cuts, and say whether each is one."""
        streams = tuple(stated_streams(self._content))
        name = layout.cuts_name(self._shard["number"])
        lines = self._read(name).splitlines(keepends=True)
        rows = [row_of_line(line, streams) for line in lines]
        if None not in rows:
            self._rows = [row for row in rows if row is not None]
            return True
        cuts = self._read_lines(name)
        for cut in cuts or ():
            if isinstance(row := row_of(cut), str):
                self._problem(str(cut.get("id")), f"the cut is no sample's: {row}")
                return False
            self._rows.append(row)
            for difference in differences(cut, layout.cut_json(row, streams)):
                self._problem(row["id"], f"the cut: {difference}")
        return cuts is not None

    def _check_keys(self, seen: set[str]) -> None:
        if len(self._rows) != self._shard["samples"]:
            self._problem("", f"holds {len(self._rows)} cuts, not {self._shard['samples']}")
        keys = [row["id"] for row in self._rows]
        for key in keys:
            if not SAFE_KEY.match(key):
                self._problem(key, "readers would split or cut this key")
        own = Counter(keys)
        for key in (key for key, times in own.items() if times > 1 or key in seen):
            self._problem(key, "another sample has this key")
        seen.update(own)

    def _check_lengths(self) -> None:
        bound = self._bucket["max_seconds"]
        seconds = [row["num_samples"] / row["sample_rate"] for row in self._rows]
        for row, length in zip(self._rows, seconds, strict=True):
            if length > bound + SECONDS_SLACK:
                self._problem(row["id"], f"{length:.3f} s is over its bucket's {bound} s")
        self.held.seconds = sum(seconds)
        self.held.longest_seconds = max(seconds, default=0.0)
        stated = self._shard["seconds"]
        if abs(stated - self.held.seconds) > 1e-9 * (1 + self.held.seconds):
            self._problem("", f"holds {self.held.seconds} s of audio, not {stated}")

    @property
    def _bucket(self) -> dict[str, Any]:
        rows = self._content["buckets"]
        return next(row for row in rows if row["name"] == self._shard["bucket"])

    def _check_audio(self, extension: str) -> None:
        members = None if self._decode else self._members("audio", extension)
        if members is not None and audio_holds(members, self._rows, extension):
            return
        for row, data, about in self._samples("audio", extension):
            for difference in differences(about, layout.recording_json(row)):
                self._problem(row["id"], f"the recording beside the audio: {difference}")
            try:
                audio = check_stored(data, extension, decode=self._decode)
            except RejectedError as error:
                self._problem(row["id"], f"the audio does not decode: {error.detail}")
                continue
            for difference in differences(vars(audio), {name: row[name] for name in vars(audio)}):
                self._problem(row["id"], f"the audio: {difference}")

    def _check_manifest(self, extension: str) -> None:
        number = self._shard["number"]
        name = layout.manifest_name(number)
        with contextlib.suppress(ValueError, RecursionError):  # no JSON can be made of such a row
            rows = [{**row, "extension": extension} for row in self._rows]
            if self._read(name) == b"".join(nemo_line(row, number) for row in rows):
                return
        lines = self._read_lines(name)
        if lines is None:
            return
        if len(lines) != len(self._rows):
            words = f"the NeMo manifest has {len(lines)} rows for {len(self._rows)} cuts"
            self._problem("", words)
            return
        for row, line in zip(self._rows, lines, strict=True):
            plain = {**row, "custom": {}, "extension": extension}
            own = {name: line[name] for name in layout.NEMO_FIELDS if name in line}
            found = [
                *differences(own, layout.nemo_json(plain, number)),
                *custom_differences(line, row["custom"]),
            ]
            for difference in found:
                self._problem(row["id"], f"the NeMo manifest: {difference}")

    def _check_stream(self, name: str, facts: TokenizerFacts) -> npt.NDArray[np.int64]:
        """Check a stream's arrays; return their lengths, [N]."""
        members = self._members(name, "npy")
        if members is not None and (found := stream_counts(members, self._rows, facts)):
            self.held.tokens[name], self.held.counts[name] = int(found[0].sum()), found[1]
            return found[0]
        lengths = np.zeros(len(self._rows), np.int64)
        counter = None
        for number, (row, data, about) in enumerate(self._samples(name, "npy")):
            codes = read_codes(data, facts)
            if isinstance(codes, str):
                self._problem(row["id"], f"{name}: {codes}")
                continue
            lengths[number] = len(codes)
            for difference in differences(about, layout.array_json(row, facts, len(codes))):
                self._problem(row["id"], f"{name}: its JSON: {difference}")
            counter = counter or IdCounter(facts)
            counter.add([memoryview(data)], [len(codes)])
        if counter is not None:
            self.held.tokens[name], self.held.counts[name] = int(lengths.sum()), counter.counts()
        return lengths

    def _check_times(
        self, name: str, facts: TokenizerFacts, lengths: npt.NDArray[np.int64]
    ) -> None:
        """Check the times of a stream whose arrays have `lengths`, [N]."""
        members = self._members(name, "npy")
        if members is not None and times_hold(members, self._rows, facts, lengths):
            return
        pairs = zip(self._samples(name, "npy"), lengths.tolist(), strict=False)
        for (row, data, about), length in pairs:
            seconds = row["num_samples"] / row["sample_rate"]
            if problem := times_problem(data, length, seconds):
                self._problem(row["id"], f"{name}: {problem}")
            for difference in differences(about, layout.times_json(row, facts, length)):
                self._problem(row["id"], f"{name}: its JSON: {difference}")

    def _check_tokens(self, lengths: npt.NDArray[np.int64]) -> None:
        """Hold the lengths of the samples' longest streams, [N], against their bucket."""
        bound = self._bucket["max_tokens"]
        for number in np.flatnonzero(lengths > bound):
            words = f"{lengths[number]} tokens are over its bucket's {bound}"
            self._problem(self._rows[number]["id"], words)
        self.held.longest_tokens = int(lengths.max(initial=0))

    def _check_stated_lengths(self, tokens: dict[str, npt.NDArray[np.int64]]) -> None:
        """Hold the file of lengths against the cuts, and the lengths of sound streams, [N]."""
        name = layout.lengths_name(self._shard["number"])
        streams = list(self._content["tokenizers"])
        try:
            for key, words in length_problems(self._read(name), self._rows, streams, tokens):
                self._problem(key, f"{name}: {words}")
        except ValueError as error:
            self._damaged(name, error)

    def _read(self, name: str) -> bytes:
        return storage.read_bytes(storage.join(self._folder, name))

    def _members(self, stream: str, extension: str) -> Members | None:
        """Find all samples of a tar beside the cuts at once; None where it is not in order."""
        name = layout.tar_name(stream, self._shard["number"])
        keys = [row["id"] for row in self._rows]
        if not all(map(SAFE_KEY.match, keys)):
            return None
        tar = map_file(storage.join(self._folder, name))
        return find_members(tar, self._read(f"{name}.idx"), keys, extension)

    def _samples(self, stream: str, extension: str) -> Iterator[Sample]:
        """Walk a tar beside the cuts, and check its index."""
        url = storage.join(self._folder, layout.tar_name(stream, self._shard["number"]))
        return walk(url, self._rows, extension, self._problem)
