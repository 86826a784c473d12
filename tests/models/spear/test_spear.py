import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.models.beats.drawn import noise, shaken
from tests.models.peaks import dataset_facts, stream_facts
from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.memory.predict import Predictor
from wavemill.models.spear.masking import draw_spans
from wavemill.models.spear.model import SpearModel
from wavemill.models.spear.recipe import Spear
from wavemill.models.spear.settings import clock_of
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent
from wavemill.models.table import make_recipe
from wavemill.models.training.settings import TrainSettings
from wavemill.tokenizers.features import num_frames

SPEECH = stream_facts("speech", codebooks=3, size=8)
AUDIO = replace(stream_facts("other", codebooks=2, size=4), frame_rate=25.0)
DATA = dataset_facts(SPEECH, AUDIO)
TINY = ("layers=2", "width=16", "heads=2")
BOTH = ("audio_stream=other",)
QUIET = ("mask=0", "channel_mask=0")


def tiny(*settings: str) -> tuple[Spear, SpearModel]:
    torch.manual_seed(0)
    given = dict(setting.split("=") for setting in (*TINY, *settings))
    recipe = make_recipe(
        "spear", "small", [f"{name}={value}" for name, value in given.items()], DATA
    )
    assert isinstance(recipe, Spear)
    return recipe, recipe.build()


def batch_of(audio_BN: Tensor, samples_B: Tensor, datasets: list[int] | None = None) -> Batch:
    """A batch whose ids follow from the place in the clip alone."""
    tokens, lengths = {}, {}
    for name, facts in DATA.streams.items():
        rate = facts.frame_rate or 0
        counts = [math.ceil(num_frames(int(samples)) * rate / 100) for samples in samples_B]
        place = torch.arange(max(counts) * facts.num_codebooks)
        ids = (place * 7 // 3 % facts.codebook_size).reshape(-1, facts.num_codebooks)
        tokens[name], lengths[name] = ids.expand(len(counts), -1, -1), torch.tensor(counts)
    return Batch(
        keys=[str(number) for number in range(len(samples_B))],
        datasets=torch.tensor(datasets or [0] * len(samples_B)),
        tokens=tokens,
        token_lengths=lengths,
        audio=audio_BN,
        audio_lengths=samples_B,
        sample_rate=16_000,
    )


def losses(recipe: Spear, model: SpearModel, batch: Batch) -> tuple[float, int]:
    with torch.no_grad():
        found = recipe.loss(model, batch)
    return float(found.total), int(found.count)


@pytest.mark.parametrize("settings", [(), BOTH, ("stream=other",), ("subsample=4",)])
def test_what_is_padded_does_not_matter(settings: tuple[str, ...]) -> None:
    recipe, model = tiny(*settings, *QUIET)
    shaken(model)
    audio_BN, samples_B = noise(0.4, 1.3, 0.9, 0.005)
    kinds = [0, 1, 1, 0]
    together = losses(recipe, model, batch_of(audio_BN, samples_B, kinds))
    alone = [
        losses(recipe, model, batch_of(audio_BN[row : row + 1, :samples], samples[None], [kind]))
        for row, (samples, kind) in enumerate(zip(samples_B, kinds, strict=True))
    ]
    assert together[1] == sum(count for _, count in alone)
    assert together[0] == pytest.approx(sum(total for total, _ in alone), rel=1e-4)


def test_what_is_hidden_is_seen_by_nothing_and_all_frames_are_predicted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, model = tiny("channel_mask=0")
    shaken(model)
    heard = torch.randn(1, 40, 16, requires_grad=True)
    monkeypatch.setattr(SpearModel, "hear", lambda *_: heard)
    torch.manual_seed(3)
    (logits_BUQK,) = model(torch.zeros(1, 12_800), torch.tensor([12_800]), [80])
    assert logits_BUQK.shape == (1, 80, 3, 8)
    (gradient,) = torch.autograd.grad(logits_BUQK.square().sum(), heard)
    torch.manual_seed(3)
    hidden_T = draw_spans(1, 40, 0.65, 10, torch.device("cpu"))[0]
    assert 0 < int(hidden_T.sum()) < 40
    assert (gradient[0].abs().sum(1) > 0).tolist() == (~hidden_T).tolist()


def test_features_that_are_hidden_are_zero_in_all_frames() -> None:
    _, model = tiny("mask=0", "channel_mask=0.5", "mask_channels=4")
    x_BTD = torch.randn(64, 5, 16)
    found = model.hide(x_BTD)
    hidden = found == 0
    assert torch.equal(hidden.all(1), hidden.any(1))
    assert torch.equal(found[~hidden], x_BTD[~hidden])
    assert 0.2 < float(hidden.float().mean()) < 0.6


def test_speech_has_the_first_loss_and_audio_both_by_their_weights() -> None:
    _, model = tiny(*BOTH, *QUIET)
    shaken(model)
    audio_BN, samples_B = noise(0.8)
    found = {}
    for weight in (0.0, 0.25, 1.0):
        recipe, _ = tiny(*BOTH, *QUIET, f"audio_weight={weight}")
        for kind in (0, 1):
            found[weight, kind] = losses(recipe, model, batch_of(audio_BN, samples_B, [kind]))[0]
    speech = found[0.0, 0]
    assert {found[weight, 0] for weight in (0.0, 0.25, 1.0)} == {speech}
    assert found[0.0, 1] == pytest.approx(speech, rel=1e-6)
    both = found[1.0, 1] - speech
    assert found[0.25, 1] == pytest.approx(speech + 0.25 * both, rel=1e-5)
    # Of 20 frames a mean each, as of 80.
    with torch.no_grad():
        logits = model(audio_BN, samples_B, [80, 20])[1].log_softmax(-1)
    ids = batch_of(audio_BN, samples_B).tokens["other"]
    mean = -logits.gather(3, ids[..., None]).mean()
    assert both == pytest.approx(80 * float(mean), rel=1e-4)


@pytest.mark.parametrize("settings", [(), BOTH])
def test_it_learns_a_batch_by_heart(settings: tuple[str, ...]) -> None:
    recipe, model = tiny(*settings, "mask=0.3", "channel_mask=0", "width=32")
    settings_ = TrainSettings(learning_rate=1e-2, warmup=0, schedule="constant", weight_decay=0.0)
    stepper = Stepper(recipe, model, settings_)
    batch = batch_of(*noise(0.2, 0.15), [0, 1])
    seen = [stepper.step(number, [batch]) for number in range(100)]
    assert float(seen[0][LOSS]) > math.log(8) - 0.3
    assert float(seen[-1][LOSS]) < 0.4 * float(seen[0][LOSS])
    assert float(seen[-1]["accuracy"]) > 0.6


def test_a_step_of_two_batches_is_that_of_their_sums() -> None:
    recipe, model = tiny(*BOTH, "mix=0.5")
    start = {name: part.clone() for name, part in model.state_dict().items()}
    batches = [batch_of(*noise(0.4, 0.6), [0, 1]), batch_of(*noise(1.1))]
    stepper = Stepper(recipe, model, TrainSettings())
    both = stepper.step(0, batches)
    model.load_state_dict(start)
    sums = []
    for number, batch in enumerate(batches):
        stepper._seed(0, number)
        sums.append(losses(recipe, model, batch))
    assert [count for _, count in sums] == [100, 110]
    assert float(both[LOSS]) == pytest.approx(sum(each for each, _ in sums) / 210, rel=1e-5)


def test_a_step_can_be_predicted_without_data() -> None:
    recipe, _ = tiny(*BOTH, "mix=0.5")
    predictor = Predictor(recipe, DATA, precision="float32")
    extent = Extent(seconds=2.0, tokens={"speech": 200, "other": 50})
    small, large = (predictor.step_bytes(extent, size).peak for size in (1, 4))
    assert 0 < small < large


@pytest.mark.parametrize(
    ("rate", "subsample", "each", "pooled"),
    [(100.0, 2, 2, 1), (50.0, 2, 1, 1), (25.0, 2, 1, 2), (25.0, 4, 1, 1), (100.0, 1, 1, 1)],
)
def test_frames_of_a_stream_lie_on_whole_frames_of_the_encoder(
    rate: float, subsample: int, each: int, pooled: int
) -> None:
    clock = clock_of(replace(SPEECH, frame_rate=rate), subsample)
    assert (clock.each, clock.pooled) == (each, pooled)
    assert clock.frames(10) * 1.0 == math.ceil(10 * 100 / rate / subsample)


def test_a_click_moves_the_token_that_lies_there() -> None:
    """What is heard of token u is the audio of token u."""
    _, model = tiny("subsample=1")
    still = 0.01 * torch.randn(1, 16_000)
    for token in (0, 40, 99):
        moved = still.clone()
        moved[0, 160 * token + 60 : 160 * token + 100] += 0.5
        heard = [model.hear(clip, torch.tensor([16_000]), 100) for clip in (still, moved)]
        change_T = (heard[0] - heard[1]).abs().sum(2)[0]
        assert int(change_T.argmax()) == token
        places = change_T.nonzero()[:, 0]
        assert token - 1 <= int(places.min()) <= int(places.max()) <= token + 1


def test_presets_have_the_sizes_that_they_say() -> None:
    for preset, size in (("paper", 316e6), ("paper-600m", 600e6)):
        recipe = make_recipe("spear", preset, [], dataset_facts(SPEECH))
        with torch.device("meta"):
            weights = sum(weight.numel() for weight in recipe.build().parameters())
        assert weights == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["stream=absent"], "no stream 'absent' on a regular clock; there are: other, speech"),
        (["audio_stream=speech"], "stream and audio_stream are both 'speech'"),
        (["stream=other", "subsample=3"], "25.0 tokens a second and the encoder 33.3333 frames"),
        (["width=18"], "width=18 must be .* twice heads=4"),
        (["mask=11"], "mask 11.0: give 0 to 10"),
        (["mix=2"], "mix 2.0: give 0 to 1"),
    ],
)
def test_settings_that_are_none_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_recipe("spear", "small", settings, DATA)
