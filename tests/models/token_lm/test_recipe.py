import pytest
import torch
from torch.nn import functional

from tests.models.peaks import dataset_facts, stream_facts
from tests.models.token_lm.tiny import (
    ALL,
    BOOKS,
    CAUSAL,
    DATA,
    SIZE,
    batch_of,
    build,
    draw,
    tiny,
)
from wavemill.errors import UsageError
from wavemill.models.memory.predict import Predictor
from wavemill.models.recipe import Needs
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.table import make_recipe
from wavemill.models.token_lm import config, table
from wavemill.models.token_lm.recipe import TokenLm
from wavemill.models.training.settings import TrainSettings


def is_before(layout: str, first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Say whether an id (frame, codebook) is read before another is predicted."""
    return sum(first) < sum(second) if layout == "delay" else first < second


def test_every_layout_has_a_row() -> None:
    assert set(config.LAYOUTS) == set(table.LAYOUTS)


@pytest.mark.parametrize("layout", CAUSAL)
def test_an_id_is_predicted_from_all_that_come_before_it_and_no_other(layout: str) -> None:
    model, frames = build(layout), 5
    codes_BTQ, lengths_B = draw(1, frames), torch.tensor([frames])
    before = torch.stack(model(codes_BTQ, lengths_B).logits, 2)[0]
    for frame in range(frames):
        for book in range(BOOKS):
            changed = codes_BTQ.clone()
            changed[0, frame, book] = (changed[0, frame, book] + 1) % SIZE
            after = torch.stack(model(changed, lengths_B).logits, 2)[0]
            moved_TQ = (after != before).any(-1)
            for other in range(frames):
                for other_book in range(BOOKS):
                    seen = is_before(layout, (frame, book), (other, other_book))
                    assert bool(moved_TQ[other, other_book]) == seen


@pytest.mark.parametrize("layout", CAUSAL)
@pytest.mark.parametrize("condition", ["", "text"])
def test_no_gradient_of_an_id_reaches_a_later_one(layout: str, condition: str) -> None:
    model, frames = build(layout, f"condition={condition}"), 4
    read: list[torch.Tensor] = []

    # What tables give is what a model knows of its ids.
    def keep(_: torch.nn.Module, __: object, vectors: torch.Tensor) -> torch.Tensor:
        read.append(vectors.detach().requires_grad_())
        return read[-1]

    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.register_forward_hook(keep)
    recipe = tiny(layout, f"condition={condition}")
    batch = batch_of(draw(1, frames), [frames], ["ab"])
    logits = model(
        batch.tokens["codes"], batch.token_lengths["codes"], recipe.condition_of(batch)
    ).logits
    reached = False
    for book, logits_BTK in enumerate(logits):
        for frame in range(frames):
            gradients = torch.autograd.grad(
                logits_BTK[0, frame].square().sum(), read, retain_graph=True, allow_unused=True
            )
            # Ids are read one position late, or in their own frame by the small model.
            for vectors, gradient in zip(read, gradients, strict=True):
                if gradient is None or vectors.shape[1] < frames:
                    continue
                reached |= bool(gradient.any())
                late = {"flat": frame * BOOKS + book, "delay": frame + book}.get(layout, frame)
                assert not gradient[:, late + 1 :].any()
    assert reached


@pytest.mark.parametrize("layout", CAUSAL)
def test_what_is_padded_does_not_matter(layout: str) -> None:
    model = build(layout)
    alone, longer = draw(1, 4), draw(1, 9)
    together = torch.cat([functional.pad(alone, (0, 0, 0, 5), value=3), longer])
    expected = torch.stack(model(alone, torch.tensor([4])).logits, 2)[0]
    found = torch.stack(model(together, torch.tensor([4, 9])).logits, 2)[0, :4]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", CAUSAL)
def test_codebooks_that_change_places_change_the_logits(layout: str) -> None:
    model, lengths_B = build(layout), torch.tensor([4])
    codes_BTQ = draw(1, 4)
    swapped = codes_BTQ[:, :, [1, 0, 2]]
    (*_, first), (*_, second) = (model(one, lengths_B).logits for one in (codes_BTQ, swapped))
    assert not torch.allclose(first[0, -1], second[0, -1], atol=1e-4)


@pytest.mark.parametrize("layout", CAUSAL)
def test_the_loss_is_the_mean_over_real_ids(layout: str) -> None:
    recipe = tiny(layout)
    model = recipe.build().eval()
    codes_BTQ = draw(2, 6)
    logits = torch.stack(model(codes_BTQ, torch.tensor([2, 6])).logits, 2)
    each_BTQ = -logits.log_softmax(-1).gather(3, codes_BTQ[..., None])[..., 0]
    expected = torch.cat([each_BTQ[0, :2].flatten(), each_BTQ[1].flatten()]).mean()
    torch.testing.assert_close(recipe.loss(model, batch_of(codes_BTQ, [2, 6])).mean, expected)


@pytest.mark.parametrize("layout", ALL)
def test_it_learns_a_batch_by_heart(layout: str) -> None:
    recipe = tiny(layout)
    settings = TrainSettings(learning_rate=1e-2, warmup=0, schedule="constant")
    stepper = Stepper(recipe, recipe.build(), settings)
    batch, steps = batch_of(draw(2, 8), [8, 5]), 40
    if layout.startswith("masked"):
        # Where all is hidden nothing tells rows apart, and a stage and holes are drawn for each.
        batch, steps = batch_of(draw(1, 8).repeat(16, 1, 1), [8] * 16), 150
    losses = [float(stepper.step(number, [batch])[LOSS]) for number in range(steps)]
    assert losses[0] == pytest.approx(torch.tensor(float(SIZE)).log().item(), abs=0.1)
    assert losses[-1] < 0.5


@pytest.mark.parametrize("layout", ALL)
def test_a_batch_without_a_real_id_has_no_loss(layout: str) -> None:
    recipe = tiny(layout)
    loss = recipe.loss(recipe.build(), batch_of(draw(1, 3), [0])).mean
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("layout", "condition"), [*((layout, "text") for layout in ALL), ("delay", "units")]
)
def test_its_steps_are_predicted_without_data(layout: str, condition: str) -> None:
    recipe = tiny(layout, f"condition={condition}", "stream=codes")
    extent = Extent(seconds=1.0, tokens={"codes": 50, "units": 6})
    predictor = Predictor(recipe, DATA)
    assert 0 < predictor.step_bytes(extent, 1).peak < predictor.step_bytes(extent, 4).peak


@pytest.mark.parametrize("layout", ALL)
def test_every_weight_has_a_gradient(layout: str) -> None:
    recipe = tiny(layout, "condition=text")
    model = recipe.build()
    recipe.loss(model, batch_of(draw(2, 6), [6, 3], ["one", None])).total.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_the_paper_s_preset_has_the_size_of_the_published_model() -> None:
    recipe = make_recipe("token-lm", "paper", [], dataset_facts(stream_facts(size=2048)))
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in recipe.build().parameters())
    assert weights == pytest.approx(320e6, rel=0.02)


def test_a_synthetic_batch_is_as_long_as_it_may_be() -> None:
    data = dataset_facts(stream_facts(codebooks=BOOKS, size=SIZE))
    needs = tiny("flat", data=data).needs
    batch = make_batch(needs, data, Extent(seconds=2.0, tokens={"codes": 7}), 3)
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
        ("token-lm", "small", ["layers=0"], "layers 0: give 1 to 1000"),
        ("token-lm", "small", ["width=30"], "width=30 must be .* a multiple of twice heads=4"),
        ("token-lm", "small", ["inner_width=30"], "inner_width=30 must be"),
        ("token-lm", "small", ["layout=fast"], "layout=fast must be delay, flat, .* or masked"),
        ("token-lm", "small", ["schedule=fast"], "schedule=fast must be magnet or maskgct"),
        ("token-lm", "small", ["dropout=1"], "dropout=1.0 must be 0 or more"),
        ("token-lm", "small", ["stream=mvq"], "no stream 'mvq'; there are: codes"),
        ("token-lm", "small", ["condition=mvq"], "no stream 'mvq'; .* --set condition=NAME"),
        ("token-lm", "small", ["condition=codes,stream=codes"], "condition=codes is the stream"),
    ],
)
def test_settings_that_are_none_are_refused(
    name: str, preset: str, settings: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make_recipe(name, preset, settings, DATA)


def test_one_codebook_is_too_few_for_two_transformers() -> None:
    with pytest.raises(UsageError, match="dual-ar needs several codebooks, and beats has one"):
        tiny("dual-ar", data=dataset_facts(stream_facts("beats", codebooks=1)))


def test_a_dataset_without_tokens_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no token stream; there are: none; .* --tokenizer"):
        make_recipe("token-lm", "small", [], dataset_facts())


def test_the_first_stream_is_taken_and_the_preset_s_settings_stay() -> None:
    data = dataset_facts(stream_facts("b"), stream_facts("a"))
    recipe = make_recipe("token-lm", "paper", ["layers=2"], data)
    assert isinstance(recipe, TokenLm)
    assert recipe.needs == Needs(streams=("b",))
    assert (recipe.config.layers, recipe.config.width) == (2, 1024)


def test_what_it_is_told_is_needed_and_is_not_the_stream() -> None:
    assert tiny("flat", "condition=text").needs == Needs(streams=("codes",), text=True)
    assert tiny("flat", "condition=codes").needs == Needs(streams=("units", "codes"))
