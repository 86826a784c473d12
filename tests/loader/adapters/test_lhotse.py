"""lhotse's view of datasets is what the loader gives."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lhotse import CutSet
from lhotse.dataset.sampling import DynamicBucketingSampler
from torch.utils.data import DataLoader, IterableDataset

from tests.loader.adapters.conftest import Loaded
from tests.loader.test_faults import overwrite
from wavemill.errors import DatasetError, UsageError
from wavemill.loader.adapters import cut_set

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def test_cuts_hold_the_samples_of_the_loader(data: Path, loaded: Loaded) -> None:
    samples = loaded(data)
    cuts = cut_set(data, audio=False)
    assert isinstance(cuts, CutSet)
    assert cuts.is_lazy
    assert len(cuts) == len(samples)
    seen = set()
    for cut in cuts:
        sample = samples[cut.id]
        assert cut.supervisions[0].text == sample.text
        for name, ids in sample.tokens.items():
            assert np.array_equal(getattr(cut, f"load_{name}")(), ids)
        for name, times in sample.times.items():
            assert np.array_equal(getattr(cut, f"load_{name}_times")(), times)
        seen.add(cut.id)
    assert seen == samples.keys()


def test_audio_is_that_of_the_loader(clips: Path, loaded: Loaded) -> None:
    samples = loaded(clips, streams=[], audio=True)
    seen = set()
    for cut in cut_set(clips, streams=[]):
        assert np.array_equal(cut.load_audio()[0], samples[cut.id].audio)
        assert not cut.has_custom("codec")
        seen.add(cut.id)
    assert seen == samples.keys()


def test_any_cut_is_read_alone_and_the_cuts_may_be_pickled(clips: Path) -> None:
    cuts = cut_set(clips)
    ids = [cut.id for cut in cuts]
    copy = pickle.loads(pickle.dumps(cuts))
    assert [copy[number].id for number in (0, 17, -1)] == [ids[0], ids[17], ids[-1]]
    assert np.array_equal(copy[17].load_audio(), cuts[17].load_audio())
    with pytest.raises(IndexError, match="cut 40 of 40"):
        cuts[40]


def test_lhotses_own_reader_gives_equal_cuts(clips: Path) -> None:
    ours = {cut.id: cut for cut in cut_set(clips)}
    fields = {"cuts": "cuts.*.jsonl", "recording": "audio_*.tar", "codec": "codec_*.tar"}
    found = {name: sorted(map(str, clips.glob(f"bucket-*/{p}"))) for name, p in fields.items()}
    for theirs in CutSet.from_shar(fields=found):
        own = ours.pop(theirs.id)
        assert own.recording == theirs.recording
        assert own.codec == theirs.codec
        assert own.supervisions == theirs.supervisions
    assert not ours


def test_its_samplers_take_it(clips: Path) -> None:
    cuts = cut_set(clips)
    sampler = DynamicBucketingSampler(
        cuts, max_duration=20, num_buckets=3, shuffle=True, world_size=1, rank=0
    )
    seen = []
    for batch in sampler:
        assert sum(cut.duration for cut in batch) <= 20
        seen += [cut.id for cut in batch if cut.load_codec().shape[1] == 8]
    assert sorted(seen) == sorted(cut.id for cut in cuts)


def test_shards_are_shuffled_and_split_on_demand(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [cut.id for cut in cut_set(clips)]
    shuffled = cut_set(clips, shuffle_shards=True, seed=3)
    first, second = ([cut.id for cut in shuffled] for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(stored)
    assert first != second
    monkeypatch.setenv("WORLD_SIZE", "2")
    parts = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        parts += [cut.id for cut in cut_set(clips, split_for_dataloading=True)]
    assert sorted(parts) == sorted(stored)
    assert parts != stored


class Ids(IterableDataset[str]):
    """The ids of cuts, read in a worker."""

    def __init__(self, cuts: Any) -> None:
        self.cuts = cuts

    def __iter__(self) -> Any:
        return (cut.id for cut in self.cuts)


def test_workers_share_shards(clips: Path) -> None:
    cuts = cut_set(clips, split_for_dataloading=True)
    next(iter(cuts))
    seen = list(DataLoader(Ids(cuts), batch_size=None, num_workers=2))
    assert sorted(seen) == sorted(cut.id for cut in cut_set(clips))


def test_what_is_damaged_is_named(damaged: Path) -> None:
    overwrite("codec_000000.tar", 0, b"\xff" * 512)(damaged)
    with pytest.raises(DatasetError, match=r"codec_000000\.tar: sample 0 is damaged"):
        list(cut_set(damaged, audio=False))


def test_what_cannot_be_is_told(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="holds no audio"):
        cut_set(tokens)
    monkeypatch.setitem(sys.modules, "lhotse", None)
    with pytest.raises(UsageError, match=r"pip install 'wavemill\[readers\]'") as caught:
        cut_set(tokens, audio=False)
    assert "\n" not in str(caught.value)
