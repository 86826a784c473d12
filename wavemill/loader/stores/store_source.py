"""Shards on a store, without a cache: what a window needs in memory, the rest by ranges."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from wavemill.errors import DatasetError
from wavemill.loader.corpus import ShardRef
from wavemill.loader.source import Need, locate, size_of
from wavemill.loader.stores.pieces import MAX_PIECE, Piece, Pieces, cut_pieces
from wavemill.loader.stores.store import Store, StoreError
from wavemill.loader.tars import HeldTar, Tar, read_index

GAP = 512 << 10
"""Bytes between samples that are fetched with them, since another request would take longer."""
KEPT_BYTES = 64 << 20
"""Of files that are read whole, for the next epoch."""


class StoreSource:
    """Reads a store; of one process, since a store is."""

    def __init__(self, store: Store, limit: int, share: float) -> None:
        """Read from a store.

        Args:
            store: where.
            limit: bytes of tars that are held at most.
            share: of a window's samples that this process reads, over 0 up to 1.

        """
        self._store, self._share = store, share
        self._pieces = Pieces(store, limit)
        self._whole: dict[str, tuple[Future[bytes], int]] = {}
        self._lock = threading.Lock()
        self.reads_ahead = False
        """Once there are samples that are in no piece."""

    def whole(self, shard: ShardRef, name: str) -> memoryview:
        """Read all of a file, if it was not read beforehand."""
        url = locate(shard, name)
        try:
            data = self._start_whole(shard, name).result()
        except StoreError as error:
            # It is kept, so that each sample of a shard does not wait for the same failure.
            raise DatasetError(f"cannot read {url}: {error}; {error.remedy}") from error
        return memoryview(data)

    def tar(self, shard: ShardRef, name: str) -> Tar:
        """Open a tar by its index."""
        url, size = locate(shard, name), size_of(shard, name)
        offsets = read_index(url, self.whole(shard, f"{name}.idx"), size, shard.samples)
        return StoreTar(url, offsets, self._store, self._pieces)

    def read_ahead(self, samples: Sequence[tuple[Tar, int]]) -> None:
        """Read samples that are in no piece, near ones together."""
        missing = defaultdict(list)
        for tar, position in samples:
            if isinstance(tar, StoreTar) and tar.piece(position) is None:
                missing[tar].append(position)
        for tar, positions in missing.items():
            tar.read_ahead(sorted(set(positions)))

    def prepare(self, needs: Sequence[Need]) -> None:
        """Begin to fetch files that are read whole, indexes, and pieces of tars."""
        with self._lock:
            self._forget()
            self._pieces.next_window()
        for need in needs:
            for name in (*need.whole, *(f"{tar}.idx" for tar in need.tars)):
                with contextlib.suppress(DatasetError):  # told when it is read
                    self._start_whole(need.shard, name)
        for need in needs:
            for name in need.tars:
                with contextlib.suppress(DatasetError):
                    self._take(need, name)

    def _start_whole(self, shard: ShardRef, name: str) -> "Future[bytes]":
        url, size = locate(shard, name), size_of(shard, name)
        with self._lock:
            if url not in self._whole:
                self._whole[url] = self._store.start(self._store.read(url, 0, size)), size
            return self._whole[url][0]

    def _forget(self) -> None:
        """Let go of files that could not be read, and of the oldest where they are too many."""
        kept = 0
        for url, (data, size) in reversed(list(self._whole.items())):
            kept += size
            if kept > KEPT_BYTES or (data.done() and data.exception() is not None):
                del self._whole[url]

    def _take(self, need: Need, name: str) -> None:
        """Have what is needed of a tar fetched, where it is dense enough to be read whole."""
        shard, size = need.shard, size_of(need.shard, name)
        if (1 / self._share - 1) * size / shard.samples > GAP:
            self.reads_ahead = True
            return
        url = locate(shard, name)
        if (need.first, need.last) == (0, shard.samples) and size <= MAX_PIECE:
            # As it needs no index it does not wait for one.
            whole = Piece(url=url, first=0, last=shard.samples, start=0, end=size)
            self.reads_ahead |= not self._pieces.take(whole)
            return
        with contextlib.suppress(StoreError):
            index = self._start_whole(shard, f"{name}.idx").result()
            offsets = read_index(url, index, size, shard.samples)
            for piece in cut_pieces(url, offsets, need.first, need.last):
                self.reads_ahead |= not self._pieces.take(piece)


class StoreTar:
    """A tar on a store."""

    def __init__(self, name: str, offsets: Sequence[int], store: Store, pieces: Pieces) -> None:
        """Read by the offsets of samples."""
        self.name, self._offsets, self._store, self._pieces = name, offsets, store, pieces
        self._ahead: dict[int, Run] = {}

    def piece(self, position: int) -> Piece | None:
        """Return the piece that holds a sample, or will."""
        for piece in self._pieces.of(self.name):
            if piece.first <= position < piece.last:
                return piece
        return None

    def held(self, position: int) -> HeldTar | None:
        """Return what holds a sample; None where that cannot be had, or nothing does."""
        with contextlib.suppress(StoreError):
            piece = self.piece(position)
            if piece is not None:
                return piece.held(self._offsets)
            if position in self._ahead:
                return self._ahead.pop(position).held(self.name)
        return None

    def read_ahead(self, positions: Sequence[int]) -> None:
        """Begin to read samples, in order of their positions."""
        runs: list[list[int]] = []
        for position in positions:
            if position in self._ahead:
                continue
            if runs and self._offsets[position] - self._offsets[runs[-1][-1] + 1] <= GAP:
                runs[-1].append(position)
            else:
                runs.append([position])
        for run in map(self._start, runs):
            self._ahead.update(dict.fromkeys(run.positions, run))

    def sample(self, position: int) -> memoryview:
        """Return a sample's bytes, read now if they were not before."""
        piece = self.piece(position)
        if piece is not None:
            return piece.held(self._offsets).sample(position)
        run = self._ahead.pop(position) if position in self._ahead else self._start([position])
        return run.held(self.name).sample(position)

    def _start(self, positions: list[int]) -> "Run":
        start, end = self._offsets[positions[0]], self._offsets[positions[-1] + 1]
        offsets = {
            near: self._offsets[near] - start
            for position in positions
            for near in (position, position + 1)
        }
        return Run(positions, offsets, self._store.start(self._store.read(self.name, start, end)))


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of a tar that are read together."""

    positions: list[int]
    offsets: dict[int, int]
    data: "Future[bytes]"

    def held(self, name: str) -> HeldTar:
        """Return them as a tar."""
        return HeldTar(name, self.offsets, memoryview(self.data.result()))
