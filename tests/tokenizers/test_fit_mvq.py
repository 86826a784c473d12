"""Fitting: deterministic, better than chance, honest about its error; and the draw of frames."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from multi_quantization import Quantizer

from wavemill.errors import JobError, UsageError
from wavemill.tokenizers.fit_mvq import (
    FitMvqConfig,
    FittedMvq,
    _join_codebooks,
    fit_from_clips,
    fit_mvq,
    relative_error,
    save_model,
)
from wavemill.tokenizers.mvq import MvqConfig, MvqTokenizer
from wavemill.tokenizers.quantizer import DirectSumQuantizer
from wavemill.tokenizers.quantizer_files import load_quantizer
from wavemill.tokenizers.reservoir import FrameReservoir

SMALL = FitMvqConfig(codebooks=2, iterations=(60, 60), batch_frames=200, seed=4)


def frames(count: int = 3000, dim: int = 12) -> np.ndarray:
    random = np.random.default_rng(0)
    mixed = random.standard_normal((count, dim)) @ random.standard_normal((dim, dim))
    return (5 + mixed).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> FittedMvq:
    return fit_mvq(frames(), SMALL)


def test_the_same_seed_gives_the_same_weights_whatever_the_global_random_numbers(
    fitted: FittedMvq,
) -> None:
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = fit_mvq(frames(), SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    for name, part in fitted.quantizer.state_dict().items():
        assert torch.equal(part, again.quantizer.state_dict()[name]), name
    assert again.report == fitted.report


def test_another_seed_gives_another_id(fitted: FittedMvq) -> None:
    other = fit_mvq(frames(), FitMvqConfig(codebooks=2, iterations=(4, 4), seed=5))
    assert other.quantizer.id != fitted.quantizer.id


def test_a_fit_is_much_better_than_no_fit(fitted: FittedMvq) -> None:
    quantizer, mean, std, report = fitted
    x = (torch.from_numpy(frames()) - mean) / std
    untrained = DirectSumQuantizer(12, 2, 256, torch.Generator().manual_seed(0))
    assert relative_error(quantizer, x, 5) < 0.6 * relative_error(untrained, x, 5)
    errors = report["relative_error"]
    assert errors["0"] > errors["1"] > errors["5"] > 0
    assert report["held_out_frames"] == 150


def test_a_constant_dimension_does_no_harm() -> None:
    flat = frames()
    flat[:, 3] = -16.0
    fitted = fit_mvq(flat, FitMvqConfig(codebooks=1, iterations=(4, 4)))
    assert np.isfinite(fitted.report["relative_error"]["5"])


def test_fitting_leaves_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    fit_mvq(frames(), FitMvqConfig(codebooks=1, iterations=(4, 4), threads=before + 1))
    assert torch.get_num_threads() == before


def test_progress_counts_both_phases() -> None:
    calls: list[tuple[int, int, float]] = []
    config = FitMvqConfig(codebooks=1, iterations=(60, 10))
    fit_mvq(frames(), config, lambda *call: calls.append(call))
    assert [(done, total) for done, total, _ in calls] == [(50, 70), (60, 70), (70, 70)]
    assert all(error > 0 for *_, error in calls)


def test_joined_codebooks_hold_the_published_sums() -> None:
    torch.manual_seed(0)
    reference = Quantizer(6, 16, 4)
    expected = reference.get_product_quantizer()
    joined = _join_codebooks(DirectSumQuantizer.from_state(reference.state_dict()))
    for name, part in expected.state_dict().items():
        if name != "id_buf":
            torch.testing.assert_close(joined.state_dict()[name], part)


def clips() -> Iterator[np.ndarray]:
    random = np.random.default_rng(1)
    for _ in range(30):
        yield (0.1 * random.standard_normal(16_000)).astype(np.float32)


def test_a_model_fitted_on_clips_can_be_saved_and_used(tmp_path: Path) -> None:
    config = FitMvqConfig(codebooks=2, iterations=(4, 4), max_frames=2500)
    fitted = fit_from_clips(clips(), config)
    save_model(str(tmp_path / "model"), fitted)
    report = json.loads((tmp_path / "model/config.json").read_text("utf-8"))
    assert (report["seen_frames"], report["held_out_frames"]) == (3000, 125)
    tokenizer = MvqTokenizer(MvqConfig(model=str(tmp_path / "model")))
    assert tokenizer.facts.num_codebooks == 2
    assert tokenizer.model.quantizer.id == report["id"] == fitted.quantizer.id
    assert torch.equal(tokenizer.model.std, fitted.std)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path, fitted: FittedMvq) -> None:
    for name in ("one", "two"):
        save_model(str(tmp_path / name), fitted)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert load_quantizer(str(tmp_path / "one")).quantizer.id == fitted.quantizer.id


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"codebooks": 3}, "codebooks=3 must be 1, 2, 4"),
        ({"iterations": (3, 100)}, "each phase takes 4 or more"),
        ({"batch_frames": 0}, "batch_frames=0 must be more than 0"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0 must be more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be more than 0"),
        ({"learning_rate": float("inf")}, "learning_rate=inf must be more than 0 and at most 1"),
        ({"max_frames": 10**12}, "max_frames=1000000000000 must be"),
        ({"iterations": (4, 10**12)}, "10000000 at most"),
        ({"seed": -1}, "seed -1: give 0 to"),
        ({"seed": 2**63}, "seed 9223372036854775808: give 0 to"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FitMvqConfig(**settings)  # type: ignore[arg-type]


def test_frames_that_are_all_the_same_are_refused() -> None:
    same = np.full((2500, 12), -16, np.float32)
    with pytest.raises(JobError, match="all the same"):
        fit_mvq(same, FitMvqConfig(codebooks=1, iterations=(4, 4)))


@pytest.mark.parametrize("count", [0, 1999])
def test_too_few_frames_are_refused(count: int) -> None:
    with pytest.raises(JobError, match=f"{count} frames are too few"):
        fit_mvq(frames(count), SMALL)


def test_no_clips_at_all_are_refused() -> None:
    with pytest.raises(JobError, match="0 frames are too few"):
        fit_from_clips([], SMALL)


def test_frames_that_are_not_finite_are_refused() -> None:
    bad = frames()
    bad[7, 3] = np.nan
    with pytest.raises(JobError, match="not finite"):
        fit_mvq(bad, SMALL)


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(1, 60))
def test_the_draw_does_not_depend_on_how_the_stream_is_cut(sizes: list[int], room: int) -> None:
    stream = np.arange(sum(sizes), dtype=np.float32)[:, None]
    cut, whole = FrameReservoir(room, 0), FrameReservoir(room, 0)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        cut.add(stream[end - size : end])
    whole.add(stream)
    assert np.array_equal(cut.frames().ravel(), whole.frames().ravel())
    assert cut.seen == whole.seen == len(stream)
    kept = cut.frames().ravel().tolist()
    assert len(kept) == len(set(kept)) == min(room, len(stream))


def test_early_and_late_frames_are_drawn_alike() -> None:
    reservoir = FrameReservoir(5000, 1)
    for start in range(0, 50_000, 1000):
        reservoir.add(np.arange(start, start + 1000, dtype=np.float32)[:, None])
    halves = (reservoir.frames() < 25_000).mean()
    assert 0.47 < halves < 0.53
