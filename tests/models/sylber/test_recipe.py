from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.peaks import dataset_facts, stream_facts
from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.memory.predict import Predictor
from wavemill.models.recipe import Needs
from wavemill.models.step import LOSS, Stepper
from wavemill.models.sylber.model import SylberModel
from wavemill.models.sylber.noise import LOUDER_DB, add_others
from wavemill.models.sylber.recipe import Sylber
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe
from wavemill.models.training.checkpoints import load_model
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.base import TokenizerFacts
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.sylber_encoder import SylberEncoder

SYLLABLES = TokenizerFacts(
    name="syllables", kind="sylber", sample_rate=16_000, frame_rate=None, num_codebooks=1,
    codebook_size=50, weights_digest="0",
)  # fmt: skip
DATA = dataset_facts(stream_facts(), SYLLABLES)
TINY = ("layers=1", "width=16", "heads=2", "feed=16", "channels=8", "norm=layer")
TRAINING = TrainSettings(learning_rate=1e-2, warmup=0, schedule="constant")


def tiny(*settings: str, preset: str = "small") -> Sylber:
    torch.manual_seed(0)
    given = dict(one.split("=") for one in (*TINY, *settings))
    words = [f"{name}={value}" for name, value in given.items()]
    recipe = make_recipe("sylber", preset, words, DATA)
    assert isinstance(recipe, Sylber)
    return recipe


def built(recipe: Sylber) -> SylberModel:
    model = recipe.build()
    assert isinstance(model, SylberModel)
    return model


def clips(lengths: list[int]) -> Batch:
    """Noise that is louder and softer, as syllables are, and given times."""
    torch.manual_seed(1)
    rows, most = len(lengths), max(lengths)
    times = torch.tensor([[0.05, 0.2], [0.2, 0.4], [0.45, 0.5]])
    audio = torch.randn(rows, most) * (0.1 + (torch.arange(most) / 1000).sin().square())
    return Batch(
        keys=[str(row) for row in range(rows)],
        datasets=torch.zeros(rows, dtype=torch.int64),
        audio=audio,
        audio_lengths=torch.tensor(lengths),
        sample_rate=16_000,
        tokens={"syllables": torch.zeros(rows, 3, 1, dtype=torch.int64)},
        token_lengths={"syllables": torch.full((rows,), 3)},
        times={"syllables": times.repeat(rows, 1, 1)},
    )


@pytest.mark.parametrize("settings", [(), ("segments=syllables",), ("stage=0",)])
def test_what_is_padded_does_not_matter(settings: tuple[str, ...]) -> None:
    recipe = tiny(*settings)
    model = built(recipe).eval()
    batch, alone = clips([8000, 16_000]), clips([8000])
    assert batch.audio is not None
    alone.audio = batch.audio[:1, :8000]
    batch.audio[0, 8000:] = 5.0
    both = recipe.loss(model, batch)
    longer = clips([16_000])
    longer.audio = batch.audio[1:]
    single = [recipe.loss(model, one) for one in (alone, longer)]
    torch.testing.assert_close(both.total, single[0].total + single[1].total, rtol=1e-4, atol=1e-4)
    assert int(both.count) == sum(int(one.count) for one in single) == 24 + 49


def test_the_loss_is_the_squared_distance_to_the_segments_means() -> None:
    recipe, batch = tiny("segments=syllables"), clips([16_000])
    model = built(recipe).eval()
    heard: dict[str, torch.Tensor] = {}
    for name in ("student", "teacher"):
        layer = getattr(model, name).encoder.layers[-1]
        layer.register_forward_hook(
            lambda *given, name=name: heard.__setitem__(name, given[2].detach())
        )
    loss = recipe.loss(model, batch)
    student, teacher = (heard[name][0] for name in ("student", "teacher"))
    target = torch.zeros_like(teacher)
    for begin, end in batch.times["syllables"][0].tolist():
        own = [frame for frame in range(49) if begin <= frame * 0.02 + 0.0125 < end]
        target[own] = teacher[own].mean(0)
    torch.testing.assert_close(loss.total.detach(), (student - target).square().sum())
    assert int(loss.count) == 49
    assert int(loss.parts["segments"]) == 3


def test_only_the_student_learns_and_the_teacher_stays_or_follows() -> None:
    for decay, follows in ((1.0, 0.0), (0.75, 0.25)):
        recipe = tiny(f"decay={decay}")
        model = built(recipe)
        before = {name: weight.clone() for name, weight in model.teacher.named_parameters()}
        assert all(before[name].equal(w) for name, w in model.student.named_parameters())
        Stepper(recipe, model, TRAINING).step(0, [clips([9000, 16_000])])
        students = dict(model.student.named_parameters())
        for name, weight in model.teacher.named_parameters():
            wanted = before[name] + follows * (students[name] - before[name])
            torch.testing.assert_close(weight, wanted)
        assert any(not before[name].equal(students[name]) for name in before)


@pytest.mark.parametrize("preset", ["small-0", "small", "small-2"])
def test_it_learns_a_batch_by_heart(preset: str) -> None:
    # Where segments of features drawn at random begin and end.
    merges = ("merge_low=0.8", "merge_high=0.9")
    recipe = tiny("noise=0", *merges, preset=preset)
    model = built(recipe)
    stepper, batch = Stepper(recipe, model, TRAINING), clips([8000, 16_000])
    losses = [float(stepper.step(number, [batch])[LOSS]) for number in range(30)]
    assert losses[-1] < 0.6 * losses[0]


def test_stage_2_begins_with_the_student_of_stage_1_as_its_teacher_and_resumes_as_it_was() -> None:
    first = tiny()
    model = built(first)
    stepper = Stepper(first, model, TRAINING)
    for number in range(2):
        stepper.step(number, [clips([16_000])])
    second = tiny(preset="small-2")
    begun = built(second)
    load_model(begun, model.state_dict())
    for name, weight in model.student.state_dict().items():
        assert begun.teacher.state_dict()[name].equal(weight)
        assert begun.student.state_dict()[name].equal(weight)
    # What stage 1 saw of norms is where stage 2 begins.
    assert begun.norms.running.any()
    assert begun.norms.running.equal(model.norms.running)
    Stepper(second, begun, TRAINING).step(0, [clips([16_000])])
    again = built(second)
    load_model(again, begun.state_dict())
    for name, value in begun.state_dict().items():
        assert again.state_dict()[name].equal(value)
    names = [name for name, _ in model.student.named_parameters()]
    assert any(
        not again.student.get_parameter(name).equal(again.teacher.get_parameter(name))
        for name in names
    )


@pytest.mark.parametrize("settings", [("stage=0",), (), ("segments=syllables",), ("stage=2",)])
def test_its_steps_are_predicted_without_data(settings: tuple[str, ...]) -> None:
    predictor = Predictor(tiny(*settings), DATA, precision="bfloat16")
    peaks = [
        predictor.step_bytes(Extent(seconds=1.0, tokens={"syllables": 4}), size).peak
        for size in (1, 4)
    ]
    assert 0 < peaks[0] < peaks[1]


def test_some_clips_are_heard_with_another_one_at_the_drawn_level() -> None:
    torch.manual_seed(0)
    audio, lengths = torch.randn(2000, 100), torch.full((2000,), 100)
    audio *= torch.rand(2000, 1)
    added = (add_others(audio, lengths, 0.2) - audio).square().sum(1)
    mixed = added > 0
    assert float(mixed.float().mean()) == pytest.approx(0.2, abs=0.03)
    ratios = 10 * (audio.square().sum(1)[mixed] / added[mixed]).log10()
    assert LOUDER_DB[0] - 0.01 <= float(ratios.min()) < float(ratios.max()) <= LOUDER_DB[1] + 0.01
    assert float(ratios.mean()) == pytest.approx(12.5, abs=1)


def test_the_tokenizer_takes_the_student(tmp_path: Path) -> None:
    recipe = tiny()
    model = built(recipe).eval()
    for name, content in recipe.export(model).items():
        (tmp_path / name).write_bytes(content)
    encoder = SylberEncoder(str(tmp_path), 1, 60.0, Place())
    audio = clips([16_000]).audio
    assert audio is not None
    features = encoder.features(audio[0].numpy())
    wanted = model.features(audio, torch.tensor([16_000]))[0]
    assert np.abs(features - wanted.numpy()).max() < 1e-4


def test_a_new_run_starts_with_the_weights_that_it_is_given(tmp_path: Path) -> None:
    trained = built(tiny())
    for name, content in tiny().export(trained).items():
        (tmp_path / name).write_bytes(content)
    recipe = tiny(f"start={tmp_path}")
    torch.manual_seed(1)
    model = built(recipe)
    recipe.begin(model, iter(()))
    for name, weight in trained.student.state_dict().items():
        assert model.student.state_dict()[name].equal(weight)
        assert model.teacher.state_dict()[name].equal(weight)
    with pytest.raises(UsageError, match="weights of other sizes"):
        recipe.begin(built(tiny("feed=8")), iter(()))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["segments=codes"], "codes is no stream with times; there are: syllables"),
        (["stage=3"], "stage 3: give 0 to 2"),
        (["norm=batch"], "norm=batch must be group or layer"),
        (["width=10"], "width=10 must be a multiple of heads=4"),
        (["decay=1.5"], "decay 1.5"),
        (["merge_low=0.95"], "merge_low and merge_high"),
        (["stage=2", "segments=syllables"], "stage=2 is given no segments"),
    ],
)
def test_settings_that_are_none_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_recipe("sylber", "small", settings, DATA)


def test_it_hears_crops_and_reads_the_stream_that_it_is_given() -> None:
    assert tiny().needs == Needs(sample_rate=16_000, crop_seconds=5.0)
    assert tiny("segments=syllables").needs.streams == ("syllables",)


def test_the_paper_s_preset_has_hubert_base_s_first_layers() -> None:
    recipe = make_recipe("sylber", "paper", [], DATA)
    with torch.device("meta"):
        model = recipe.build()
    student = sum(weight.numel() for weight in model.get_submodule("student").parameters())
    # HuBERT-base has 94.4 million weights, of which 3 layers of 7.1 million are not run.
    assert student == pytest.approx(94.4e6 - 3 * 7.09e6, rel=0.002)
