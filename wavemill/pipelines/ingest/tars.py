"""WebDataset tars: walks the headers and leaves the audio where it is."""

import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from wavemill import storage
from wavemill.errors import JobError, RejectedError
from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.lines import parse_object
from wavemill.pipelines.ingest.row import Fields, Row, described, invalid
from wavemill.pipelines.ingest.seen import Ledger, Source
from wavemill.records import TRUNCATED, UNREADABLE, Reject, safe_key

MAX_TEXT_BYTES = 4 << 20
"""Of a sample's `.txt` and `.json`."""
MAX_FIELD_BYTES = 64 << 10
"""Of other members that may be a field of the sample."""

_TEXTS = ("txt", "text")
# fmt: off
_NO_FIELDS = frozenset((
    "bin", "bmp", "bz2", "gif", "gz", "jpeg", "jpg", "npy", "npz", "pdf", "pickle", "pkl", "png",
    "ppm", "pt", "pth", "pyd", "safetensors", "ten", "tif", "tiff", "webp", "zip", "zst",
))
# fmt: on
"""Members that are no text; reading them to find out would cost a request each."""

_BROKEN = (tarfile.TarError, ValueError, IndexError, OverflowError)
"""What tarfile raises on damaged headers."""


def split_key(name: str) -> tuple[str, str]:
    """Split a member's name at the first dot of its last part, as webdataset does."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def read_tar(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield one row a sample, and a reject for the tar itself where it ends early.

    Raises:
        JobError: the disk or store fails.

    """
    del ledger
    try:
        version = source.version or storage.info(source.url).version
        with storage.open_read(source.url) as file:
            yield from _Tar(source.url, version, file).rows()
    except OSError as error:
        # One reject would hide how many samples are lost, and trying again may help.
        words = f"cannot read {source.url}: {error}; check your access and run again"
        raise JobError(words) from error


def _reject_tar(url: str, reason: str, detail: str) -> Reject:
    return Reject(
        id=safe_key(places.name_of(url)), stage="ingest", reason=reason, detail=detail, source=url
    )


def _size_of(file: BinaryIO, url: str) -> int:
    try:
        size = file.seek(0, 2)
        file.seek(0)
    except ValueError as error:  # fsspec's file of a server that gives no ranges
        raise JobError(f"{url} cannot be read in parts; download it and give the copy") from error
    return size


class _Tar:
    """One tar while its headers are walked."""

    def __init__(self, url: str, version: str, file: BinaryIO) -> None:
        self._url, self._version, self._file = url, version, file
        self._size = 0

    def rows(self) -> Iterator[Row]:
        key, sample = "", dict[str, tarfile.TarInfo]()
        try:
            self._size = _size_of(self._file, self._url)
            for member in self._members():
                name, extension = split_key(member.name)
                if sample and (name != key or extension in sample):
                    yield self._row(key, sample)
                    sample = {}
                key = name
                sample[extension] = member
        except RejectedError as error:
            if any(map(places.is_audio, (f"x.{extension}" for extension in sample))):
                yield self._row(key, sample)
            yield Row(_reject_tar(self._url, error.reason, error.detail))
            return
        if sample:
            yield self._row(key, sample)

    def _members(self) -> Iterator[tarfile.TarInfo]:
        """Yield the files that are whole.

        Raises:
            RejectedError: the tar is none, or ends before its end mark; tarfile itself takes a
                damaged header for the end.

        """
        try:
            with tarfile.open(fileobj=self._file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    # tarfile would keep them all, for lookups by name.
                    tar.members.clear()  # type: ignore[attr-defined]
                    if member.size < 0 or member.offset_data + member.size > self._size:
                        raise RejectedError(TRUNCATED, f"ends inside {member.name}; fetch it again")
                    base = member.name.rsplit("/", 1)[-1]
                    if member.isreg() and not base.startswith((".", "__")):
                        yield member
                self._file.seek(tar.offset)
                if self._file.read(512) != bytes(512):
                    words = f"no end mark after byte {tar.offset}: it was cut short, or is damaged"
                    raise RejectedError(TRUNCATED, f"{words}; fetch it again")
        except _BROKEN as error:
            whole = self._size >= 512 and self._file.tell() <= 512
            words = (
                f"not a plain tar: {error}; decompress it first"
                if whole
                else f"ends early or is damaged: {error}"
            )
            raise RejectedError(UNREADABLE if whole else TRUNCATED, words) from error

    def _row(self, key: str, sample: Mapping[str, tarfile.TarInfo]) -> Row:
        where = f"sample {key} of {self._url}"
        try:
            return self._recording(key, sample, where)
        except RejectedError as error:
            return Row(
                Reject(id=safe_key(key), stage="ingest", reason=error.reason, detail=error.detail,
                       source=f"{self._url}#{key}"),
                where=where,
            )  # fmt: skip

    def _recording(self, key: str, sample: Mapping[str, tarfile.TarInfo], where: str) -> Row:
        found = [name for name in sample if places.is_audio(f"x.{name}")]
        if len(found) != 1:
            held = f"{len(found) or 'no'} audio among the sample's members: {', '.join(sample)}"
            raise invalid(f"{held}; put one audio file into each sample")
        (audio,) = found
        member = sample[audio]
        if member.issparse():
            raise invalid(f"{member.name} is stored as a sparse file; write the tar again")
        fields, marks = self._fields(key, {n: m for n, m in sample.items() if n != audio})
        path = f"{places.name_of(self._url)}/{key}"
        recording = described(
            Fields(marks | fields),
            self._url,
            key,
            more=marks,
            version=self._version,
            byte_offset=member.offset_data,
            num_bytes=member.size,
            member=member.name,
        )
        return Row(recording, path, self._url, where)

    def _fields(
        self, key: str, others: Mapping[str, tarfile.TarInfo]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the fields of a sample's JSON and text, and those that are members of their own.

        The latter are custom fields as they are; `lang`, say, is the language besides.
        """
        fields: dict[str, Any] = {}
        marks: dict[str, str] = {}
        for extension, member in others.items():
            if extension == "json":
                fields |= _of_json(parse_object(self._read(member)), key)
            elif extension not in _TEXTS and _may_be_text(extension, member):
                text = self._field(member)
                if text is not None:
                    marks[extension] = text
        for extension in _TEXTS:
            if extension in others:
                fields["text"] = self._text(others[extension])
        return fields, marks

    def _read(self, member: tarfile.TarInfo) -> bytes:
        if member.size > MAX_TEXT_BYTES:
            raise invalid(f"{member.name} has {member.size} bytes, expected {MAX_TEXT_BYTES}")
        self._file.seek(member.offset_data)
        return self._file.read(member.size)

    def _text(self, member: tarfile.TarInfo) -> str:
        try:
            return self._read(member).decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise invalid(f"{member.name} is not UTF-8; write it as UTF-8") from error

    def _field(self, member: tarfile.TarInfo) -> str | None:
        try:
            text = self._read(member).decode("utf-8").strip()
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text


def _may_be_text(extension: str, member: tarfile.TarInfo) -> bool:
    last = extension.rpartition(".")[2]
    binary = last in _NO_FIELDS or last in places.AUDIO_SUFFIXES
    return bool(extension) and not binary and member.size <= MAX_FIELD_BYTES


def _of_json(fields: dict[str, Any], key: str) -> dict[str, Any]:
    """Take a sample's JSON; of a lhotse recording, as in Shar, only what is not about storage."""
    if isinstance(fields.get("sources"), list) and "sampling_rate" in fields:
        fields = {name: fields[name] for name in ("id", "duration") if name in fields}
    return {name: value for name, value in fields.items() if name != "id" or value != key}
