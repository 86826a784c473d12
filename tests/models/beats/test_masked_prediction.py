from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.beats.drawn import DATA, IDS, TINY, batch_of, noise, shaken
from tests.models.peaks import dataset_facts, stream_facts
from wavemill.errors import UsageError
from wavemill.models.beats import masked_prediction
from wavemill.models.beats.encoder import count_patches
from wavemill.models.beats.masked_prediction import FILE, BeatsModel, BeatsRecipe
from wavemill.models.beats.masking import Kept
from wavemill.models.memory.predict import Predictor
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.beats import BeatsTeacher


def tiny(*settings: str) -> tuple[BeatsRecipe, BeatsModel]:
    torch.manual_seed(0)
    recipe = make_recipe("beats", "small", [*TINY, "predictor_layers=1", *settings], DATA)
    assert isinstance(recipe, BeatsRecipe)
    return recipe, recipe.build()


def every_fourth(patches_B: torch.Tensor, total: int, _: float) -> Kept:
    """Keep the first of each four patches, whatever the padding."""
    real_BT = torch.arange(total) < patches_B[:, None]
    places = torch.arange(0, total, 4).expand(len(patches_B), -1)
    kept_T = torch.arange(total) % 4 == 0
    return Kept(places=places, real=real_BT[:, ::4], masked=real_BT & ~kept_T)


@torch.no_grad()
def test_what_is_padded_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_prediction, "keep_some", every_fourth)
    recipe, model = tiny()
    shaken(model)
    audio_BN, samples_B = noise(0.4, 1.3, 0.9)
    batch = batch_of(audio_BN, samples_B)
    together = recipe.loss(model, batch)
    total, count = 0.0, 0
    for row, samples in enumerate(samples_B):
        patches = int(count_patches(samples))
        ids_BT = batch.tokens["beats"][row : row + 1, :patches, 0]
        alone = recipe.loss(
            model, batch_of(audio_BN[row : row + 1, :samples], samples[None], ids_BT)
        )
        total, count = total + float(alone.total), count + int(alone.count)
    assert int(together.count) == count
    assert float(together.total) == pytest.approx(total, rel=1e-4)


def test_nothing_sees_what_it_has_to_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits do not move with the audio of patches that were dropped, and move with the others."""
    monkeypatch.setattr(masked_prediction, "keep_some", every_fourth)
    _, model = tiny()
    shaken(model)
    heard = torch.randn(1, 32, 128, requires_grad=True)  # two steps of 16 frames, 16 patches
    monkeypatch.setattr(BeatsModel, "hear", lambda *_: heard)
    logits_BTC, masked_BT = model(
        torch.zeros(1, 5360), torch.tensor([5360]), torch.tensor([16]), 16
    )
    assert int(masked_BT.sum()) == 12
    (gradient,) = torch.autograd.grad(logits_BTC[masked_BT].square().sum(), heard)
    patches_T = gradient.reshape(2, 16, 8, 16).abs().sum((1, 3)).flatten()
    assert (patches_T > 0).tolist() == (~masked_BT[0]).tolist()


def test_labels_lie_under_their_patches() -> None:
    """A click moves what is embedded of the patches whose ids it moves, and no other."""
    made = BeatsTokenizer(BeatsConfig())
    still = 0.01 * torch.randn(16_000)
    moved = still.clone()
    moved[3 * 2560 + 800 : 3 * 2560 + 1600] *= 20
    ids = [made.encode([clip.numpy()])[0][:, 0] for clip in (still, moved)]
    changed = {int(place) // 8 for place in (ids[0] != ids[1]).nonzero()[0]}
    _, model = tiny()
    embedded = [
        model.embed(model.hear(clip[None], torch.tensor([16_000]), 48)) for clip in (still, moved)
    ]
    apart_T = (embedded[0] != embedded[1]).any(2)[0]
    assert {int(place) // 8 for place in apart_T.nonzero()} == changed == {3}
    # And within a step low bins come first, as a tone shows.
    tone = 0.5 * torch.sin(torch.arange(16_000) * 2 * torch.pi * 200 / 16_000)
    heard = model.hear(tone[None], torch.tensor([16_000]), 48)
    levels = heard[0, :16].reshape(16, 8, 16).mean((0, 2))
    assert int(levels.argmax()) == 0


def test_it_learns_a_batch_by_heart() -> None:
    recipe, model = tiny()
    settings = TrainSettings(learning_rate=3e-3, warmup=0, schedule="constant", weight_decay=0.0)
    stepper = Stepper(recipe, model, settings)
    batch = batch_of(*noise(0.4, 0.6))
    seen = [stepper.step(number, [batch]) for number in range(120)]
    assert float(seen[0][LOSS]) == pytest.approx(torch.tensor(float(IDS)).log().item(), abs=0.3)
    assert float(seen[-1][LOSS]) < 0.5 * float(seen[0][LOSS])
    assert float(seen[-1]["accuracy"]) > 2 / IDS


def test_a_step_of_two_batches_is_that_of_their_sums() -> None:
    """So two ranks with one each learn the same; what is drawn is drawn for each batch."""
    recipe, model = tiny()
    start = {name: part.clone() for name, part in model.state_dict().items()}
    batches = [batch_of(*noise(0.4, 0.6)), batch_of(*noise(1.1))]
    stepper = Stepper(recipe, model, TrainSettings())
    both = stepper.step(0, batches)
    counts, losses = [], []
    model.load_state_dict(start)
    for number, batch in enumerate(batches):
        stepper._seed(0, number)
        loss = recipe.loss(model, batch)
        counts.append(int(loss.count))
        losses.append(float(loss.total.detach()))
    assert counts == [12 + 18, 36]
    assert float(both[LOSS]) == pytest.approx(sum(losses) / sum(counts), rel=1e-5)


def test_a_step_can_be_predicted_without_data() -> None:
    recipe, _ = tiny()
    predictor = Predictor(recipe, DATA, precision="float32")
    small, large = (
        predictor.step_bytes(Extent(seconds=2.0, tokens={"beats": 96}), size).peak
        for size in (1, 4)
    )
    assert 0 < small < large


def test_bfloat16_gives_nearly_the_same_loss() -> None:
    recipe, model = tiny()
    batch = batch_of(*noise(0.7, 1.0))
    stepper = Stepper(recipe, model, TrainSettings())
    exact = stepper.validate(iter([batch]))[LOSS]
    lower = Stepper(recipe, model, TrainSettings(precision="bfloat16")).validate(iter([batch]))
    assert lower[LOSS] == pytest.approx(exact, rel=0.02)


def test_its_export_is_a_teacher(tmp_path: Path) -> None:
    pytest.importorskip("openbeats")
    recipe, model = tiny()
    shaken(model)
    for name, content in recipe.export(model).items():
        (tmp_path / name).write_bytes(content)
    assert (tmp_path / FILE).exists()
    teacher = BeatsTeacher(TeacherConfig(name="beats", model=str(tmp_path)), Place())
    audio_BN, samples_B = noise(1.0)
    with torch.no_grad():
        features_BTD, patches_B = model.features(audio_BN, samples_B)
    expected = torch.from_numpy(teacher.features(audio_BN[0].numpy()))
    assert int(patches_B) == len(expected) == features_BTD.shape[1]
    torch.testing.assert_close(features_BTD[0], expected, rtol=1e-4, atol=1e-4)


def facts(**changed: Any) -> TokenizerFacts:
    return replace(DATA.streams["beats"], **changed)


def test_the_first_stream_of_beats_is_taken_or_the_one_that_is_named() -> None:
    data = dataset_facts(stream_facts("mvq"), facts(name="first"), facts(name="second"))
    assert make_recipe("beats", "small", [], data).needs.streams == ("first",)
    assert make_recipe("beats", "small", ["stream=second"], data).needs.streams == ("second",)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["stream=mvq"], "no stream 'mvq' of beats tokens; there are: beats"),
        (["mask=1"], "mask 1.0: give 0.01 to 0.99"),
        (["width=40"], "width=40 must be .* a multiple of 16 and of heads=4"),
        (["layers=0"], "layers 0: give 1"),
        (["predictor_layers=0"], "predictor_layers 0: give 1"),
    ],
)
def test_settings_that_are_none_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_recipe("beats", "small", settings, dataset_facts(stream_facts("mvq"), facts()))


def test_a_dataset_without_beats_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no stream of beats tokens; .* --tokenizer beats"):
        make_recipe("beats", "small", [], dataset_facts(stream_facts("mvq")))
