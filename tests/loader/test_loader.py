"""The loader as a trainer uses it."""

import json
import pickle
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from tests.conftest import SPEECH
from tests.sharding.drawn import CODEC, clip_samples, make_dataset, token_samples
from wavemill.errors import DatasetError, JobError, UsageError
from wavemill.loader import Batch, Crop, Sample, ShardLoader
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lookup import find_sample, read_codes


def keys(batches: Iterable[Batch]) -> list[list[str]]:
    return [batch.keys for batch in batches]


def flat(batches: Iterable[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def test_an_epoch_holds_every_sample_once_with_its_tokens(tokens: Path) -> None:
    drawn = {sample.key: sample for sample in token_samples(400, 3.0)}
    batches = list(ShardLoader(tokens, batch_seconds=60))
    assert sorted(flat(batches)) == sorted(drawn)
    for batch in batches:
        ids, lengths = batch.tokens["codec"], batch.token_lengths["codec"]
        assert ids.dtype == lengths.dtype == torch.int64
        assert ids.shape == (len(batch), int(lengths.max()), 8)
        for row, length, key in zip(ids, lengths.tolist(), batch.keys, strict=True):
            assert (row[:length].numpy() == drawn[key].codes[0]).all()
            assert (row[length:] == 0).all()


def test_no_batch_is_over_its_limits(tokens: Path) -> None:
    for batch in ShardLoader(tokens, batch_seconds=60, batch_tokens=2500):
        assert len(batch) * int(batch.token_lengths["codec"].max()) <= 2500
    sizes = [len(batch) for batch in ShardLoader(tokens, batch_size=7)]
    assert max(sizes) == 7
    assert sum(sizes) == 400


def test_where_tokens_alone_count_batches_are_of_like_tokens(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    samples = [
        replace(sample, num_samples=int(16_000 * dice.uniform(0.5, 20)))
        for sample in token_samples(1500, 3.0)
    ]
    out = make_dataset(samples, tmp_path, "none", 2)
    padding = []
    for options in ({"batch_tokens": 2000}, {"batch_tokens": 2000, "batch_seconds": 1e6}):
        loader = ShardLoader(out, **options)
        assert len(flat(loader)) == 1500
        assert 0 < loader.statistics.seconds <= loader.statistics.padded_seconds
        padding.append(loader.statistics.padding["tokens"])
    assert padding[0] < 0.5 * padding[1]


def test_a_profile_gives_each_bucket_its_size(tokens: Path, tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("bucket_duration_bins: [2.0, 20.0]\nbucket_batch_size: [16, 3]\n")
    for batch in ShardLoader(tokens, profile=profile):
        longest = int(batch.token_lengths["codec"].max()) / 50
        assert len(batch) <= (16 if longest < 2 else 3)


def test_audio_is_that_of_the_files(clips: Path) -> None:
    seen = 0
    for batch in ShardLoader(clips, streams=[], audio=True, cuts=True, batch_seconds=30):
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        assert batch.audio.shape == (len(batch), int(batch.audio_lengths.max()))
        for wave, length, cut in zip(
            batch.audio, batch.audio_lengths, batch.cuts or [], strict=True
        ):
            assert length == cut["recording"]["num_samples"]
            assert float(wave[:length].abs().max()) > 0.01
            assert (wave[length:] == 0).all()
            seen += 1
    assert seen == 40
    first = next(iter(ShardLoader(clips, audio=True, batch_size=1)))
    original = sorted((SPEECH / "audio").rglob("*.flac"))[int(first.keys[0][-6:])]
    samples, rate = soundfile.read(original, dtype="float32")
    assert first.sample_rate == rate
    assert (first.audio[0].numpy() == samples).all()


def test_audio_is_resampled_on_demand(clips: Path) -> None:
    stored = next(iter(ShardLoader(clips, audio=True, batch_size=4)))
    batch = next(iter(ShardLoader(clips, audio=True, batch_size=4, sample_rate=8000)))
    assert batch.keys == stored.keys
    assert batch.sample_rate == 8000
    ratio = batch.audio_lengths / stored.audio_lengths * stored.sample_rate / 8000
    assert ratio.tolist() == pytest.approx([1] * 4, abs=1e-3)


def test_texts_and_cuts_come_with_their_samples(clips: Path) -> None:
    dataset = Dataset.open(str(clips))
    for batch in ShardLoader(clips, cuts=True, batch_size=9):
        assert batch.cuts is not None
        assert batch.text is not None
        assert [cut["id"] for cut in batch.cuts] == batch.keys
        found = find_sample(dataset, batch.keys[0])
        assert batch.cuts[0] == found.cut
        assert batch.text[0] == found.cut["supervisions"][0]["text"]
        assert (batch.tokens["codec"][0, : batch.token_lengths["codec"][0]].numpy()
                == read_codes(found, "codec")).all()  # fmt: skip


def test_times_come_with_streams_on_an_irregular_clock(clips: Path) -> None:
    for batch in ShardLoader(clips, streams=["syllables"], batch_size=9):
        times, lengths = batch.times["syllables"], batch.token_lengths["syllables"]
        assert times.shape == (*batch.tokens["syllables"].shape[:2], 2)
        for row, length in zip(times, lengths.tolist(), strict=True):
            assert (row[:length, 0] <= row[:length, 1]).all()


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_ranks_and_workers_share_an_epoch_exactly(
    tokens: Path, world_size: int, workers: int
) -> None:
    ranks = []
    for rank in range(world_size):
        loader = ShardLoader(tokens, batch_seconds=60, rank=rank, world_size=world_size, window=150)
        alone = list(loader.work())
        if workers:
            parts = [list(loader.work(worker, workers)) for worker in range(workers)]
            assert sorted(map(len, parts)) == sorted(len(alone[n::workers]) for n in range(workers))
            for worker, part in enumerate(parts):
                expected = [made.value.keys for made in alone[worker::workers]]
                assert [made.value.keys for made in part] == expected
        ranks.append([made.value for made in alone])
    assert len({len(own) for own in ranks}) == 1
    assert all(len({batch.bucket for batch in step}) == 1 for step in zip(*ranks, strict=True))
    assert Counter(flat(batch for own in ranks for batch in own)).most_common(1)[0][1] == 1
    assert sum(len(batch) for own in ranks for batch in own) == 400


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_processes_give_the_same_batches_in_the_same_order(tokens: Path) -> None:
    expected = list(ShardLoader(tokens, batch_seconds=60))
    for loader in (
        ShardLoader(tokens, batch_seconds=60, workers=2),
        ShardLoader(tokens, batch_seconds=60, threads=3),
        DataLoader(ShardLoader(tokens, batch_seconds=60), batch_size=None, num_workers=3),
    ):
        got = list(loader)
        assert keys(got) == keys(expected)
        assert [batch.state for batch in got] == [batch.state for batch in expected]
        assert (got[3].tokens["codec"] == expected[3].tokens["codec"]).all()


@pytest.mark.slow
def test_processes_may_be_spawned(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_seconds=60)
    spawned = DataLoader(loader, batch_size=None, num_workers=1, multiprocessing_context="spawn")
    assert keys(spawned) == keys(loader)


def test_it_resumes_after_any_batch_in_a_fresh_loader(tokens: Path) -> None:
    whole = list(ShardLoader(tokens, batch_seconds=60, window=150))
    for taken in range(1, len(whole)):
        state = json.loads(json.dumps(whole[taken - 1].state))
        fresh = ShardLoader(tokens, batch_seconds=60, window=150, workers=0, threads=1)
        fresh.load_state_dict(state)
        assert keys(fresh)[:2] == keys(whole[taken : taken + 2])


def test_the_state_is_that_after_the_last_batch_given_though_others_are_made_ahead(
    tokens: Path,
) -> None:
    ways: list[dict[str, Any]] = [{}, {"threads": 2}, {"workers": 2}]
    for options in ways:
        loader = ShardLoader(tokens, batch_seconds=60, **options)
        given = iter(loader)
        first = [next(given), next(given)]
        state = loader.state_dict()
        assert state == first[-1].state
        rest = ShardLoader(tokens, batch_seconds=60)
        rest.load_state_dict(state)
        assert sorted(flat([*first, *rest])) == sorted(flat(ShardLoader(tokens, batch_seconds=60)))


def test_it_resumes_on_another_number_of_ranks(tokens: Path) -> None:
    def ranks(world_size: int, state: Any) -> list[ShardLoader]:
        loaders = []
        for rank in range(world_size):
            loaders.append(
                ShardLoader(tokens, batch_seconds=60, rank=rank, world_size=world_size, window=150)
            )
            if state:
                loaders[-1].load_state_dict(state)
        return loaders

    seen, state = [], None
    for world_size, taken in ((2, 3), (3, 2), (1, 99)):
        for loader in ranks(world_size, state):
            given = [batch for batch, _ in zip(loader, range(taken), strict=False)]
            seen += flat(given)
            after = given[-1].state
        state = after
    assert sorted(seen) == sorted(flat(ShardLoader(tokens, batch_seconds=60)))


def test_each_iteration_is_an_epoch_of_its_own(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_seconds=60)
    epochs = [keys(loader), keys(loader)]
    assert loader.epoch == 2
    assert epochs[0] != epochs[1]
    loader.set_epoch(0)
    assert keys(loader) == epochs[0]
    assert loader.count_steps(0) == len(epochs[0])
    assert keys(pickle.loads(pickle.dumps(loader))) == epochs[1]


def test_processes_of_a_dataloader_count_their_epochs(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_seconds=60)
    epochs = [keys(loader), keys(loader)]
    loader = ShardLoader(tokens, batch_seconds=60)
    kept = DataLoader(loader, batch_size=None, num_workers=2, persistent_workers=True)
    assert [keys(kept), keys(kept)] == epochs
    again = DataLoader(loader, batch_size=None, num_workers=2)
    for epoch in (0, 1):
        loader.set_epoch(epoch)
        assert keys(again) == epochs[epoch]


def test_a_process_of_a_dataloader_goes_on_from_its_own_state(
    tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = keys(ShardLoader(tokens, batch_seconds=60))
    info = SimpleNamespace(id=1, num_workers=3)
    monkeypatch.setattr("wavemill.loader.loader.get_worker_info", lambda: info)
    loader = ShardLoader(tokens, batch_seconds=60)
    given = iter(loader)
    first = [next(given), next(given)]
    fresh = ShardLoader(tokens, batch_seconds=60)
    fresh.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert keys([*first, *fresh]) == whole[1::3]


def test_equal_settings_are_equal_however_they_are_written(tokens: Path) -> None:
    state = ShardLoader(tokens, batch_seconds=60, crop=Crop(seconds=2), buckets=9).state_dict()
    nine: Any = np.int64(9)
    other = ShardLoader(tokens, batch_seconds=60.0, crop=Crop(seconds=2.0), buckets=nine)
    other.load_state_dict(state)


def test_setting_the_epoch_it_is_in_keeps_its_place(tokens: Path) -> None:
    whole = list(ShardLoader(tokens, batch_seconds=60))
    loader = ShardLoader(tokens, batch_seconds=60)
    loader.load_state_dict(whole[4].state)
    loader.set_epoch(0)
    assert keys(loader) == keys(whole[5:])


def test_a_state_of_other_data_or_settings_is_refused(tokens: Path, clips: Path) -> None:
    state = ShardLoader(tokens, batch_seconds=60).state_dict()
    for other in (
        ShardLoader(tokens, batch_seconds=61),
        ShardLoader(tokens, batch_seconds=60, seed=1),
        ShardLoader([tokens, tokens], batch_seconds=60),
    ):
        with pytest.raises(UsageError, match="the state is of other"):
            other.load_state_dict(state)
    with pytest.raises(UsageError, match="other data"):
        ShardLoader(clips, batch_seconds=60).load_state_dict(state)
    damages: list[Any] = [
        {}, {**state, "window": 10**6}, {**state, "dealt": [[0, 1]]}, {**state, "epoch": "x"}, [],
    ]  # fmt: skip
    for damage in damages:
        with pytest.raises(JobError, match="start anew"):
            ShardLoader(tokens, batch_seconds=60).load_state_dict(damage)


def test_weights_mix_datasets_in_their_shares(tokens: Path, clips: Path) -> None:
    loader = ShardLoader({str(tokens): 1.0, str(clips): 1.0}, streams=["codec"], batch_seconds=60)
    counts = Counter[int]()
    for batch in loader:
        counts.update(batch.datasets.tolist())
    assert counts[0] == 400
    assert counts[1] == pytest.approx(400, abs=3)
    even = ShardLoader([tokens, clips], streams=["codec"], batch_seconds=60)
    counts = Counter(number for batch in even for number in batch.datasets.tolist())
    assert counts == {0: 400, 1: 40}


def test_crops_take_tokens_and_audio_of_the_same_place(clips: Path) -> None:
    loader = ShardLoader(clips, audio=True, cuts=True, crop=Crop(seconds=1.0), batch_size=8)
    dataset = Dataset.open(str(clips))
    starts = set()
    for batch in loader:
        assert batch.tokens["codec"].shape[1] <= 50
        assert batch.audio is not None
        assert batch.audio_lengths is not None
        for number, key in enumerate(batch.keys):
            found = find_sample(dataset, key)
            codes = read_codes(found, "codec")
            length = int(batch.token_lengths["codec"][number])
            piece = batch.tokens["codec"][number, :length].numpy()
            assert length == min(50, len(codes))
            start = next(n for n in range(len(codes)) if (codes[n : n + length] == piece).all())
            original = sorted((SPEECH / "audio").rglob("*.flac"))[int(key[-6:])]
            samples, rate = soundfile.read(original, dtype="float32")
            first = start * rate // 50
            size = int(batch.audio_lengths[number])
            assert size == min(rate, len(samples))
            assert (batch.audio[number, :size].numpy() == samples[first : first + size]).all()
            starts.add(start)
    assert len(starts) > 10


def test_crops_fill_batches_by_their_own_lengths(tokens: Path) -> None:
    loader = ShardLoader(tokens, crop=Crop(seconds=0.5), batch_seconds=10)
    batches = list(loader)
    assert max(len(batch) for batch in batches) >= 20
    assert loader.statistics.padding["tokens"] < 0.1


def test_a_collate_of_ones_own_gets_samples(tokens: Path) -> None:
    def lengths(samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        return {"lengths": torch.tensor([len(sample.tokens["codec"]) for sample in samples])}

    loader = ShardLoader(tokens, batch_seconds=60, collate=lengths)
    total = sum(int(batch["lengths"].sum()) for batch in loader)
    assert total == sum(len(sample.codes[0]) for sample in token_samples(400, 3.0))


def test_statistics_are_those_of_the_batches(tokens: Path) -> None:
    loader = ShardLoader(tokens, batch_seconds=60)
    real = padded = 0
    for batch in loader:
        real += int(batch.token_lengths["codec"].sum())
        padded += batch.tokens["codec"].shape[0] * batch.tokens["codec"].shape[1]
    found = loader.statistics
    assert (found.samples, found.tokens, found.padded_tokens) == (400, real, padded)
    assert found.padding["tokens"] == pytest.approx(1 - real / padded)
    assert 0 < found.waited <= found.elapsed
    line = str(found)
    assert line.startswith("rank 0: ")
    assert "400 samples" in line
    assert "waited" in line
    assert json.loads(json.dumps(found.as_json()))["samples"] == 400


def test_torchruns_variables_say_which_rank_it_is(
    tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    given = keys(ShardLoader(tokens, batch_seconds=60))
    assert given == keys(ShardLoader(tokens, batch_seconds=60, rank=1, world_size=2))
    assert given != keys(ShardLoader(tokens, batch_seconds=60, rank=0, world_size=2))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing limits a batch"),
        ({"batch_seconds": 60, "streams": ["mvq"]}, "has no token stream 'mvq'; it has: codec"),
        ({"batch_seconds": 60, "audio": True}, "holds no audio"),
        ({"batch_seconds": 60, "streams": []}, "no token stream"),
        ({"batch_seconds": 60, "count": "mvq"}, "mvq"),
        ({"batch_seconds": 60, "rank": 1}, "both rank and world_size"),
        ({"batch_seconds": 60, "rank": 2, "world_size": 2}, "ranks count from 0"),
        ({"batch_seconds": 60, "device": "tpu0"}, "device"),
        ({"batch_seconds": 60, "device": "cuda:7"}, "CUDA devices"),
        ({"batch_size": 3, "profile": "x.yaml"}, "not both"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_seconds": 60, "window": 0}, "window"),
        ({"batch_seconds": 60, "sample_rate": 0}, "sample_rate"),
    ],
)
def test_settings_that_cannot_be_are_told_in_a_line(
    tokens: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ShardLoader(tokens, **options)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_are_told_in_a_line(tokens: Path, clips: Path) -> None:
    for weights, words in (((0.0, 1.0), "above 0"), ((1.0, 1e9), "less weight")):
        places = dict(zip((str(tokens), str(clips)), weights, strict=True))
        with pytest.raises(UsageError, match=words):
            ShardLoader(places, streams=["codec"], batch_seconds=60)


def test_streams_of_other_tokenizers_are_not_mixed(tokens: Path, tmp_path: Path) -> None:
    other = CODEC.__class__(**{**vars(CODEC), "weights_digest": "another"})
    made = make_dataset(clip_samples(SPEECH / "audio", 4, (other,)), tmp_path, "none", 1, (other,))
    with pytest.raises(UsageError, match="weights_digest is another, not drawn"):
        ShardLoader([tokens, made], batch_seconds=60)


def test_what_is_no_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="correct the path"):
        ShardLoader(tmp_path / "nothing", batch_seconds=60)
    with pytest.raises(UsageError, match="no dataset"):
        ShardLoader([], batch_seconds=60)


def test_arrays_of_samples_cannot_be_written_to(tokens: Path) -> None:
    def keep(samples: Sequence[Sample]) -> list[Any]:
        return [sample.tokens["codec"] for sample in samples]

    array = next(iter(ShardLoader(tokens, batch_seconds=60, collate=keep)))[0]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = np.uint16(1)
