"""Prepared datasets as a webdataset pipeline: audio and token streams joined by their keys."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from wavemill.loader.adapters.shards import Shards
from wavemill.loader.corpus import Location
from wavemill.loader.sample import Sample
from wavemill.packages import require

Splitter = Callable[[Iterable[Any]], Iterable[Any]]


def web_dataset(
    data: Location | Sequence[Location],
    streams: Sequence[str] | None = None,
    *,
    audio: bool = False,
    shardshuffle: int = 0,
    nodesplitter: Splitter | None = None,
) -> Any:
    """Return a `webdataset.DataPipeline` over the shards of all buckets.

    Shards are split by node and by worker; `.shuffle`, `.map`, `.batched` and the others follow as
    of a `webdataset.WebDataset`. A sample is a dict: `__key__`; `__url__`, of its shard's cuts;
    `STREAM.npy`, ids [T, Q], uint8 or uint16, and on an irregular clock `STREAM_times.npy`,
    seconds [T, 2]; `txt`, the text; `json`, lhotse's cut; with audio `audio.npy`, float32 [N],
    mono, -1 to 1, and `sample_rate`.

    Args:
        data: the folder or URL of a prepared dataset, or of several.
        streams: the token streams to read; all that every dataset has if None.
        audio: read and decode audio, too.
        shardshuffle: shards that are shuffled at a time; they come bucket after bucket without.
        nodesplitter: splits shards by node; `webdataset.split_by_node` if None.

    Raises:
        DatasetError: a folder is no dataset; in iteration, a sample cannot be read.
        UsageError: webdataset is not installed; a dataset lacks a stream, or audio.

    """
    webdataset = require("webdataset", "readers", "web_dataset")
    shards = Shards(data, streams, audio=audio, decode=True)
    found = webdataset.FluidWrapper(webdataset.SimpleShardList(shards.names))
    found.append(nodesplitter or webdataset.split_by_node)
    found.append(webdataset.split_by_worker)
    if shardshuffle:
        found.append(webdataset.shuffle(shardshuffle))
    found.append(_Expand(shards))
    return found


class _Expand:
    """The stage that makes samples of shards."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._numbers = {url: number for number, url in enumerate(shards.names)}

    def __call__(self, source: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for item in source:
            for sample in self._shards.read(self._numbers[item["url"]]):
                yield {"__key__": sample.key, "__url__": item["url"], **_fields(sample)}


def _fields(sample: Sample) -> dict[str, Any]:
    # Copies, which may be written to: torch takes no others without a warning.
    fields: dict[str, Any] = {f"{name}.npy": ids.copy() for name, ids in sample.tokens.items()}
    fields |= {f"{name}_times.npy": times.copy() for name, times in sample.times.items()}
    if sample.audio is not None:
        fields |= {"audio.npy": sample.audio, "sample_rate": sample.sample_rate}
    return {**fields, "txt": sample.text, "json": sample.cut}
