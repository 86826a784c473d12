"""Uploads to S3: at once or in parts, each checked on its way, a file whole or not there at all."""

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from wavemill.storage.store import check_size

T = TypeVar("T")

PART = 8 << 20
"""Bytes of a file that one request sends."""
MAX_PARTS = 10_000
PARTS_AT_ONCE = 8
"""In memory, of one process."""


class Requests(Protocol):
    """What makes requests of S3."""

    async def ask(self, attempt: Callable[[], Coroutine[Any, Any, T]], num_bytes: int = 0) -> T:
        """Make a request of its own kind, again if need be."""

    async def call_once(self, method: str, path: str, **arguments: Any) -> Any:
        """Make a request about a file, once."""

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Make a request about a file, again if need be."""


class Uploads:
    """Stores local files."""

    def __init__(self, requests: Requests) -> None:
        """Make requests of a store."""
        self._s3 = requests
        self._turn = asyncio.Semaphore(PARTS_AT_ONCE)

    async def put(self, path: str, file: Path) -> None:
        """Store a local file: at once if it is small, else in parts that are then put together."""
        size = file.stat().st_size  # noqa: ASYNC240 - of a local file, at once
        if size <= 2 * PART:
            async with self._turn:
                data = await asyncio.to_thread(file.read_bytes)
                await self._s3.ask(lambda: self._put_once(path, data), size)
            return
        upload = (await self._s3.call("create_multipart_upload", path))["UploadId"]
        try:
            await self._put_parts(path, file, size, upload)
        except BaseException:
            # Parts of an upload that nobody ends are stored, and paid for, out of sight.
            with contextlib.suppress(Exception):
                await asyncio.shield(self._s3.call("abort_multipart_upload", path, UploadId=upload))
            raise

    async def _put_once(self, path: str, data: bytes) -> None:
        digest = _md5(data)
        answer = await self._s3.call_once("put_object", path, Body=data, ContentMD5=_base64(digest))
        if _tag_of(answer) != digest.hex():
            # An encrypted file's tag says nothing of its bytes.
            held = await self._s3.call_once("head_object", path)
            check_size(len(data), held["ContentLength"])

    async def _put_parts(self, path: str, file: Path, size: int, upload: str) -> None:
        step = max(PART, -(-size // MAX_PARTS))

        async def send(number: int, start: int) -> tuple[dict[str, Any], bytes]:
            async with self._turn:
                data = await asyncio.to_thread(_read_part, file, start, step)
                digest = _md5(data)
                about = {"UploadId": upload, "PartNumber": number, "ContentMD5": _base64(digest)}
                answer = await self._s3.ask(
                    lambda: self._s3.call_once("upload_part", path, Body=data, **about), len(data)
                )
                return {"PartNumber": number, "ETag": answer["ETag"]}, digest

        sent = await _all([send(*part) for part in enumerate(range(0, size, step), 1)])
        parts, digests = zip(*sent, strict=True)
        answer = {}
        # No such upload: it may have been put together by a try whose answer was lost.
        with contextlib.suppress(FileNotFoundError):
            answer = await self._s3.call(
                "complete_multipart_upload", path, UploadId=upload,
                MultipartUpload={"Parts": [*parts]},
            )  # fmt: skip
        tag = f"{_md5(b''.join(digests)).hex()}-{len(parts)}"
        if _tag_of(answer) != tag:
            await self._check(path, size, tag, is_known=bool(answer))

    async def _check(self, path: str, size: int, tag: str, *, is_known: bool) -> None:
        """Look a file up whose upload ended in doubt, or whose tag is not that of its bytes."""
        held = await self._s3.call("head_object", path)
        check_size(size, held["ContentLength"])
        if is_known or _tag_of(held) == tag:
            return
        encrypted = "kms" in held.get("ServerSideEncryption", "") or held.get(
            "SSECustomerAlgorithm"
        )
        if not encrypted or _tag_of(held).split("-")[1:] != tag.split("-")[1:]:
            raise ConnectionError("the upload was not put together, and another file is there")


def _tag_of(answer: dict[str, Any]) -> str:
    return str(answer.get("ETag", "")).strip('"')


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _read_part(file: Path, start: int, size: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(size)


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Do many things at once; where one fails, stop the others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
