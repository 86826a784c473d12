"""What a run learns from: prepared datasets, or folders of hypotheses; and who gives its batches.

The loop knows only `Loader`. What a folder is says what lies in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.hypotheses.folder import FACTS, HypothesesFolder
from wavemill.hypotheses.loader import HypothesesLoader
from wavemill.loader import Crop, ShardLoader
from wavemill.loader.split import Split
from wavemill.loader.statistics import Statistics
from wavemill.models.facts import data_facts
from wavemill.models.recipe import DataFacts, Needs
from wavemill.models.training.settings import TrainSettings
from wavemill.sharding.dataset import Dataset


class Loader(Protocol):
    """Gives the batches of an epoch, and of the next one at the next `iter`.

    Batches have a `state`; on their order and on what `load_state_dict` does see `ShardLoader`.
    """

    statistics: Statistics

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of a batch."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield what is left of the epoch."""
        ...


class Data(Protocol):
    """Folders of one kind."""

    facts: DataFacts
    digests: list[str]
    """Of each folder."""

    def train(
        self, needs: Needs, training: TrainSettings, *, weights: Sequence[float] = (), **more: Any
    ) -> Loader:
        """Give what is trained on.

        Args:
            needs: of the recipe.
            training: how large batches are, and what share is held out.
            weights: of the folders; by their sizes if there are none.
            more: device, profile, seed and ranks, as `ShardLoader` takes them.

        Raises:
            UsageError: settings contradict each other or the data.

        """
        ...

    def held_out(self, needs: Needs, training: TrainSettings, **more: Any) -> Loader | None:
        """Give what is held out of these folders; None where nothing is."""
        ...

    def validate(self, needs: Needs, training: TrainSettings, **more: Any) -> Loader:
        """Give all that other folders than the training's have to validate with."""
        ...


def open_data(urls: Sequence[str]) -> Data:
    """Open folders.

    Raises:
        DatasetError: one is neither a dataset nor a folder of hypotheses.
        UsageError: they are of both kinds.

    """
    kinds = {storage.is_file(storage.join(url, FACTS)) for url in urls}
    if len(kinds) > 1:
        raise UsageError("--data: give prepared datasets or folders of hypotheses, not both")
    return HypothesesData(urls) if kinds == {True} else ShardData(urls)


class ShardData:
    """Prepared datasets."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Open them.

        Raises:
            DatasetError: one is none.

        """
        datasets = [Dataset.open(url) for url in urls]
        self._urls = list(urls)
        self.facts = data_facts(datasets[0])
        self.digests = [one.content["digest"] for one in datasets]

    def train(
        self, needs: Needs, training: TrainSettings, *, weights: Sequence[float] = (), **more: Any
    ) -> ShardLoader:
        """Give what is trained on."""
        share = training.held_out
        data = dict(zip(self._urls, weights, strict=True)) if weights else self._urls
        split = Split(share=share) if share else None
        return _shards(data, needs, training, split=split, **more)

    def held_out(self, needs: Needs, training: TrainSettings, **more: Any) -> ShardLoader | None:
        """Give the share that is held out."""
        if not training.held_out:
            return None
        split = Split(share=training.held_out, held_out=True)
        return _shards(self._urls, needs, training, crops_begin=True, split=split, **more)

    def validate(self, needs: Needs, training: TrainSettings, **more: Any) -> ShardLoader:
        """Give all of it."""
        return _shards(self._urls, needs, training, crops_begin=True, **more)


def _shards(
    data: Any, needs: Needs, training: TrainSettings, *, crops_begin: bool = False, **more: Any
) -> ShardLoader:
    crop = needs.crop_seconds and Crop(seconds=needs.crop_seconds, random=not crops_begin)
    return ShardLoader(
        data,
        streams=list(needs.streams),
        audio=needs.sample_rate is not None,
        sample_rate=needs.sample_rate,
        cuts=needs.text,
        crop=crop or None,
        batch_seconds=training.batch_seconds,
        batch_tokens=training.batch_tokens,
        batch_size=training.batch_size,
        **more,
    )


class HypothesesData:
    """Folders of hypotheses: `train` is trained on, `validation` is what is held out."""

    facts = DataFacts(streams={}, has_audio=False, has_hypotheses=True)

    def __init__(self, urls: Sequence[str]) -> None:
        """Open them.

        Raises:
            DatasetError: one is none.

        """
        self._folders = [HypothesesFolder.open(url) for url in urls]
        self.digests = [folder.digest for folder in self._folders]

    def train(
        self, needs: Needs, training: TrainSettings, *, weights: Sequence[float] = (), **more: Any
    ) -> HypothesesLoader:
        """Give the split `train`, but for the share that is held out of it."""
        del needs
        split = Split(share=training.held_out) if training.held_out else None
        return self._loader(training, ("train",), weights=weights, split=split, **more)

    def held_out(
        self, needs: Needs, training: TrainSettings, **more: Any
    ) -> HypothesesLoader | None:
        """Give the share of `train` that is held out, or the split `validation` if there is any."""
        del needs
        if training.held_out:
            split = Split(share=training.held_out, held_out=True)
            return self._loader(training, ("train",), split=split, **more)
        found = (one for folder in self._folders for one in folder.utterances("validation"))
        if not any(one.reference is not None and one.hypotheses for one in found):
            return None
        return self._loader(training, ("validation",), **more)

    def validate(self, needs: Needs, training: TrainSettings, **more: Any) -> HypothesesLoader:
        """Give all of it."""
        del needs
        return self._loader(training, (), **more)

    def _loader(
        self, training: TrainSettings, splits: Sequence[str], *, profile: str | None, **more: Any
    ) -> HypothesesLoader:
        if training.batch_seconds is not None or profile is not None:
            raise UsageError(
                "hypotheses have no seconds to count: give --batch-size or --batch-tokens, and no"
                " --profile"
            )
        return HypothesesLoader(
            self._folders,
            splits=splits,
            batch_tokens=training.batch_tokens,
            batch_size=training.batch_size,
            **more,
        )
