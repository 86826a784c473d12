"""The files of one shard in the making: each whole or absent, all in place at the end."""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from wavemill import storage
from wavemill.digest import sha256
from wavemill.sharding.tar import TarWriter

FILES_AT_ONCE = 8


class ShardFiles:
    """Writes a shard's files and notes what was written.

    Waiting for the disk, or for an object store to take a file, goes on in threads while the next
    files are made; a file system flushes several files together in about the time of one.
    """

    def __init__(self, out: str, bucket: str, pool: ThreadPoolExecutor) -> None:
        """Write below the bucket's folder in `out`."""
        self._folder, self._bucket = storage.join(out, bucket), bucket
        self._pool = pool
        self._closing: list[Any] = []
        self.written: list[dict[str, Any]] = []
        """path (relative to the dataset), bytes, sha256."""

    @contextlib.contextmanager
    def tar(self, name: str) -> Iterator[TarWriter]:
        """Write a tar and its index."""
        with self._file(name) as file:
            tar = TarWriter(file)
            yield tar
            tar.finish()
        self._note(name, tar.size, tar.sha256)
        self.lines(f"{name}.idx", [tar.index()])

    def lines(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a file of lines."""
        data = b"".join(lines)
        with self._file(name) as file:
            file.write(data)
        self._note(name, len(data), sha256(data))

    def wait(self) -> None:
        """Wait until every file is in its place; raises what went wrong with one."""
        for closing in self._closing:
            closing.result()

    @contextlib.contextmanager
    def _file(self, name: str) -> Iterator[Any]:
        with contextlib.ExitStack() as stack:
            yield stack.enter_context(storage.write_atomically(storage.join(self._folder, name)))
            self._closing.append(self._pool.submit(stack.pop_all().close))

    def _note(self, name: str, size: int, digest: str) -> None:
        path = f"{self._bucket}/{name}"
        self.written.append({"path": path, "bytes": size, "sha256": digest})


@contextlib.contextmanager
def shard_files(out: str, bucket: str) -> Iterator[ShardFiles]:
    """Make the files of a shard, which are all in their places when the block ends well."""
    with ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="shard-files") as pool:
        files = ShardFiles(out, bucket, pool)
        yield files
        files.wait()
