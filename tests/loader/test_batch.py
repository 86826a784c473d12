import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavemill.errors import UsageError
from wavemill.loader import Sample, collate
from wavemill.loader.batch import Batch, map_tensors

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=6)
PAD_IDS = st.sampled_from([0, 7, 255, 256, 1024, 65535, 65536, -1, -100])


@given(LENGTHS, PAD_IDS, st.sampled_from([np.uint8, np.uint16]), st.integers(1, 3))
def test_ids_are_kept_and_the_rest_is_filled_up(
    lengths: list[int], pad_id: int, dtype: type[np.uint8 | np.uint16], codebooks: int
) -> None:
    dice = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    arrays = [
        dice.integers(0, top, (length, codebooks), dtype, endpoint=True) for length in lengths
    ]
    samples = [Sample(key=f"k{n}", tokens={"codec": array}) for n, array in enumerate(arrays)]
    batch = collate(samples, pad_id)
    ids = batch.tokens["codec"]
    assert ids.dtype == torch.int64
    assert ids.shape == (len(lengths), max(lengths), codebooks)
    assert batch.token_lengths["codec"].tolist() == lengths
    for row, array in zip(ids, arrays, strict=True):
        assert (row[: len(array)].numpy() == array).all()
        assert (row[len(array) :] == pad_id).all()


def test_audio_of_different_rates_is_not_put_side_by_side() -> None:
    samples = [
        Sample(key="a", audio=np.zeros(4, np.float32), sample_rate=16_000),
        Sample(key="b", audio=np.zeros(4, np.float32), sample_rate=8000),
    ]
    with pytest.raises(UsageError, match=r"8000 and 16000 Hz.*give sample_rate="):
        collate(samples)


def test_a_batch_moves_whole() -> None:
    samples = [Sample(key="a", tokens={"codec": np.ones((2, 3), np.uint8)})]
    moved = collate(samples).to("meta")
    assert moved.tokens["codec"].device.type == "meta"
    assert moved.token_lengths["codec"].device.type == "meta"
    assert moved.keys == ["a"]


def test_every_tensor_of_a_batch_is_mapped_and_nothing_else() -> None:
    batch = Batch(
        keys=["a"], datasets=torch.tensor([0]), tokens={"codec": torch.ones(1, 2, 3)},
        text=["hello"], state={"epoch": 1}, bucket="bucket-00",
    )  # fmt: skip
    mapped = map_tensors(batch, lambda tensor: tensor + 1)
    assert mapped.datasets.tolist() == [1]
    assert (mapped.tokens["codec"] == 2).all()
    assert (mapped.keys, mapped.text, mapped.state) == (["a"], ["hello"], {"epoch": 1})
    assert (mapped.bucket, mapped.audio) == ("bucket-00", None)
    nested = map_tensors({"a": [torch.ones(2), 3], "b": (torch.ones(1),)}, lambda t: t * 2)
    assert nested["a"][0].tolist() == [2, 2]
    assert nested["a"][1] == 3
    assert nested["b"][0].tolist() == [2]
