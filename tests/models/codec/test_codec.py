from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from tests.models.codec.small import ADVERSARY, DATA, HOP, batch_of, build, make, tones
from wavemill.errors import UsageError
from wavemill.models.codec.adversary import told_apart
from wavemill.models.codec.discriminator import Discriminator
from wavemill.models.codec.model import CODEC, DISCRIMINATOR, Part
from wavemill.models.memory.predict import Predictor
from wavemill.models.recipe import Turn
from wavemill.models.step import LATE, Stepper
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe
from wavemill.models.training.settings import TrainSettings

KINDS = {
    "rvq": (),
    "merged": ("merge=2",),
    "sq": ("quantizer=sq", "codebooks=6"),
    "gfsq": ("quantizer=gfsq", "codebooks=2"),
}
WITHOUT_PHASES = ("spectra=8", "ratios=4", "phases=found", "l1=0")
EVERY_KIND = [*KINDS.values(), WITHOUT_PHASES]
PARTS = [((*kind, *ADVERSARY), turn) for kind in KINDS.values() for turn in (CODEC, DISCRIMINATOR)]
SETTINGS = TrainSettings(
    learning_rate=1e-2, warmup=0, schedule="constant", weight_decay=0.0, beta1=0.5, beta2=0.9
)


@pytest.mark.parametrize("settings", EVERY_KIND)
def test_it_learns_a_batch(settings: tuple[str, ...]) -> None:
    recipe = make(*settings)
    stepper = Stepper(recipe, build(recipe), SETTINGS)
    batch = batch_of(tones(4, 1600), [1600, 1600, 1600, 900])
    mel = [float(stepper.step(number, [batch])["mel"]) for number in range(40)]
    assert mel[-1] < 0.75 * mel[0]


@pytest.mark.parametrize(("settings", "turn"), [*PARTS, (WITHOUT_PHASES, CODEC)])
def test_what_is_padded_does_not_matter(settings: tuple[str, ...], turn: str) -> None:
    recipe = make(*settings)
    model = build(recipe)
    audio, part = tones(1, 1000), Part(turn=turn)
    longer = torch.cat([audio, torch.full((1, 700), 9.0)], 1)
    both = torch.cat([longer, tones(1, 1700, seed=1)])
    model.eval()
    alone = model(audio, torch.tensor([1000]), part)
    other = model(both[1:], torch.tensor([1700]), part)
    together = model(both, torch.tensor([1000, 1700]), part)
    assert int(together.count) == 2
    torch.testing.assert_close(together.total, alone.total + other.total, rtol=1e-4, atol=1e-5)
    for name, value in together.parts.items():
        torch.testing.assert_close(value, alone.parts[name] + other.parts[name], rtol=1e-4,
                                   atol=1e-5)  # fmt: skip


def test_each_turn_moves_its_own_weights() -> None:
    recipe = make(*ADVERSARY)
    model = build(recipe)
    stepper = Stepper(recipe, model, SETTINGS)
    batch = batch_of(tones(2, 1600))
    for turn in recipe.turns:
        before = {name: weight.clone() for name, weight in model.named_parameters()}
        stepper._take(turn, 1, [batch])
        moved = {name.split(".")[0] for name, weight in model.named_parameters()
                 if not torch.equal(weight, before[name])}  # fmt: skip
        assert moved == {turn.part}


def test_the_loss_s_gradient_is_what_the_balancer_makes_of_all_losses() -> None:
    recipe = make("adversarial=4", "features=4", "commitment=0", "quantizer=sq", "codebooks=6")
    model = build(recipe)
    audio, lengths = tones(2, 1600), torch.tensor([1600, 1100])
    seen = {}
    honest = model.balancer.balance

    def spy(losses: Mapping[str, Tensor], audio_BN: Tensor) -> Tensor:
        seen["pull"] = honest(losses, audio_BN)
        return seen["pull"]

    model.balancer.balance = spy  # type: ignore[method-assign]
    model(audio, lengths, Part(turn=CODEC)).total.backward()
    mine = {name: weight.grad.clone() for name, weight in model.codec.named_parameters()
            if weight.grad is not None}  # fmt: skip
    assert all(weight.grad is None for weight in model.discriminator.parameters())
    model.zero_grad(set_to_none=True)
    real = torch.arange(1600) < lengths[:, None]
    found, _ = model.run(torch.where(real, audio, 0), lengths, Part(turn=CODEC))
    (torch.where(real, found, 0) * seen["pull"]).sum().backward()
    for name, weight in model.codec.named_parameters():
        torch.testing.assert_close(weight.grad, mine[name])


def names(turns: tuple[Turn, ...]) -> list[str]:
    return [turn.name for turn in turns]


def test_the_discriminator_joins_in_when_it_is_told_to() -> None:
    recipe = make(*ADVERSARY, "adversary_from=2")
    stepper = Stepper(recipe, build(recipe), SETTINGS)
    batch = batch_of(tones(2, 1600))
    assert names(recipe.turns) == [DISCRIMINATOR, CODEC]
    for number in range(4):
        row = stepper.step(number, [batch])
        has_joined = number >= 2
        assert ("discriminator/loss" in row) == ("codec/adversarial" in row) == has_joined
        assert "codec/loss" in row
    assert names(recipe.turns_at(LATE)) == [DISCRIMINATOR, CODEC]


def test_the_discriminator_may_learn_before_the_codec_hears_of_it() -> None:
    recipe = make(*ADVERSARY, "adversary_from=1", "adversary_alone=2")
    stepper = Stepper(recipe, build(recipe), SETTINGS)
    batch = batch_of(tones(2, 1600))
    rows = [stepper.step(number, [batch]) for number in range(4)]
    assert ["discriminator/loss" in row for row in rows] == [False, True, True, True]
    assert ["codec/adversarial" in row for row in rows] == [False, False, False, True]


def test_a_discriminator_tells_noise_from_a_sine_within_thirty_steps() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(4, (256, 64))
    optimizer = torch.optim.AdamW(discriminator.parameters(), 1e-3)
    lengths = torch.full((4,), 3200)
    sine = torch.sin(torch.arange(3200) * 0.3).expand(4, -1) * 0.1
    losses = []
    for _ in range(30):
        noise = 0.1 * torch.randn(4, 3200)
        loss = told_apart(discriminator(sine, lengths), discriminator(noise, lengths)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]


def test_without_an_adversary_there_is_one_turn_and_no_discriminator() -> None:
    recipe = make()
    assert names(recipe.turns) == names(recipe.turns_at(LATE)) == [CODEC]
    assert not hasattr(build(recipe), "discriminator")


def test_some_clips_use_fewer_codebooks_in_training_and_all_do_after() -> None:
    recipe = make("dropout=1")
    model = build(recipe)
    latents = torch.zeros(200, 1, 8)
    assert set(model._used(latents).tolist()) == {1, 2, 3}
    assert set(model.eval()._used(latents).tolist()) == {3}
    assert set(build(make("dropout=0"))._used(latents).tolist()) == {3}


@pytest.mark.parametrize("settings", EVERY_KIND)
def test_a_step_can_be_foretold(settings: tuple[str, ...]) -> None:
    # An LSTM is run on such tensors step by step, so the clips are short.
    predictor = Predictor(make(*settings, "lstm=1"), DATA)
    sizes = [predictor.step_bytes(Extent(seconds=0.01, tokens={}), size).peak for size in (2, 400)]
    assert 0 < sizes[0] < sizes[1]


def test_the_discriminator_is_in_what_is_foretold() -> None:
    extent, settings = Extent(seconds=0.1, tokens={}), ("quantizer=sq", "adversary_from=9")
    parts = [
        Predictor(make(*settings, *more), DATA, precision="float32").step_bytes(extent, 2)
        for more in ((), ADVERSARY)
    ]
    assert parts[0].peak < parts[1].peak


def test_the_first_codebook_learns_to_tell_the_text() -> None:
    recipe = make("ctc=1", "dropout=0", "codebook_size=32", "codebooks_from=1")
    assert (recipe.needs.text, recipe.needs.crop_seconds) == (True, None)
    stepper = Stepper(recipe, build(recipe), SETTINGS)
    batch = batch_of(tones(3, 1600), [1600, 1600, 900])
    batch.text = ["ab", "Ba!", None]
    ctc = [float(stepper.step(number, [batch])["ctc"]) for number in range(25)]
    assert ctc[-1] < 0.5 * ctc[0]


def test_the_text_s_gradient_reaches_the_encoder_and_no_other_codebook() -> None:
    recipe = make("ctc=1")
    model = build(recipe).eval()
    audio, lengths = tones(2, 1600), torch.tensor([1600, 900])
    _, quantized = model.run(audio, lengths, Part(turn=CODEC))
    ctc = model._untold(quantized.first, lengths, ["abc", "ba"])
    first_layer = model.network.encoder.get_submodule("0.conv").get_parameter("bias")
    (pull,) = torch.autograd.grad(ctc, first_layer, retain_graph=True)
    assert pull.any()
    (others,) = torch.autograd.grad(ctc, quantized.latents, retain_graph=True, allow_unused=True)
    assert others is None
    alone = model._untold(quantized.first[1:, :30], lengths[1:], ["ba"])
    first = model._untold(quantized.first[:1], lengths[:1], ["abc"])
    torch.testing.assert_close(ctc, alone + first)


def test_pieces_are_of_the_length_that_is_asked_for() -> None:
    needs = make("crop_seconds=0.5").needs
    assert (needs.sample_rate, needs.crop_seconds, needs.streams) == (16_000, 0.5, ())
    assert make().config.hop == HOP


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("decay=2", "decay 2.0: give 0 to 1"),
        ("windows=128x66", "windows=128x66 must be multiples of 4"),
        ("features=1", "features without adversarial"),
        ("ratios=4x0", "ratios=4x0 must be numbers"),
        ("spectra=0", "give spectra=SAMPLES"),
        ("mel=0", None),
    ],
)
def test_settings_that_are_none_are_refused(wrong: str, words: str | None) -> None:
    if words is None:
        with pytest.raises(UsageError, match="l1 and mel are both 0"):
            make_recipe("codec", "small", ["l1=0", wrong], DATA)
    else:
        with pytest.raises(UsageError, match=words):
            make_recipe("codec", "small", [wrong], DATA)


def test_phases_that_are_found_leave_no_waveform_to_lose() -> None:
    with pytest.raises(UsageError, match="give l1=0, adversarial=0 and features=0"):
        make("spectra=8", "phases=found")
