"""Fitting units, and their files."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tests.conftest import SPEECH, wavemill
from tests.tokenizers.hubert_files import write_hubert
from wavemill import tokenizers
from wavemill.errors import JobError, UsageError
from wavemill.tokenizers.fit_sylber import FitUnitsConfig, fit_from_clips, fit_units
from wavemill.tokenizers.units import Units, Vectors, load_units, save_units


def clusters(points: int = 2000, centers: int = 12, dim: int = 16) -> tuple[Vectors, Vectors]:
    """Draw points around centers that lie far apart; return both."""
    random = np.random.default_rng(0)
    means = 10 * random.standard_normal((centers, dim))
    which = random.integers(0, centers, points)
    vectors = means[which] + 0.1 * random.standard_normal((points, dim))
    return vectors.astype(np.float32), means.astype(np.float32)


def test_a_fit_puts_units_where_the_vectors_are() -> None:
    vectors, _ = clusters()
    few = fit_units(vectors, FitUnitsConfig(units=4))
    many = fit_units(vectors, FitUnitsConfig(units=40))
    assert many.centroids.shape == (40, 16)
    assert (many.centroids.dtype.name, many.vectors) == ("float32", 2000)
    assert many.relative_error < 0.1 * few.relative_error
    nearest = many.centroids[Units(many.centroids).nearest(vectors)].astype(np.float64)
    spread = np.square(vectors - vectors.mean(axis=0)).sum()
    assert np.square(vectors - nearest).sum() / spread == pytest.approx(
        many.relative_error, rel=0.05
    )


def test_the_same_vectors_and_seed_give_the_same_units() -> None:
    vectors, _ = clusters()
    one, same, other = (fit_units(vectors, FitUnitsConfig(units=20, seed=s)) for s in (0, 0, 1))
    assert np.array_equal(one.centroids, same.centroids)
    assert not np.array_equal(one.centroids, other.centroids)


def test_clips_are_embedded_and_those_without_syllables_do_no_harm() -> None:
    vectors, _ = clusters()
    clips = [vectors[:700].ravel(), np.zeros(0, np.float32), vectors[700:].ravel()]
    config = FitUnitsConfig(units=20)
    fitted = fit_from_clips(
        clips, lambda clip: (clip.reshape(-1, 16), np.zeros((0, 2), np.float32)), config
    )
    assert np.array_equal(fitted.centroids, fit_units(vectors, config).centroids)


def test_what_cannot_be_fitted_is_refused() -> None:
    vectors, _ = clusters(points=10)
    with pytest.raises(JobError, match="10 syllables are too few for 11 units"):
        fit_units(vectors, FitUnitsConfig(units=11))
    vectors[0, 0] = np.nan
    with pytest.raises(JobError, match="not finite"):
        fit_units(vectors, FitUnitsConfig(units=5))
    for settings in ({"units": 0}, {"units": 65_537}, {"iterations": 0}, {"max_vectors": 0}):
        with pytest.raises(UsageError, match="must be 1"):
            FitUnitsConfig(**settings)


def test_the_command_writes_units_that_the_tokenizer_takes(tmp_path: Path) -> None:
    write_hubert(tmp_path / "hubert", num_hidden_layers=9)
    out = tmp_path / "units.safetensors"
    clip = min((SPEECH / "audio").glob("*.flac"))
    done = wavemill("fit", "sylber", clip, "--out", out, "--model", tmp_path / "hubert",
                    "--units", 5, "--quiet", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["units"] == 5
    assert done.json["syllables"] > 20
    made = tokenizers.load(f"sylber:model={tmp_path / 'hubert'},units={out}")
    assert made.facts.codebook_size == 5
    refused = wavemill("fit", "sylber", clip, "--out", tmp_path / "units.pt")
    assert refused.code == 2
    assert "must be a .safetensors file" in refused.err


def test_nearest_is_what_distances_say() -> None:
    vectors, means = clusters()
    far = np.square(vectors[:, None].astype("f8") - means).sum(axis=2)
    assert np.array_equal(Units(means).nearest(vectors), far.argmin(axis=1))
    assert Units(means).nearest(vectors[:0]).shape == (0,)


def test_files_of_units_are_read_as_they_were_written(tmp_path: Path) -> None:
    _, means = clusters()
    save_units(str(tmp_path / "a.safetensors"), means)
    np.save(tmp_path / "b.npy", means)
    np.save(tmp_path / "c.npy", means.astype(np.float64))
    for name in ("a.safetensors", "b.npy", "c.npy"):
        assert np.array_equal(load_units(str(tmp_path / name), 16, "x").centroids, means)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.npy", None, "there is no file of units"),
        ("absent.safetensors", None, "there is no checkpoint"),
        ("units.txt", b"1 2", r"must be a \.npy or \.safetensors file"),
        ("text.npy", b"no array", "not an array that numpy wrote"),
        ("wide.npy", np.zeros((3, 7), np.float32), r"\[K, 16\]; it holds float32 \[3, 7\]"),
        ("flat.npy", np.zeros(16, np.float32), r"it holds float32 \[16\]"),
        ("none.npy", np.zeros((0, 16), np.float32), "1 to 65536 centroids"),
        ("whole.npy", np.zeros((3, 16), np.int64), "no finite numbers"),
        ("nan.npy", np.full((3, 16), np.nan, np.float32), "no finite numbers"),
        ("code.npy", np.array([{}], object), "not an array that numpy wrote"),
        ("code2.npy", pickle.dumps({}), "not an array that numpy wrote"),
        ("two.safetensors", {"a": np.zeros(1), "b": np.zeros(1)}, "must hold one tensor"),
    ],
)
def test_files_that_hold_no_units_are_refused(
    tmp_path: Path, name: str, content: Any, words: str
) -> None:
    place = tmp_path / name
    if isinstance(content, bytes):
        place.write_bytes(content)
    elif isinstance(content, dict):
        place.write_bytes(safetensors.numpy.save(content))
    elif content is not None:
        np.save(place, content, allow_pickle=True)
    with pytest.raises(UsageError, match=words):
        load_units(str(place), 16, "sylber")
