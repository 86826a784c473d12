"""`kmeans`: fitting, files, and ids that depend on the clip alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import SPEECH, wavemill
from tests.tokenizers.teachers import tiny
from wavemill.errors import JobError, UsageError
from wavemill.specs import Spec
from wavemill.tokenizers import make_tokenizer
from wavemill.tokenizers.base import Tokenizer
from wavemill.tokenizers.fit_kmeans import (
    FitKmeansConfig,
    fit_from_clips,
    fit_kmeans,
    save_model,
)
from wavemill.tokenizers.kmeans import KmeansConfig, KmeansTokenizer
from wavemill.tokenizers.teachers.base import Clip, TeacherConfig
from wavemill.tokenizers.teachers.table import make_teacher

SMALL = FitKmeansConfig(units=40, iterations=5)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return tiny.real_clips()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> Path:
    """Units of a small HuBERT's second layer, with the HuBERT beside them."""
    place = tmp_path_factory.mktemp("units")
    tiny.speech_encoder(place / "hubert", "hubert")
    config = TeacherConfig(name="hubert", model=str(place / "hubert"), layer=2)
    save_model(str(place / "model"), fit_from_clips(clips, SMALL, make_teacher(config)))
    return place


def load(folder: Path, **settings: Any) -> KmeansTokenizer:
    return KmeansTokenizer(KmeansConfig(model=str(folder / "model"), **settings))


def blobs(count: int = 4000, units: int = 8) -> np.ndarray:
    random = np.random.default_rng(0)
    centers = 10 * random.standard_normal((units, 6))
    x = centers[random.integers(units, size=count)] + 0.1 * random.standard_normal((count, 6))
    return x.astype(np.float32)


def test_a_fit_finds_what_is_there_and_says_how_well() -> None:
    fitted = fit_kmeans(blobs(), FitKmeansConfig(units=8, restarts=8))
    assert fitted.centroids.shape == (8, 6)
    assert fitted.report["relative_error"] < 0.001
    assert fitted.report["used_units"] == 8
    assert (fitted.report["fitted_frames"], fitted.report["held_out_frames"]) == (3800, 200)


def test_the_same_frames_and_seed_give_the_same_centroids() -> None:
    one, two = (fit_kmeans(blobs(), SMALL) for _ in range(2))
    other = fit_kmeans(blobs(), FitKmeansConfig(units=40, iterations=5, seed=1))
    assert torch.equal(one.centroids, two.centroids)
    assert not torch.equal(one.centroids, other.centroids)
    assert one.report == two.report


def test_ids_are_those_of_the_nearest_centroid(folder: Path, clips: list[Clip]) -> None:
    made = load(folder)
    facts = made.facts
    assert isinstance(made, Tokenizer)
    assert (facts.kind, facts.sample_rate, facts.frame_rate) == ("kmeans", 16_000, 50.0)
    assert (facts.num_codebooks, facts.codebook_size) == (1, 40)
    centroids = made._nearest._centers_DK.T
    for clip, codes in zip(clips, made.encode(clips), strict=True):
        features = torch.from_numpy(made.teacher.features(clip))
        expected = torch.cdist(features.double(), centroids).argmin(dim=1)
        assert codes.shape == (len(features), 1)
        assert codes.dtype == np.uint8
        assert np.array_equal(codes[:, 0], expected.numpy())


def test_a_clip_has_the_same_ids_alone_in_a_batch_and_in_another_order(
    folder: Path, clips: list[Clip]
) -> None:
    made = load(folder)
    together = made.encode(clips)
    backwards = made.encode(clips[::-1])[::-1]
    for clip, one, other in zip(clips, together, backwards, strict=True):
        assert np.array_equal(made.encode([clip])[0], one)
        assert np.array_equal(one, other)
        assert len(one) >= 1


@pytest.mark.slow
def test_another_process_gives_the_same_ids_and_facts(folder: Path, clips: list[Clip]) -> None:
    made = load(folder)
    np.save(folder / "clip.npy", clips[0])
    program = (
        "import sys, numpy; from wavemill.tokenizers.kmeans import *;"
        "made = KmeansTokenizer(KmeansConfig(model=sys.argv[1] + '/model'));"
        "codes = made.encode([numpy.load(sys.argv[1] + '/clip.npy')])[0];"
        "print(codes[:, 0].tolist(), made.facts.digest)"
    )
    expected = f"{made.encode([clips[0]])[0][:, 0].tolist()} {made.facts.digest}"
    assert tiny.in_another_process(program, folder) == expected


def test_a_moved_teacher_is_found_where_it_is_said_to_be(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(folder / "hubert")
    moved = load(folder, teacher_model=str(tmp_path / "elsewhere"))
    assert moved.facts.weights_digest == load(folder).facts.weights_digest


def test_a_teacher_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    tiny.speech_encoder(tmp_path / "other", "hubert", intermediate_size=48)
    with pytest.raises(UsageError, match=r"features must be .* fit it again"):
        load(folder, teacher_model=str(tmp_path / "other"))


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", b"{", "is not JSON"),
        ("config.json", b"[]", "must be a JSON object"),
        ("config.json", b'{"teacher": 3}', "teacher must be an object"),
        ("config.json", b'{"teacher": {"name": ["x"]}}', "the name must be text"),
        ("config.json", b'{"teacher": {"layer": "x"}}', "layer='x' must be 0 or more"),
        ("config.json", b'{"features": "logmel80-1"}', "32 dimensions, not the 80"),
        ("config.json", None, "a model is a folder that `wavemill fit kmeans` wrote"),
        ("model.safetensors", b"no", "is not a safetensors file"),
        ("model.safetensors", None, "there is no checkpoint"),
    ],
)
def test_a_broken_model_is_one_clear_line(
    folder: Path, tmp_path: Path, file: str, content: bytes | None, words: str
) -> None:
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "model" / name).write_bytes((folder / "model" / name).read_bytes())
    if content is None:
        (tmp_path / "model" / file).unlink()
    else:
        (tmp_path / "model" / file).write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kmeans needs model: kmeans:model="):
        make_tokenizer(Spec(name="kmeans"))
    with pytest.raises(UsageError, match=r"no folder .* `wavemill fit kmeans` wrote"):
        KmeansTokenizer(KmeansConfig(model=str(tmp_path / "absent")))
    for settings, words in (
        ({"units": 1}, "units=1 must be 2 to 65536"),
        ({"iterations": 0}, "iterations=0 must be 1 or more"),
        ({"seed": -1}, "seed=-1 must be 0"),
    ):
        with pytest.raises(UsageError, match=words):
            FitKmeansConfig(**settings)
    with pytest.raises(JobError, match="60 frames are too few to fit 40 units"):
        fit_kmeans(blobs(60), SMALL)
    with pytest.raises(JobError, match="not finite"):
        fit_kmeans(np.full((200, 3), np.nan, np.float32), SMALL)


def test_faiss_missing_is_one_line_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(UsageError, match=r"fitting kmeans needs faiss .*\[units\]"):
        fit_kmeans(blobs(), SMALL)


@pytest.mark.slow
def test_the_command_line_fits_units_and_uses_them(tmp_path: Path) -> None:
    tiny.speech_encoder(tmp_path / "hubert", "hubert")
    sounds = sorted((SPEECH / "audio").glob("*.flac"))[:8]
    done = wavemill("fit", "kmeans", *sounds, "--out", tmp_path / "units", "--teacher", "hubert",
                    "--teacher-model", tmp_path / "hubert", "--layer", 1, "--units", 20,
                    "--quiet", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert (done.json["units"], done.json["teacher"]["layer"]) == (20, 1)
    assert json.loads((tmp_path / "units/config.json").read_text("utf-8"))["dim"] == 32
    made = wavemill("prepare", *sounds, "--out", tmp_path / "out", "--quiet", "--json",
                    "--tokenizer", f"kmeans:model={tmp_path / 'units'}")  # fmt: skip
    assert made.code == 0, made.err
    checked = wavemill("lint", tmp_path / "out", "--json")
    assert checked.code == 0, checked.out
