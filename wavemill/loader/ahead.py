"""What a window will need, told to the sources before it is planned."""

from collections.abc import Callable, Iterable, Sequence

from wavemill.loader.corpus import Corpus
from wavemill.loader.source import LocalSource, Need, Source
from wavemill.loader.wanted import Wanted
from wavemill.loader.windows import Windows
from wavemill.sharding import layout


class Ahead:
    """Tells sources what to fetch."""

    def __init__(self, corpus: Corpus, wanted: Wanted, sources: Sequence[Source]) -> None:
        """Tell the source of each dataset; several may have the same."""
        self._corpus, self._wanted, self._sources = corpus, wanted, sources

    @property
    def sample_bytes(self) -> float:
        """What a sample takes in the tars that are read, on average."""
        shards = self._corpus.shards
        sizes = (
            shard.files[name][0]
            for shard in shards
            for name in (layout.tar_name(stream, shard.number) for stream in self._wanted.names)
            if name in shard.files
        )
        return sum(sizes) / max(sum(shard.samples for shard in shards), 1)

    def of(self, windows: Windows, *, samples: bool = True) -> Callable[[int, int], None]:
        """Return what has a window fetched, by its epoch and number.

        Args:
            windows: of the epochs.
            samples: whether samples will be read, and not lengths alone.

        """
        if all(isinstance(source, LocalSource) for source in self._sources):
            return lambda *_: None
        return lambda epoch, number: self._tell(windows.pieces(epoch, number), samples)

    def _tell(self, pieces: Iterable[tuple[int, int, int]], samples: bool) -> None:  # noqa: FBT001
        needs: dict[int, list[Need]] = {id(source): [] for source in self._sources}
        for shard, first, last in pieces:
            source = self._sources[self._corpus.shards[shard].dataset]
            needs[id(source)].append(self._need(shard, first, last, samples=samples))
        for source in {id(source): source for source in self._sources}.values():
            source.prepare(needs[id(source)])

    def _need(self, shard: int, first: int, last: int, *, samples: bool) -> Need:
        ref = self._corpus.shards[shard]
        tars = [layout.tar_name(name, ref.number) for name in self._wanted.names]
        whole = [layout.lengths_name(ref.number)]
        if samples and self._wanted.cuts:
            whole.append(layout.cuts_name(ref.number))
        return Need(shard=ref, first=first, last=last, tars=tars if samples else [], whole=whole)
