"""Find samples that are copies of others but for gain, codec, sample rate, a shift, some noise.

faiss finds each sample's neighbours by their embeddings, on a GPU where it has one; their waves
then decide. Of each group the first in the order of the input is kept, and what is left out is
alike to that one itself: a chain of likenesses takes nothing away.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.copies import nearly_same_as
from wavemill.packages import require
from wavemill.pipelines.alike import LAG_SECONDS, SIMILAR, similarity
from wavemill.pipelines.duplicates import STAGE
from wavemill.pipelines.fingerprint import EMBEDDING_SIZE, Floats, Wave
from wavemill.pipelines.leave_out import Why, leave_out, names_of
from wavemill.pipelines.survey import Survey, SurveyConfig
from wavemill.records import NEAR_DUPLICATE
from wavemill.spool import UnitReader, unit_url

NUM_NEIGHBOURS = 10
NEAR = 0.9
"""The least product of embeddings that is looked into."""
EXACT_SEARCH = 50_000
"""Up to so many samples all are compared with all."""
_SAMPLES_A_LIST = 256
_MOST_LISTS = 1024
_LISTS_LOOKED_INTO = 16
_AT_ONCE = 4096


def require_faiss() -> Any:
    """Import faiss.

    Raises:
        UsageError: it is not installed; the message has the pip line.

    """
    return require("faiss", "dedup", "--dedup")


def drop_near_copies(
    found: Survey, units: Sequence[str], config: SurveyConfig, stage: str
) -> Survey:
    """Leave one sample of each group of near-duplicates.

    Args:
        found: the samples.
        units: the units they lie in.
        config: where these are.
        stage: the spool folder of their fingerprints.

    """
    prints = Fingerprints(found, [unit_url(config.spool, stage, unit) for unit in units])
    copies = near_copies(prints, found.lengths.seconds)
    names = names_of(found, units, config, [*copies, *(kept for kept, _ in copies.values())])
    why = {
        copy: Why(
            stage=STAGE,
            reason=NEAR_DUPLICATE,
            detail=nearly_same_as(names[kept]["id"], like),
        )
        for copy, (kept, like) in copies.items()
    }
    return leave_out(found, names, why)


class Fingerprints:
    """The fingerprints of a survey's samples, by their positions in it."""

    def __init__(self, found: Survey, places: Sequence[str]) -> None:
        """Read from the units' files at `places`."""
        self._unit, self._row = found.lengths.unit, found.lengths.row
        self._open = lru_cache(maxsize=64)(lambda unit: UnitReader(places[unit]))
        self.wave = lru_cache(maxsize=512)(self._wave)

    def __len__(self) -> int:
        return len(self._unit)

    def embeddings(self, start: int, stop: int) -> Floats:
        """Return those of the samples from one position to another, [N, D] float32."""
        stored = [self._field("embedding", at) for at in range(start, stop)]
        flat = np.frombuffer(b"".join(stored), "<f2").astype(np.float32)
        return flat.reshape(stop - start, EMBEDDING_SIZE)

    def _wave(self, position: int) -> Wave:
        return np.frombuffer(self._field("wave", position), np.int8)

    def _field(self, name: str, position: int) -> memoryview:
        return self._open(int(self._unit[position])).buffer(name, int(self._row[position]))


def near_copies(
    prints: Fingerprints, seconds: npt.NDArray[np.float64]
) -> dict[int, tuple[int, float]]:
    """Map each near-duplicate to the sample that is kept in its place, and how similar they are."""
    linked: dict[int, set[int]] = defaultdict(set)
    for one, other in _candidates(prints, seconds):
        if similarity(prints.wave(one), prints.wave(other)) >= SIMILAR:
            linked[one].add(other)
            linked[other].add(one)
    copies: dict[int, tuple[int, float]] = {}
    for group in _groups(linked):
        copies.update(_stars(group, prints))
    return copies


def _stars(group: list[int], prints: Fingerprints) -> Iterator[tuple[int, tuple[int, float]]]:
    """Yield the samples of a group that are alike to its first; then do so with the rest."""
    while group:
        kept, rest = group[0], []
        for other in group[1:]:
            like = similarity(prints.wave(kept), prints.wave(other))
            if like >= SIMILAR:
                yield other, (kept, like)
            else:
                rest.append(other)
        group = rest


def _groups(linked: dict[int, set[int]]) -> Iterator[list[int]]:
    """Yield what hangs together, each group in order."""
    seen: set[int] = set()
    for start in sorted(linked):
        group, waiting = [], [start]
        while waiting:
            if (one := waiting.pop()) not in seen:
                seen.add(one)
                group.append(one)
                waiting += linked[one]
        if group:
            yield sorted(group)


def _candidates(
    prints: Fingerprints, seconds: npt.NDArray[np.float64]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of positions that are worth a look, the lower first, each once, in order."""
    if len(prints) < 2:
        return
    pairs: set[tuple[int, int]] = set()
    with _one_thread() as faiss:
        index = _index(prints, faiss)
        for start in range(0, len(prints), _AT_ONCE):
            stop = min(start + _AT_ONCE, len(prints))
            products, found = index.search(prints.embeddings(start, stop), NUM_NEIGHBOURS + 1)
            rows, columns = np.nonzero((products >= NEAR) & (found >= 0))
            ones, others = rows + start, found[rows, columns]
            close = np.abs(seconds[ones] - seconds[others]) <= LAG_SECONDS
            lower, upper = np.minimum(ones, others), np.maximum(ones, others)
            these = (lower < upper) & close
            pairs.update(zip(lower[these].tolist(), upper[these].tolist(), strict=True))
    yield from sorted(pairs)


@contextlib.contextmanager
def _one_thread() -> Iterator[Any]:
    """Give faiss, which sums alike on every run as long as it has one thread."""
    faiss = require_faiss()
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield faiss
    finally:
        faiss.omp_set_num_threads(threads)


def _index(prints: Fingerprints, faiss: Any) -> Any:
    """Put all embeddings into an index of inner products; a large one is searched in parts."""
    number = len(prints)
    index = faiss.IndexFlatIP(EMBEDDING_SIZE)
    if number > EXACT_SEARCH:
        lists = min(_MOST_LISTS, number // _SAMPLES_A_LIST)
        what = f"IVF{lists},SQfp16"
        index = faiss.index_factory(EMBEDDING_SIZE, what, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = _LISTS_LOOKED_INTO
    if faiss.get_num_gpus() > 0:
        index = faiss.index_cpu_to_all_gpus(index)
    if not index.is_trained:
        index.train(prints.embeddings(0, EXACT_SEARCH))
    for start in range(0, number, _AT_ONCE):
        index.add(prints.embeddings(start, min(start + _AT_ONCE, number)))
    return index
