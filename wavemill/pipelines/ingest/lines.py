"""Text manifests line by line: gzip, zstd or plain, of any size, whatever bytes are in them."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import pyarrow as pa

from wavemill import storage
from wavemill.errors import JobError, RejectedError
from wavemill.pipelines.ingest.row import Manifest
from wavemill.records import INVALID_JSON, INVALID_ROW, TRUNCATED, Reject

MAX_LINE_BYTES = 64 << 20
READ_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"

_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@contextmanager
def open_text(url: str) -> Iterator[BinaryIO]:
    """Open a manifest, unpacking it where its name ends in `.gz` or `.zst`."""
    name = url.lower().split("?", 1)[0]
    with storage.open_read(url) as file:
        if name.endswith(".gz"):
            with gzip.open(file) as unpacked:
                yield cast("BinaryIO", unpacked)
        elif name.endswith(".zst"):
            with io.BufferedReader(pa.CompressedInputStream(file, "zstd"), READ_BYTES) as unpacked:
                yield cast("BinaryIO", unpacked)
        elif storage.is_local(url):
            yield file
        else:  # fsspec's own readline takes no limit
            with io.BufferedReader(cast("io.RawIOBase", file), READ_BYTES) as buffered:
                yield cast("BinaryIO", buffered)


def read_lines(url: str) -> Generator[tuple[int, bytes], None, None]:
    """Yield lines with their numbers, from 1, without a byte-order mark.

    A line longer than `MAX_LINE_BYTES` comes cut to one byte more than that.

    Raises:
        RejectedError: the archive ends early; all before has been yielded.
        JobError: the disk or store fails.

    """
    with _open_tellingly(url) as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            _skip_rest(file, line)
            yield number, line.removeprefix(BOM) if number == 1 else line


def read_blocks(url: str, num_bytes: int) -> Generator[bytes, None, None]:
    """Yield whole lines, about so many bytes of them at a time, without a byte-order mark.

    As of `read_lines`, a line that is too long comes cut, and so do errors.
    """
    with _open_tellingly(url) as file:
        first = True
        while block := file.read(num_bytes):
            if not block.endswith(b"\n"):
                line = file.readline(MAX_LINE_BYTES + 1)
                _skip_rest(file, line)
                block += line
            yield block.removeprefix(BOM) if first else block
            first = False


def _skip_rest(file: BinaryIO, line: bytes) -> None:
    """Skip what is left of a line that is too long."""
    if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
        while (more := file.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
            pass


@contextmanager
def _open_tellingly(url: str) -> Iterator[BinaryIO]:
    """Open a manifest; say what is the matter with it when reading fails."""
    try:
        with open_text(url) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        words = f"the archive is damaged ({error}); fetch it again"
        raise RejectedError(TRUNCATED, words) from error
    except OSError as error:
        # One reject would hide how many rows are lost, and trying again may help.
        raise JobError(f"cannot read {url}: {error}; check your access and run again") from error


def read_objects(manifest: Manifest) -> Iterator[tuple[int, dict[str, Any] | Reject]]:
    """Yield the JSON object of each line that is not blank, or why there is none."""
    number = 0
    try:
        for number, line in read_lines(manifest.url):
            if not line.strip():
                continue
            try:
                yield number, parse_object(line)
            except RejectedError as error:
                yield number, manifest.reject(number, error.reason, error.detail)
    except RejectedError as error:
        yield number + 1, manifest.reject(number + 1, error.reason, error.detail)


def parse_object(line: bytes) -> dict[str, Any]:
    """Read one line as a JSON object.

    Raises:
        RejectedError: it is no JSON, or JSON of something else.

    """
    if len(line) > MAX_LINE_BYTES:
        raise RejectedError(INVALID_JSON, f"longer than {MAX_LINE_BYTES >> 20} MiB; split it")
    try:
        text = line.decode("utf-8")
        value = json.loads(text)
        if _LONE_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        words = f"byte {error.start} is not UTF-8; save the manifest as UTF-8"
        raise RejectedError(INVALID_JSON, words) from error
    except UnicodeEncodeError as error:
        raise RejectedError(INVALID_JSON, "half of a surrogate pair is no character") from error
    except (ValueError, RecursionError) as error:
        raise RejectedError(INVALID_JSON, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        words = f"a {type(value).__name__}, expected an object; write one row a line"
        raise RejectedError(INVALID_ROW, words)
    return value
