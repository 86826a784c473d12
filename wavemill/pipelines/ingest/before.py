"""What a dataset holds already, when more is added to it: ids that are taken, files known."""

from collections.abc import Iterable

from wavemill.audio import open_recording
from wavemill.errors import RejectedError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.seen import Ledger
from wavemill.records import Recording

FILES = "files of recordings that are there"
VERSIONS = "recordings that are there"
SLACK_SECONDS = 0.002
"""By how much a length may differ that resampling or another decoder has rounded."""


def with_window(path: str, recording: Recording) -> str:
    """Tell windows of one file apart; `path_id` keeps the last part readable."""
    if not recording.explicit_window:
        return path
    window = recording.window
    length = "" if window.duration_seconds is None else repr(window.duration_seconds)
    return f"@{window.start_seconds!r}+{length}/{path}"


def owner_of(recording: Recording) -> str:
    """Name what an id stands for: a file, or a part of one."""
    place = f"{places.canonical(recording.url)}#{recording.byte_offset}"
    return with_window(place, recording)


class Before:
    """The recordings that are there, and how many rows were passed over because of them.

    Of a recording that was read back from shards only the id and the length are known (its URL is
    empty, its window ends where its last sample does). Then a row of the same id is taken for it
    where its audio is as long.
    """

    def __init__(self, recordings: Iterable[Recording], *, whole: bool) -> None:
        """Take the recordings, which are read once; `whole` if each became one sample."""
        self._recordings, self._whole = recordings, whole
        self.skipped = 0

    def claim(self, ledger: Ledger) -> None:
        """Take the ids of all that is there."""
        for recording in self._recordings:
            name = recording.id
            if not recording.url:
                ledger.claim(name, "")
                ledger.note_seconds(name, recording.window.end_seconds)
                continue
            owner = owner_of(recording)
            ledger.claim(name, owner)
            ledger.mark(VERSIONS, f"{name}\0{owner}\0{recording.version}")
            ledger.mark(FILES, f"{places.canonical(recording.url)}\0{recording.version}")

    def holds_file(self, recording: Recording, version: str, ledger: Ledger) -> bool:
        """Say whether a plain audio file is one that a recording lies in."""
        plain = not (recording.id or recording.member or recording.explicit_window)
        return plain and ledger.is_marked(FILES, f"{places.canonical(recording.url)}\0{version}")

    def holds(self, name: str, recording: Recording, version: str, ledger: Ledger) -> bool:
        """Say whether a recording is there, by this name and from this version of its file."""
        if ledger.is_marked(VERSIONS, f"{name}\0{owner_of(recording)}\0{version}"):
            return True
        seconds = ledger.seconds(name)
        return seconds is not None and self._is_as_long(recording, seconds)

    def _is_as_long(self, recording: Recording, seconds: float) -> bool:
        window = recording.window
        try:
            end = window.end_seconds if recording.explicit_window else _length(recording)
        except RejectedError:  # it came through once, so this is another file
            return False
        if self._whole:
            return abs(end - seconds) <= SLACK_SECONDS
        return end >= seconds - SLACK_SECONDS


def _length(recording: Recording) -> float:
    with open_recording(recording) as stream:
        total = sum(len(block) for block in stream.blocks())
        return total / stream.info.sample_rate
