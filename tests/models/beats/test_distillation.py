from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.models.beats.drawn import DATA, TINY, batch_of, noise, shaken
from tests.tokenizers.teachers import tiny as small
from wavemill.errors import JobError, UsageError
from wavemill.models.beats.codebook import Codebook
from wavemill.models.beats.distillation import FILE, BeatsTokenizerRecipe
from wavemill.models.beats.distilled import BeatsTokenizerModel
from wavemill.models.beats.encoder import BeatsNet, Sizes, count_patches
from wavemill.models.beats.microsoft import checkpoint
from wavemill.models.memory.predict import Predictor
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe, recipe_of
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer

TEACHER = Sizes(layers=1, width=16, heads=2, feed=16, dropout=0.0)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    net = shaken(BeatsNet(TEACHER))
    assert isinstance(net, BeatsNet)
    run = tmp_path_factory.mktemp("teacher")
    (run / "beats.pt").write_bytes(checkpoint(net, TEACHER))
    return run


def tiny(teacher: Path, *settings: str) -> tuple[BeatsTokenizerRecipe, BeatsTokenizerModel]:
    torch.manual_seed(0)
    given = [*TINY, "estimator_layers=1", f"teacher={teacher}", *(settings or ["words=24"])]
    recipe = make_recipe("beats-tokenizer", "small", given, DATA)
    assert isinstance(recipe, BeatsTokenizerRecipe)
    return recipe, recipe.build()


def test_it_begins_with_its_teacher_and_with_words_from_the_data(teacher: Path) -> None:
    pytest.importorskip("faiss")
    recipe, model = tiny(teacher)
    audio_BN, samples_B = noise(1.1, 2.0, 0.7)
    recipe.begin(model, iter([batch_of(audio_BN, samples_B)]))
    expected = torch.load(teacher / "beats.pt", weights_only=True)["model"]
    for name, part in model.teacher.state_dict().items():
        assert torch.equal(part, expected[name])
    words_KC = model.codebook.weight
    torch.testing.assert_close(words_KC.norm(dim=1), torch.ones(24))
    assert float(model.codebook.initted) == 1.0
    patches_B = count_patches(samples_B)
    with torch.no_grad():
        made, taught = model.survey(audio_BN, samples_B, patches_B, int(patches_B.max()))
    # Words that are drawn, not made of points, are far from them.
    points = functional.normalize(made, dim=1)
    near = (points @ words_KC.T).amax(1).mean()
    drawn = functional.normalize(torch.randn(24, 256), dim=1)
    assert float(near) > float((points @ drawn.T).amax(1).mean()) + 0.2
    torch.testing.assert_close(made.mean(0), torch.zeros(256), atol=1e-5, rtol=0)
    torch.testing.assert_close(taught.mean(0), model.target_mean)
    torch.testing.assert_close(taught.std(0), model.target_spread)


@torch.no_grad()
def test_what_is_padded_does_not_matter(teacher: Path) -> None:
    recipe, model = tiny(teacher)
    shaken(model)
    audio_BN, samples_B = noise(0.4, 1.3, 0.9)
    together = recipe.loss(model, batch_of(audio_BN, samples_B))
    total, count = 0.0, 0
    for row, samples in enumerate(samples_B):
        alone = recipe.loss(model, batch_of(audio_BN[row : row + 1, :samples], samples[None]))
        total, count = total + float(alone.total), count + int(alone.count)
    assert int(together.count) == count
    assert float(together.total) == pytest.approx(total, rel=1e-4)


def test_padded_patches_do_not_move_the_words(teacher: Path) -> None:
    recipe, model = tiny(teacher)
    recipe.loss(model, batch_of(*noise(0.4, 1.3)))
    assert float(model.codebook.counts.sum()) == 16 + 64
    model.eval()
    recipe.loss(model, batch_of(*noise(0.4, 1.3)))
    assert float(model.codebook.counts.sum()) == 16 + 64


def test_words_move_with_the_mean_of_what_they_stand_for() -> None:
    torch.manual_seed(0)
    book = Codebook(3, 2, decay=0.5)
    book.fill(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    points = functional.normalize(torch.tensor([[4.0, 1.0], [3.0, 1.0], [1.0, 4.0]]), dim=1)
    words, ids = book(points, torch.tensor([True, True, False]))
    assert ids.tolist() == [0, 0, 1]
    assert torch.equal(words, book.weight[ids])
    book.move()
    mean = functional.normalize(points[:2].sum(0), dim=0)
    expected = functional.normalize(torch.tensor([1.0, 0.0]) + mean, dim=0)
    torch.testing.assert_close(book.weight[0], expected)
    assert book.weight[1:].tolist() == [[0.0, 1.0], [-1.0, 0.0]]
    assert book.cluster_size.tolist() == [1.0, 0.0, 0.0]
    assert not book.counts.any()
    assert not book.sums.any()


def test_two_batches_of_a_step_move_the_words_as_one_of_both_does(teacher: Path) -> None:
    recipe, model = tiny(teacher)
    shaken(model).train()
    clips = batch_of(*noise(0.5, 0.5, 0.5, 0.5))
    start = model.codebook.weight.clone()
    recipe.loss(model, clips)
    recipe.after_step(model)
    whole = model.codebook.weight.clone()
    model.codebook.weight.copy_(start)
    assert clips.audio is not None
    assert clips.audio_lengths is not None
    for half in (slice(0, 2), slice(2, 4)):
        recipe.loss(model, batch_of(clips.audio[half], clips.audio_lengths[half]))
    recipe.after_step(model)
    torch.testing.assert_close(model.codebook.weight, whole, rtol=1e-5, atol=1e-6)
    assert not torch.equal(whole, start)


def test_it_learns_the_teacher_by_heart_and_leaves_it_alone(teacher: Path) -> None:
    pytest.importorskip("faiss")
    recipe, model = tiny(teacher)
    batch = batch_of(*noise(0.4, 0.7))
    recipe.begin(model, iter([batch]))
    before = {name: part.clone() for name, part in model.teacher.state_dict().items()}
    settings = TrainSettings(learning_rate=3e-3, warmup=0, schedule="constant", weight_decay=0.0)
    stepper = Stepper(recipe, model, settings)
    seen = [stepper.step(number, [batch]) for number in range(40)]
    assert abs(float(seen[0]["cosine"])) < 0.3
    assert float(seen[-1]["cosine"]) > 0.8
    assert float(seen[-1][LOSS]) < float(seen[0][LOSS]) - 0.5
    for name, part in model.teacher.state_dict().items():
        assert torch.equal(part, before[name])


def test_prepare_finds_the_ids_that_training_found(teacher: Path, tmp_path: Path) -> None:
    pytest.importorskip("openbeats")
    recipe, model = tiny(teacher)
    shaken(model)
    model.codebook.fill(functional.normalize(torch.randn(24, 256), dim=1))
    run = tmp_path / "run"
    run.mkdir()
    for name, content in recipe.export(model).items():
        (run / name).write_bytes(content)
    made = BeatsTokenizer(BeatsConfig(model=str(run)))
    assert made.facts.codebook_size == 24
    seen = set()
    for clip in small.real_clips():
        samples_B = torch.tensor([len(clip)])
        patches_B = count_patches(samples_B)
        with torch.no_grad():
            points = model.points(torch.from_numpy(clip)[None], samples_B, patches_B,
                                  int(patches_B))  # fmt: skip
            _, ids_N = model.codebook(points[0], torch.ones(int(patches_B), dtype=torch.bool))
        (codes,) = made.encode([clip])
        assert codes[:, 0].tolist() == ids_N.tolist()
        seen |= set(ids_N.tolist())
    assert len(seen) > 3


def test_an_untrained_codebook_is_not_taken_for_a_tokenizer(teacher: Path, tmp_path: Path) -> None:
    pytest.importorskip("openbeats")
    recipe, model = tiny(teacher)
    (tmp_path / FILE).write_bytes(recipe.export(model)[FILE])
    with pytest.raises(UsageError, match="was never trained"):
        BeatsTokenizer(BeatsConfig(model=str(tmp_path)))


def test_a_step_can_be_predicted_without_data(teacher: Path) -> None:
    recipe, _ = tiny(teacher)
    predictor = Predictor(recipe, DATA, precision="float32")
    small_, large = (
        predictor.step_bytes(Extent(seconds=2.0, tokens={}), size).peak for size in (1, 4)
    )
    assert 0 < small_ < large


def test_a_run_is_read_again_once_its_teacher_is_gone(teacher: Path, tmp_path: Path) -> None:
    recipe, _ = tiny(teacher)
    content = {**asdict(recipe.config), "teacher": str(tmp_path / "gone")}
    again = recipe_of("beats-tokenizer", content, DATA)
    assert isinstance(again, BeatsTokenizerRecipe)
    assert again.config.teacher_sizes == TEACHER


def test_too_little_data_and_a_missing_teacher_are_one_line(teacher: Path) -> None:
    recipe, model = tiny(teacher, "words=100")
    with pytest.raises(JobError, match=r"96 patches, too few for words=100"):
        recipe.begin(model, iter([batch_of(*noise(2.0))]))
    with pytest.raises(UsageError, match=r"give --set teacher=RUN"):
        make_recipe("beats-tokenizer", "small", [], DATA)
    with pytest.raises(UsageError, match=r"no file or folder /nowhere"):
        make_recipe("beats-tokenizer", "small", ["teacher=/nowhere"], DATA)
