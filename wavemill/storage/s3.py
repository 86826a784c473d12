"""S3, and what speaks like it: checked uploads, conditional writes, one request a lookup."""

# ruff: noqa: SLF001 - fsspec's operations that can be awaited have an underscore

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import s3fs

from wavemill.storage.faults import ABSENT, CLASH, OTHER, REFUSED, fault_of
from wavemill.storage.retrying import limit_of
from wavemill.storage.s3_client import make_client
from wavemill.storage.s3_uploads import Uploads
from wavemill.storage.store import PAGES_BYTES, Entry, Head, Store, Written

DELETED_AT_ONCE = 1000


class S3Store(Store):
    """A store that speaks S3's language."""

    compares = True

    def __init__(self) -> None:
        """Take address and credentials from where S3 clients take them."""
        super().__init__(make_client(), is_ranged=True)
        self._uploads = Uploads(self)

    async def info(self, path: str) -> Entry:
        """Look a file or folder up; in one request if it is a file."""
        found: Entry = await self._explained(path, lambda: self.system._info(path))
        return found

    async def exists(self, path: str) -> bool:
        """Say whether there is a file or folder."""
        try:
            await self.info(path)
        except FileNotFoundError:
            return False
        return True

    async def size(self, path: str) -> int | None:
        """Return a file's size, or None if there is none: one request."""
        if not self._place(path)["Key"]:
            return None
        try:
            found = await self._explained(path, lambda: self.call("head_object", path))
        except FileNotFoundError:
            return None
        return int(found["ContentLength"])

    async def is_folder(self, path: str) -> bool:
        """Say whether anything lies below a path."""
        bucket, key = self._place(path).values()
        below = f"{key.rstrip('/')}/" if key else ""
        found = await self._list("list_objects_v2", Bucket=bucket, Prefix=below, MaxKeys=1)
        return bool(found.get("KeyCount") or found.get("Contents"))

    async def entries(self, path: str) -> list[Entry]:
        """List what lies right in a folder; each page is a request of its own."""
        found: list[Entry] = await self.system._ls(path, detail=True)
        return found

    async def glob(self, pattern: str) -> list[str]:
        """List the paths that match."""
        return [*await self.system._glob(pattern)]

    async def head(self, path: str, num_bytes: int) -> Head:
        """Read how a file begins: one request where it is not empty."""
        try:
            data, answer = await self._get(path, Range=f"bytes=0-{num_bytes - 1}")
        except Exception as error:
            if _code_of(error) != "InvalidRange":  # of a file without bytes
                raise
            return Head(0, "", b"")
        size = answer.get("ContentRange", f"/{len(data)}").rpartition("/")[2]
        return Head(int(size), answer.get("ETag", ""), data)

    async def read(self, path: str, start: int, end: int, version: str = "") -> bytes:
        """Read a range of a file, if it still is of that version."""
        condition = {"IfMatch": version} if version else {}
        try:
            data, _ = await self._get(path, Range=f"bytes={start}-{end - 1}", **condition)
        except Exception as error:
            if version and fault_of(error).kind == CLASH:
                raise OSError(
                    "it was changed while it was read; let it be, and try again"
                ) from None
            raise
        return data

    async def read_all(self, path: str) -> bytes:
        """Read a whole file in one request."""
        return (await self._get(path))[0]

    async def put(self, path: str, file: Path) -> None:
        """Store a local file, which appears whole or not at all."""
        await self._uploads.put(path, file)

    async def remove_files(self, paths: Iterable[str]) -> None:
        """Remove files, many in one request; those that are not there are no error."""
        places = [self._place(path) for path in paths]
        for first in range(0, len(places), DELETED_AT_ONCE):
            await self._delete(places[first : first + DELETED_AT_ONCE])

    async def remove(self, path: str) -> None:
        """Remove a file, and all that a listing finds below it."""
        below = await self.system._lsdir(path, delimiter="")
        await self.remove_files([path, *(entry["name"] for entry in below)])

    async def abort_uploads(self, path: str) -> int:
        """Remove what killed writers sent of files below a path; return of how many."""
        bucket, key = self._place(path).values()
        more: dict[str, Any] = {}
        count = 0
        while True:
            page = await self._list(
                "list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/" if key else "", **more
            )
            for upload in page.get("Uploads", []):
                place = f"{bucket}/{upload['Key']}"
                with contextlib.suppress(FileNotFoundError):
                    await self.call("abort_multipart_upload", place, UploadId=upload["UploadId"])
                    count += 1
            if not page.get("IsTruncated"):
                return count
            more = {f"{name}Marker": page[f"Next{name}Marker"] for name in ("Key", "UploadId")}

    async def look(self, path: str) -> Written:
        """Read a small file with its version and age."""
        data, answer = await self._get(path)
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Written(data, answer["ETag"], (now - answer["LastModified"]).total_seconds())

    async def put_if(self, path: str, data: bytes, version: str | None) -> str | None:
        """Write a small file if it is of that version, or is not there (None); see `Store`."""
        if not self.compares:
            return await super().put_if(path, data, version)
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            answer = await self.call("put_object", path, Body=data, **condition)
        except Exception as error:
            if fault_of(error).kind in (CLASH, ABSENT):
                return None
            if _code_of(error) != "NotImplemented":
                raise
            self.compares = False
            return await super().put_if(path, data, version)
        return str(answer["ETag"])

    async def remove_if(self, path: str, version: str) -> None:
        """Remove a small file if it is of that version."""
        try:
            await self.call("delete_object", path, IfMatch=version)
        except Exception as error:
            if fault_of(error).kind not in (CLASH, ABSENT):
                raise

    def _place(self, path: str) -> dict[str, str]:
        bucket, key, _ = self.system.split_path(path)
        return {"Bucket": bucket, "Key": key}

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Make a request about a file, again if need be."""
        return await self.ask(lambda: self.call_once(method, path, **arguments))

    async def call_once(self, method: str, path: str, **arguments: Any) -> Any:
        """Make a request about a file, once."""
        return await self.system.call_once(method, **self._place(path), **arguments)

    async def _list(self, method: str, **arguments: Any) -> Any:
        return await self.ask(lambda: self.system.call_once(method, **arguments))

    async def _get(self, path: str, **arguments: Any) -> tuple[bytes, dict[str, Any]]:
        async def attempt() -> tuple[bytes, dict[str, Any]]:
            answer = await self.call_once("get_object", path, **arguments)
            length = answer["ContentLength"]
            async with answer["Body"] as body:
                data = await asyncio.wait_for(body.read(), limit_of(length))
            if len(data) != length:
                raise ConnectionError(f"the store gave {len(data):,} bytes, not {length:,}")
            return data, answer

        return await self.ask(attempt, PAGES_BYTES)

    async def _explained(self, path: str, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Make a request whose answer, if it is a refusal, has no words; then ask for them."""
        try:
            return await attempt()
        except Exception as error:
            if fault_of(error).kind not in (REFUSED, OTHER):
                raise
            failed = error
        with contextlib.suppress(FileNotFoundError):
            await self._get(path, Range="bytes=0-0")
        raise failed

    async def _delete(self, places: list[dict[str, str]]) -> None:
        async def attempt() -> None:
            objects = [{"Key": place["Key"]} for place in places]
            answer = await self.system.call_once(
                "delete_objects",
                Bucket=places[0]["Bucket"],
                Delete={"Objects": objects, "Quiet": True},
            )
            for failed in answer.get("Errors", []):
                raise s3fs.errors.translate_boto_error(_Failed(failed))

        if places:
            await self.ask(attempt)


class _Failed(Exception):  # noqa: N818 - what s3fs takes for an error of botocore
    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__(about.get("Message", about.get("Code")))
        self.response = {"Error": about}


def _code_of(error: Exception) -> str:
    """Return the store's word for an error."""
    response = getattr(error.__cause__, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
