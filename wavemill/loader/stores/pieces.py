"""Pieces of tars on a store, fetched into memory before a window needs them."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from wavemill.loader.stores.store import Store
from wavemill.loader.tars import HeldTar

AT_ONCE = 16
"""Pieces that are fetched together."""
MAX_PIECE = 64 << 20
"""Bytes; a store sends several pieces faster than one of their size."""


@dataclass(kw_only=True)
class Piece:
    """Samples that lie one after the other in a tar."""

    url: str
    first: int
    last: int
    """The sample after the last."""
    start: int
    """Where in the tar the first begins."""
    end: int
    window: int = 0
    """The last window that needs it, counted from when the loader began."""
    data: "Future[bytes]" = field(default_factory=Future)
    _held: HeldTar | None = None

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.start

    def held(self, offsets: Sequence[int]) -> HeldTar:
        """Return it as a tar, once it is fetched.

        Raises:
            StoreError: the store does not give it.

        """
        if self._held is None:
            # Those of samples outside are not asked for.
            own = [offset - self.start for offset in offsets] if self.start else offsets
            self._held = HeldTar(self.url, own, memoryview(self.data.result()))
        return self._held


def cut_pieces(url: str, offsets: Sequence[int], first: int, last: int) -> list[Piece]:
    """Cut samples of a tar into pieces of at most `MAX_PIECE` bytes, or of one sample."""
    pieces = []
    while first < last:
        until = first + 1
        while until < last and offsets[until + 1] - offsets[first] <= MAX_PIECE:
            until += 1
        pieces.append(
            Piece(url=url, first=first, last=until, start=offsets[first], end=offsets[until])
        )
        first = until
    return pieces


class Pieces:
    """Those that are held: of the window that is read and the next one, and of others by chance."""

    def __init__(self, store: Store, limit: int) -> None:
        """Hold at most so many bytes, half of them for one window."""
        self._store, self._limit = store, limit
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._by_url: dict[str, tuple[Piece, ...]] = {}
        self._window = self._bytes = self._needed = 0

    def of(self, url: str) -> tuple[Piece, ...]:
        """Return what is held of a tar, or on its way."""
        return self._by_url.get(url, ())

    def next_window(self) -> None:
        """Begin to take the pieces of a window; those of the one before the last may go."""
        self._window += 1
        self._needed = 0

    def take(self, piece: Piece) -> bool:
        """Begin to fetch a piece that the window needs; False if there is no room for it."""
        if self._needed + piece.size > self._limit // 2:
            return False
        for old in self.of(piece.url):
            if old.data.done() and old.data.exception() is not None:
                self._drop(old)
            elif (old.first, old.last) == (piece.first, piece.last):
                old.window = self._window
                self._needed += old.size
                return True
        self._make_room(piece.size)
        if self._bytes + piece.size > self._limit:
            return False
        piece.window = self._window
        self._needed += piece.size
        self._bytes += piece.size
        piece.data = self._store.start(self._fetch(piece))
        self._by_url[piece.url] = (*self.of(piece.url), piece)
        return True

    async def _fetch(self, piece: Piece) -> bytes:
        async with self._turn:
            return await self._store.read(piece.url, piece.start, piece.end)

    def _make_room(self, size: int) -> None:
        """Let go of what neither this window nor the one before it needs, oldest first."""
        over = self._bytes + size - self._limit
        if over <= 0:
            return
        old = (piece for pieces in self._by_url.values() for piece in pieces)
        for piece in sorted(old, key=lambda piece: piece.window):
            if over <= 0 or piece.window >= self._window - 1:
                return
            self._drop(piece)
            over -= piece.size

    def _drop(self, piece: Piece) -> None:
        kept = tuple(other for other in self.of(piece.url) if other is not piece)
        self._by_url[piece.url] = kept
        self._bytes -= piece.size
