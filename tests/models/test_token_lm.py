from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.models.peaks import dataset_facts, stream_facts
from wavemill.errors import UsageError
from wavemill.loader.batch import Batch
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.table import make_recipe
from wavemill.models.token_lm import LAYOUTS, TokenLm
from wavemill.models.training.settings import TrainSettings

BOOKS, SIZE = 3, 8
DATA = dataset_facts(stream_facts(codebooks=BOOKS, size=SIZE))
TINY = ("layers=2", "width=16", "heads=2")


def tiny(layout: str) -> TokenLm:
    torch.manual_seed(0)
    recipe = make_recipe("token-lm", "small", [*TINY, f"layout={layout}"], DATA)
    assert isinstance(recipe, TokenLm)
    return recipe


def draw(batch: int, frames: int) -> Tensor:
    return torch.randint(0, SIZE, (batch, frames, BOOKS))


def batch_of(codes_BTQ: Tensor, lengths: list[int]) -> Batch:
    return Batch(
        keys=[str(number) for number in range(len(lengths))],
        datasets=torch.zeros(len(lengths), dtype=torch.int64),
        tokens={"codes": codes_BTQ},
        token_lengths={"codes": torch.tensor(lengths)},
    )


def is_before(layout: str, first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Say whether an id (frame, codebook) is read before another is predicted."""
    return sum(first) < sum(second) if layout == "delay" else first < second


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_id_is_predicted_from_all_that_come_before_it_and_no_other(layout: str) -> None:
    model, frames = tiny(layout).build().eval(), 5
    codes_BTQ, lengths_B = draw(1, frames), torch.tensor([frames])
    before = torch.stack(model(codes_BTQ, lengths_B), 2)[0]
    for frame in range(frames):
        for book in range(BOOKS):
            changed = codes_BTQ.clone()
            changed[0, frame, book] = (changed[0, frame, book] + 1) % SIZE
            after = torch.stack(model(changed, lengths_B), 2)[0]
            moved_TQ = (after != before).any(-1)
            for other in range(frames):
                for other_book in range(BOOKS):
                    seen = is_before(layout, (frame, book), (other, other_book))
                    assert bool(moved_TQ[other, other_book]) == seen


def test_no_gradient_of_a_position_reaches_a_later_one() -> None:
    model = tiny("delay").build()
    decoder: Any = model.decoder
    x_BSD = torch.randn(2, 6, 16, requires_grad=True)
    for position in range(6):
        (gradient,) = torch.autograd.grad(decoder(x_BSD)[:, position].square().sum(), x_BSD)
        assert gradient[:, : position + 1].abs().sum((0, 2)).all()
        assert not gradient[:, position + 1 :].any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_padded_does_not_matter(layout: str) -> None:
    model = tiny(layout).build().eval()
    alone, longer = draw(1, 4), draw(1, 9)
    together = torch.cat([functional.pad(alone, (0, 0, 0, 5), value=3), longer])
    expected = torch.stack(model(alone, torch.tensor([4])), 2)[0]
    found = torch.stack(model(together, torch.tensor([4, 9])), 2)[0, :4]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_loss_is_the_mean_over_real_ids(layout: str) -> None:
    recipe = tiny(layout)
    model = recipe.build().eval()
    codes_BTQ = draw(2, 6)
    log_probabilities = torch.stack(model(codes_BTQ, torch.tensor([2, 6])), 2).log_softmax(-1)
    each_BTQ = -log_probabilities.gather(3, codes_BTQ[..., None])[..., 0]
    expected = torch.cat([each_BTQ[0, :2].flatten(), each_BTQ[1].flatten()]).mean()
    torch.testing.assert_close(recipe.loss(model, batch_of(codes_BTQ, [2, 6])).mean, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_learns_a_batch_by_heart(layout: str) -> None:
    recipe = tiny(layout)
    settings = TrainSettings(learning_rate=1e-2, warmup=0, schedule="constant")
    stepper = Stepper(recipe, recipe.build(), settings)
    batch = batch_of(draw(2, 8), [8, 5])
    losses = [float(stepper.step(number, [batch])[LOSS]) for number in range(40)]
    assert losses[0] == pytest.approx(torch.tensor(float(SIZE)).log().item(), abs=0.1)
    assert losses[-1] < 0.5


def test_a_batch_without_a_real_id_has_no_loss() -> None:
    recipe = tiny("delay")
    model = recipe.build()
    assert recipe.loss(model, batch_of(draw(1, 3), [0])).mean.item() == 0


def test_the_paper_s_preset_has_the_size_of_the_published_model() -> None:
    recipe = make_recipe("token-lm", "paper", [], dataset_facts(stream_facts(size=2048)))
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in recipe.build().parameters())
    assert weights == pytest.approx(320e6, rel=0.02)


def test_a_synthetic_batch_is_as_long_as_it_may_be() -> None:
    needs = tiny("flat").needs
    batch = make_batch(needs, DATA, Extent(seconds=2.0, tokens={"codes": 7}), 3)
    assert batch.tokens["codes"].shape == (3, 7, BOOKS)
    assert batch.token_lengths["codes"].tolist() == [7, 7, 7]
    assert 0 <= int(batch.tokens["codes"].min()) <= int(batch.tokens["codes"].max()) < SIZE
    assert (batch.audio, batch.audio_lengths, batch.sample_rate) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "preset", "settings", "words"),
    [
        ("token-ml", "small", [], r"recipe token-ml: there is no such name; did you mean 'token-l"),
        ("token-lm", "large", [], "--preset large: token-lm has small, paper"),
        ("token-lm", "small", ["deep=3"], "no setting 'deep'"),
        ("token-lm", "small", ["layers"], "settings look like"),
        ("token-lm", "small", ["layers=0"], "layers and heads must be 1 to 1000"),
        ("token-lm", "small", ["width=30"], "width=30 must be .* a multiple of twice heads=4"),
        ("token-lm", "small", ["layout=fast"], "layout=fast must be delay or flat"),
        ("token-lm", "small", ["dropout=1"], "dropout=1.0 must be 0 or more"),
        ("token-lm", "small", ["stream=mvq"], "no stream 'mvq'; there are: codes"),
    ],
)
def test_settings_that_are_none_are_refused(
    name: str, preset: str, settings: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make_recipe(name, preset, settings, DATA)


def test_a_dataset_without_tokens_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no token stream; there are: none; .* --tokenizer"):
        make_recipe("token-lm", "small", [], dataset_facts())


def test_the_first_stream_is_taken_and_the_preset_s_settings_stay() -> None:
    data = dataset_facts(stream_facts("b"), stream_facts("a"))
    recipe = make_recipe("token-lm", "paper", ["layers=2"], data)
    assert isinstance(recipe, TokenLm)
    assert recipe.needs.streams == ("b",)
    assert (recipe.config.layers, recipe.config.width) == (2, 1024)
