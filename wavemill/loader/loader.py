"""The loader: datasets in, padded batches out."""

import itertools
import operator
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from wavemill.errors import UsageError
from wavemill.loader.ahead import Ahead
from wavemill.loader.batch import Batch, Collate, collate
from wavemill.loader.blend import repeats
from wavemill.loader.corpus import Corpus, Location, urls_of
from wavemill.loader.handover import hand_over
from wavemill.loader.machine import default_rank, default_threads, open_tars
from wavemill.loader.making import Made, Maker, without_gaps
from wavemill.loader.order import Order, budget_of
from wavemill.loader.pool import in_threads, in_workers
from wavemill.loader.progress import Progress, from_state, to_state
from wavemill.loader.reader import Reader
from wavemill.loader.sample import Crop
from wavemill.loader.sources import THREADS, Sources
from wavemill.loader.split import Split
from wavemill.loader.statistics import Statistics
from wavemill.loader.steps import Rank, Step, steps
from wavemill.loader.wanted import Wanted
from wavemill.loader.windows import Windows
from wavemill.sharding.batches import BatchConfig
from wavemill.specs import MAX_SEED, check_range
from wavemill.tokenizers.device import Place

WINDOW = 1 << 16
"""Samples that are planned together; more take longer to resume, fewer pad more."""
AHEAD = 2
"""Batches that are made ahead by each thread or process."""


TAKEN = "taken"


class ShardLoader(IterableDataset[Any]):
    """Padded batches of prepared datasets: full, even over ranks, resumable.

    Each `iter` gives what is left of the epoch; the next one gives the next epoch. The order is a
    pure function of the datasets, the settings, the seed and the epoch. `state_dict` says where it
    stands after the last batch given, in a few numbers; with them it goes on at once, also on
    another number of ranks, with other workers, or on another machine. Use one iterator at a time.

    Inside torch's `DataLoader(loader, batch_size=None, num_workers=N)` batches and their order are
    the same. But a loader there is copied to the processes: call `set_epoch` before each epoch
    (without `persistent_workers`, which count epochs themselves and hear nothing from here), and
    save `batch.state`. The loader's own `workers=` need neither.

        loader = ShardLoader("prepared", batch_seconds=360, device="cuda")
        for batch in loader:
            loss = model(batch.tokens["mvq"], batch.token_lengths["mvq"])
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own, given by name
        self,
        data: Location | Sequence[Location] | Mapping[str, float],
        *,
        streams: Sequence[str] | None = None,
        audio: bool = False,
        sample_rate: int | None = None,
        cuts: bool = False,
        crop: Crop | None = None,
        batch_seconds: float | None = None,
        batch_tokens: int | None = None,
        batch_area: float | None = None,
        batch_size: int | None = None,
        profile: Location | None = None,
        count: str | None = None,
        pool: float = 3.5,
        buckets: int = 30,
        sub_buckets: int = 5,
        window: int = WINDOW,
        temperature: float = 1.0,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        accumulate: int = 1,
        split: Split | None = None,
        device: str | torch.device | None = None,
        threads: int | None = None,
        workers: int = 0,
        cache: Location | None = None,
        cache_gb: float = 100.0,
        skip_damaged: bool = False,
        collate: Collate = collate,
    ) -> None:
        """Open datasets; no shard is read yet.

        Args:
            data: the folder or URL of a prepared dataset, of several, or of several with weights:
                the shares that samples of each should have. Without weights each sample comes once.
            streams: the token streams to load; all that every dataset has if None.
            audio: load audio, too, as mono.
            sample_rate: resample audio to it; without it all audio must be of one rate.
            cuts: load lhotse's cuts with the texts.
            crop: take pieces of the samples.
            batch_seconds: padded audio that a batch may hold.
            batch_tokens: padded tokens (steps of time) that a batch may hold.
            batch_area: padded seconds times tokens that a batch may hold.
            batch_size: samples that a batch may hold.
            profile: a YAML file with a size for each bucket, as `wavemill profile` writes it.
            count: the stream whose tokens count; the longest of each sample if None.
            pool: batches' worth of like samples that a batch is drawn from; more pad more and
                repeat fewer neighbours in the next epoch.
            buckets: cuts by duration, for `Batch.bucket`.
            sub_buckets: cuts of each by tokens.
            window: about how many samples are planned, and mixed, at once; many times what all
                ranks take at a step, since each window ends with a step of what is left.
            temperature: raises weights (or sizes) to `1 / temperature`.
            seed: of all that is drawn.
            rank: which of the ranks this is; by torch.distributed or torchrun's variables if None.
            world_size: how many ranks there are.
            accumulate: batches of each rank that make up a step of the optimizer. A step on one
                rank that accumulates two batches has those of a step on two ranks, in their order;
                in the midst of a step the state is still that before it.
            split: load a part of the samples, or what is left; all if None.
            device: where batches go: `cpu` or `cuda`, `cuda:1`.
            threads: that make batches; if None, as many as there are cores where audio is decoded,
                and 4 or more where a store is read by ranges.
            workers: processes that make batches instead, for a collate that computes much.
            cache: a folder of this machine's disk for copies of what lies on a store; its processes
                share it.
            cache_gb: 10^9 bytes that the folder may hold; least recently used files go first.
            skip_damaged: leave out and count samples that cannot be read; all ranks must see the
                same files then.
            collate: makes a batch of samples.

        Raises:
            DatasetError: a folder is no dataset.
            UsageError: settings contradict each other or the data.

        """
        urls = urls_of(data)
        weights = list(data.values()) if isinstance(data, Mapping) else None
        check_range("window", window, 1, 1 << 31)
        check_range("sample_rate", sample_rate, 100, 10**7)
        check_range("accumulate", accumulate, 1, 1 << 20)
        check_range("workers", workers, 0, 4096)
        check_range("threads", threads, 0, 4096)
        self._corpus = Corpus(urls, streams, audio=audio)
        self._wanted = Wanted(
            streams=self._corpus.streams,
            audio=audio,
            sample_rate=sample_rate,
            cuts=cuts,
            crop=crop,
            counted=count,
            split=split,
        )
        config = BatchConfig(
            budget=budget_of(
                seconds=batch_seconds,
                tokens=batch_tokens,
                area=batch_area,
                size=batch_size,
                profile=profile,
            ),
            pool=pool,
            num_buckets=buckets,
            num_sub_buckets=sub_buckets,
            seed=seed,
        )
        often = repeats(self._corpus.samples, weights, temperature)
        self._order = Order(self._corpus, self._wanted, config, often, window)
        self._collate, self._skip = collate, skip_damaged
        self._rank = default_rank(rank, world_size, accumulate)
        self._sources = Sources(urls, cache, cache_gb, self._rank.world_size)
        self._device = torch.device(Place(device=str(device or "cpu")).check("ShardLoader").device)
        self._workers, self._threads = workers, threads
        self._progress = Progress()
        self._taken = 0
        """Batches that this process of a DataLoader gave of its share, from there on."""
        self.statistics = Statistics(rank=self._rank.rank)
        """Of the batches given since `iter`."""

    @property
    def epoch(self) -> int:
        """The epoch that the next batch is of, from 0."""
        return self._progress.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of another epoch; where it stands in this one is kept."""
        check_range("epoch", epoch, 0, MAX_SEED)
        if epoch != self._progress.epoch:
            self._progress, self._taken = Progress(epoch=operator.index(epoch)), 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the loader stands after the last batch it gave: plain JSON values.

        Inside a process of a `DataLoader`, where that process stands, for
        `torchdata.StatefulDataLoader`. Outside of it a loader knows nothing of its processes: there
        `Batch.state` is right.
        """
        state = to_state(self._progress, self._order.identity)
        return state if get_worker_info() is None else {**state, TAKEN: self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, of this loader or of one with other ranks, workers or device.

        Raises:
            JobError: it is not a state.
            UsageError: it is of other datasets or of other settings of the order.

        """
        self._progress = from_state(state, self._order.identity, self._order.windows_an_epoch)
        self._taken = int(state.get(TAKEN, 0))

    def count_steps(self, epoch: int | None = None) -> int:
        """Count the batches that each rank gets in an epoch, by planning all of it.

        Epochs differ by a few, so a loader has no length.
        """
        progress = Progress(epoch=self.epoch if epoch is None else epoch)
        windows = self._windows(self._reader())
        prepare = self._ahead(1).of(windows, samples=False)
        return sum(1 for _ in steps(windows, progress, self._rank, prepare))

    def __iter__(self) -> Iterator[Any]:
        """Yield what is left of the epoch."""
        worker = get_worker_info()
        if worker is not None:
            if self._device.type != "cpu" or self._workers:
                raise UsageError("inside a DataLoader, give a ShardLoader no device and no workers")
            yield from self._share(worker.id, worker.num_workers)
            return
        made = in_workers(self.work, self._workers, AHEAD) if self._workers else self.work()
        yield from self._counted(hand_over(without_gaps(made, self._all), self._device))

    def _share(self, worker: int, workers: int) -> Iterator[Any]:
        """Yield what is one process's of a `DataLoader`; it keeps count of its epochs itself."""
        made = self.work(worker, workers, self._taken)
        epoch = self._progress.epoch
        for batch in without_gaps(made, self._all):
            self._taken += 1
            yield self._with_state(batch)
        self._progress, self._taken = Progress(epoch=epoch + 1), 0

    def _counted(self, made: Iterator[Made]) -> Iterator[Any]:
        """Yield batches, and note where the loader stands and how long each was waited for."""
        self.statistics = statistics = Statistics(rank=self._rank.rank)
        epoch = self._progress.epoch
        began = asked = time.perf_counter()
        for batch in made:
            now = time.perf_counter()
            statistics.add(batch.counts)
            statistics.waited += now - asked
            statistics.elapsed = now - began
            self._progress = batch.after
            yield self._with_state(batch)
            asked = time.perf_counter()
        # Also where not a single step was left.
        self._progress = Progress(epoch=epoch + 1)

    def _with_state(self, made: Made) -> Any:
        if isinstance(made.value, Batch):
            made.value.state = to_state(made.after, self._order.identity)
        return made.value

    def _all(self) -> Iterator[Made]:
        """Make all batches of the epoch, those of other ranks too, for one that can be read."""
        reader = self._reader()
        begin = Progress(epoch=self._progress.epoch)
        return map(self._maker(reader).make, steps(self._windows(reader), begin, Rank()))

    def work(self, worker: int = 0, workers: int = 1, taken: int = 0) -> Iterator[Made]:
        """Make what is one process's of several of this rank's batches, but for some at first."""
        reader = self._reader(workers)
        windows = self._windows(reader)
        ahead = self._ahead(workers)
        found: Iterator[Step] = steps(windows, self._progress, self._rank, ahead.of(windows))
        if workers > 1:
            found = (step for number, step in enumerate(found) if number % workers == worker)
        found = itertools.islice(found, taken, None)
        threads = self._threads
        if threads is None:
            threads = default_threads() if self._wanted.audio and workers == 1 else 0
            if self._sources.waits(ahead.sample_bytes, self._order.window):
                threads = max(threads, THREADS)
        return in_threads(self._maker(reader).make, found, threads, AHEAD * threads)

    def _maker(self, reader: Reader) -> Maker:
        return Maker(reader=reader, wanted=self._wanted, collate=self._collate, skip=self._skip)

    def _windows(self, reader: Reader) -> Windows:
        return self._order.windows(reader, skip=self._skip)

    def _reader(self, workers: int = 1) -> Reader:
        return Reader(self._corpus, self._wanted, self._sources.open(workers), open_tars())

    def _ahead(self, workers: int) -> Ahead:
        return Ahead(self._corpus, self._wanted, self._sources.open(workers))
