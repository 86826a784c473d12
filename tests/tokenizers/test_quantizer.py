"""The quantizer gives the ids of the published package, with its state dicts, and its errors."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multi_quantization import Quantizer
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.tokenizers import refinement
from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.quantizer import DirectSumQuantizer
from wavemill.tokenizers.quantizer_files import FeatureQuantizer, load_quantizer


def published(dim: int, codebooks: int, size: int = 256, seed: int = 0) -> Quantizer:
    torch.manual_seed(seed)
    quantizer = Quantizer(dim, size, codebooks)
    with torch.no_grad():
        quantizer.logits_scale.fill_(0.03)
        quantizer.centers_scale.fill_(0.05)
    return quantizer


def published_ids(quantizer: Quantizer, x: Tensor, refinements: int) -> Tensor:
    with torch.no_grad():
        parts = [quantizer.encode(part, refinements, as_bytes=False) for part in x.split(64)]
    return torch.cat(parts).to(torch.uint8)


def frames(count: int, dim: int, seed: int = 1) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("refinements", [0, 1, 5])
@pytest.mark.parametrize(
    ("dim", "codebooks", "count"),
    [
        (80, 4, 1000),
        (80, 8, 300),
        (256, 16, 60),
        (512, 8, 60),
        pytest.param(80, 4, 10_000, marks=pytest.mark.slow),
        pytest.param(80, 8, 5000, marks=pytest.mark.slow),
        pytest.param(256, 16, 2000, marks=pytest.mark.slow),
        pytest.param(512, 8, 2000, marks=pytest.mark.slow),
    ],
)
def test_ids_equal_the_published_ones(
    dim: int, codebooks: int, count: int, refinements: int
) -> None:
    reference = published(dim, codebooks)
    ours = DirectSumQuantizer.from_state(reference.state_dict())
    x = frames(count, dim)
    ids, theirs = ours.encode(x, refinements), published_ids(reference, x, refinements)
    if count < 1000:
        assert torch.equal(ids, published_ids(reference.double(), x.double(), refinements))
    # With wide frames here and there (one in a thousand) two candidates fit equally well to
    # float32's seven digits. Then the rounding of the published sums decides: they differ from the
    # same computed in doubles, which ours equal.
    differ = (ids != theirs).any(dim=1)
    assert int(differ.sum()) <= (0 if dim == 80 else 1 + 0.003 * count)
    mine, others = (
        (reference.float().decode(part) - x).square().sum(dim=1) for part in (ids, theirs)
    )
    torch.testing.assert_close(mine, others, rtol=1e-5, atol=0)


@pytest.mark.parametrize("threads", [1, 2])
def test_ids_do_not_depend_on_threads_or_on_the_frames_beside_them(threads: int) -> None:
    quantizer = DirectSumQuantizer(80, 4, 256, torch.Generator().manual_seed(0))
    x = frames(600, 80)
    expected = quantizer.encode(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = [quantizer.encode(part) for part in x.split([1, 2, 96, 501])]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.cat(parts), expected)


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("codebooks", [1, 2, 8, 16])
def test_small_codebooks_are_searched_as_published(codebooks: int, size: int) -> None:
    reference = published(24, codebooks, size)
    ours = DirectSumQuantizer.from_state(reference.state_dict())
    x = frames(300, 24)
    assert torch.equal(ours.encode(x, 2), published_ids(reference, x, 2))


def test_the_two_ways_to_compute_an_interaction_agree_up_to_a_constant() -> None:
    tables = refinement.Tables.of(frames(8 * 16, 20).view(8, 16, 20))
    rows = tables.rows(torch.randint(16, (6, 8), generator=torch.Generator().manual_seed(0)))
    a, b = rows[:, :4].view(6, 1, 2, 2), rows[:, 4:].view(6, 1, 2, 2)
    at, bt = a[:, :, :1], b[:, :, 1:]
    by_vectors = refinement._interaction_by_vectors(tables, a, b, at, bt)
    by_gram = refinement._interaction_by_gram(tables, a, b, at, bt)
    apart = by_vectors - by_gram
    torch.testing.assert_close(apart, apart[:, :, :1, :1].expand_as(apart), rtol=0, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 16, 64]), st.integers(1, 16))
def test_the_smallest_are_found_with_ties_and_negatives(seed: int, size: int, count: int) -> None:
    random = np.random.default_rng(seed)
    scores = torch.from_numpy(random.integers(-4, 5, (3, 2, size)).astype(np.float32))
    count = min(count, size)
    places = refinement._smallest(scores, count)
    expected = scores.sort(dim=2).values[..., :count]
    assert torch.equal(scores.gather(2, places).sort(dim=2).values, expected)
    assert all(len(set(row)) == count for row in places.view(-1, count).tolist())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 700), st.integers(0, 5))
def test_ids_have_one_row_a_frame_whatever_the_number_of_frames(count: int, passes: int) -> None:
    quantizer = DirectSumQuantizer(8, 2, 256, torch.Generator().manual_seed(3))
    ids = quantizer.encode(frames(count, 8), passes)
    assert ids.shape == (count, 2)
    assert ids.dtype == torch.uint8


def test_refinement_lowers_the_error() -> None:
    quantizer = DirectSumQuantizer.from_state(published(32, 4).state_dict())
    x = frames(500, 32)
    errors = [(quantizer.decode(quantizer.encode(x, n)) - x).square().sum() for n in (0, 1, 5)]
    assert errors[0] > errors[1] > errors[2]


def test_decoding_equals_the_published_one() -> None:
    reference = published(40, 4)
    ours = DirectSumQuantizer.from_state(reference.state_dict())
    ids = ours.encode(frames(50, 40))
    torch.testing.assert_close(ours.decode(ids), reference.decode(ids))


def test_changed_centres_change_the_ids_at_once() -> None:
    quantizer = DirectSumQuantizer(16, 2, 256, torch.Generator().manual_seed(0))
    x = frames(100, 16)
    before = quantizer.encode(x)
    with torch.no_grad():
        quantizer.centers.mul_(-1)
    state = quantizer.state_dict()
    assert not torch.equal(quantizer.encode(x), before)
    assert torch.equal(quantizer.encode(x), DirectSumQuantizer.from_state(state).encode(x))


def test_building_a_quantizer_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    DirectSumQuantizer(16, 2, 256, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("layout", ["bare", "spear", "safetensors"])
def test_published_files_load_with_their_id(tmp_path: Path, layout: str) -> None:
    reference = published(12, 2)
    state = reference.state_dict()
    mean, std = frames(2, 12).abs() + 0.5
    if layout == "safetensors":
        path = tmp_path / "model.safetensors"
        safetensors.torch.save_file({**state, "mean": mean, "std": std}, path)
    else:
        path = tmp_path / "quantizer.pt"
        torch.save(
            state if layout == "bare" else {"quantizer": state, "mean": mean, "std": std}, path
        )
    loaded = load_quantizer(str(path))
    x = frames(64, 12)
    normal = x if layout == "bare" else (x - mean) / std
    assert loaded.quantizer.id == reference.get_id()
    ids = loaded.encode(x.numpy(), 3)
    assert np.array_equal(ids, published_ids(reference, normal, 3).numpy())


def test_features_come_back_at_their_own_level() -> None:
    quantizer = DirectSumQuantizer(6, 4, 256, torch.Generator().manual_seed(0))
    model = FeatureQuantizer(quantizer, torch.full((6,), 50.0), torch.full((6,), 0.5))
    features = (50 + 0.3 * frames(40, 6)).numpy()
    decoded = model.decode(model.encode(features, 5))
    assert decoded.shape == features.shape
    assert np.abs(decoded - features).mean() < 0.3


def test_a_published_quantizer_takes_our_state() -> None:
    ours = DirectSumQuantizer(16, 2, 256, torch.Generator().manual_seed(0))
    ours.stamp()
    reference = published(16, 2)
    reference.load_state_dict(ours.state_dict())
    assert reference.get_id() == ours.id
    x = frames(50, 16)
    assert torch.equal(ours.encode(x), published_ids(reference, x, 5))


def test_the_digest_follows_values_names_and_shapes_but_not_order() -> None:
    one, two = torch.zeros(4), torch.ones(4)
    same = digest_tensors({"a": one, "b": two})
    assert same == digest_tensors({"b": two, "a": one})
    others = [{"a": two, "b": one}, {"a": one, "c": two}, {"a": one.view(2, 2), "b": two}]
    assert same not in map(digest_tensors, others)


class Trap:
    """Would print on being unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("the pickle ran",)


def test_a_pickle_that_would_run_code_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trap.pt"
    torch.save({"quantizer": Trap()}, path)
    with pytest.raises(UsageError, match="would run code") as caught:
        load_quantizer(str(path))
    assert "\n" not in str(caught.value)
    assert not capsys.readouterr().out


def broken(**changes: Tensor | None) -> dict[str, Tensor]:
    state = {**published(12, 2).state_dict(), **changes}
    return {name: part.clone() for name, part in state.items() if part is not None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"centers": None}, "centers missing"),
        ({"centers": torch.zeros(2, 256)}, r"centers must be \[N, K, D\]"),
        ({"centers": torch.zeros(3, 256, 12)}, "powers of two"),
        ({"centers": torch.zeros(2, 256, 13)}, r"to_logits.weight must be \[512, 13\]"),
        ({"id_buf": torch.zeros(7, dtype=torch.uint8)}, r"id_buf must be \[8\]"),
        ({"mean": torch.zeros(13)}, "mean and std must have 12 values"),
        ({"std": torch.zeros(12)}, "std must be positive"),
    ],
)
def test_a_broken_state_is_refused(
    tmp_path: Path, changes: dict[str, Tensor | None], words: str
) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(broken(**changes), path)
    with pytest.raises(UsageError, match=words):
        load_quantizer(str(path))


def test_codebooks_that_are_not_of_256_entries_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(published(12, 2, 16).state_dict(), path)
    with pytest.raises(UsageError, match="codebooks of 16 entries"):
        load_quantizer(str(path))


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
@pytest.mark.parametrize("content", [b"", b"neither of the two"])
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        load_quantizer(str(tmp_path / name))


def test_a_pickle_that_holds_no_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "model.pt")
    with pytest.raises(UsageError, match="no state dict but a Tensor"):
        load_quantizer(str(tmp_path / "model.pt"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no quantizer at"):
        load_quantizer(str(tmp_path / "absent.pt"))
