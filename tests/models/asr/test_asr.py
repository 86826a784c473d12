"""The recipe `asr`: its model, its loss, and runs of it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.models.peaks import dataset_facts, stream_facts
from wavemill.errors import JobError, UsageError
from wavemill.loader.batch import Batch
from wavemill.models.asr.decoding import DecodingConfig, for_model, search
from wavemill.models.asr.model import AsrModel, token_layers
from wavemill.models.asr.pieces import fit_pieces
from wavemill.models.asr.recipe import Asr
from wavemill.models.memory.predict import Predictor
from wavemill.models.step import LOSS, Stepper
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.table import make_recipe, recipe_of
from wavemill.models.training.settings import TrainSettings

BOOKS, SIZE = 3, 8
DATA = dataset_facts(stream_facts(codebooks=BOOKS, size=SIZE))
TINY = ("encoder_layers=2", "width=16", "heads=2", "channels=4", "dropout=0", "alphabet=abcde")
AUDIO, TOKENS = (), ("stream=codes",)
INPUTS = pytest.mark.parametrize("inputs", [AUDIO, TOKENS], ids=["audio", "tokens"])


def tiny(*settings: str, preset: str = "small") -> Asr:
    torch.manual_seed(0)
    given = {setting.split("=")[0]: setting for setting in (*TINY, *settings)}
    recipe = make_recipe("asr", preset, list(given.values()), DATA)
    assert isinstance(recipe, Asr)
    return recipe


def built(recipe: Asr) -> AsrModel:
    model = recipe.build().eval()
    assert isinstance(model, AsrModel)
    return model


def draw(recipe: Asr, *lengths: int) -> list[Tensor]:
    """Audio or ids of so many tenths of a second."""
    if recipe.stream is None:
        return [torch.randn(1600 * length) for length in lengths]
    return [torch.randint(0, SIZE, (10 * length, BOOKS)) for length in lengths]


def batch_of(recipe: Asr, heard: list[Tensor], text: list[str | None]) -> Batch:
    """Side by side; what is padded is anything but zeros."""
    longest = max(map(len, heard))
    padded = [torch.cat([one, draw(recipe, 99)[0][: longest - len(one)]]) for one in heard]
    lengths = torch.tensor([len(one) for one in heard])
    batch = Batch(
        keys=[str(number) for number in range(len(heard))],
        datasets=torch.zeros(len(heard), dtype=torch.int64),
        text=text,
    )
    if recipe.stream is None:
        batch.audio, batch.audio_lengths, batch.sample_rate = torch.stack(padded), lengths, 16_000
    else:
        batch.tokens, batch.token_lengths = {"codes": torch.stack(padded)}, {"codes": lengths}
    return batch


@INPUTS
def test_what_is_padded_does_not_matter(inputs: tuple[str, ...]) -> None:
    recipe = tiny(*inputs)
    model = built(recipe)
    heard = draw(recipe, 4, 9, 1)
    batch = batch_of(recipe, heard, ["ab"] * 3)
    targets = torch.tensor([[0, 1], [2, 3], [1, 1]])
    scores, frames_B, logits = model(*recipe.heard(batch), targets)
    for number, one in enumerate(heard):
        alone, (frames,), decoded = model(
            one[None], torch.tensor([len(one)]), targets[number : number + 1]
        )
        assert frames_B[number] == frames
        torch.testing.assert_close(scores[number, :frames], alone[0, :frames], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits[number], decoded[0], rtol=1e-4, atol=1e-5)


@INPUTS
def test_the_loss_of_a_batch_is_the_sum_of_its_samples(inputs: tuple[str, ...]) -> None:
    recipe = tiny(*inputs)
    model = built(recipe)
    heard, text = draw(recipe, 3, 8, 5), ["ab", "a bed", ""]
    whole = recipe.loss(model, batch_of(recipe, heard, [*text]))
    each = [
        recipe.loss(model, batch_of(recipe, [one], [said]))
        for one, said in zip(heard, text, strict=True)
    ]
    torch.testing.assert_close(whole.total, torch.stack([one.total for one in each]).sum())
    assert whole.count == 3 + 6 + 1
    for name, value in whole.parts.items():
        torch.testing.assert_close(value, torch.stack([one.parts[name] for one in each]).sum())


def test_the_loss_is_ctc_s_and_the_decoder_s_by_their_weights() -> None:
    recipe = tiny("label_smoothing=0.2", "ctc_weight=0.4")
    model = built(recipe)
    batch = batch_of(recipe, draw(recipe, 6), ["bad"])
    targets = recipe.vocabulary.encode("bad")
    scores, _, logits = model(*recipe.heard(batch), torch.tensor([targets]))
    end = recipe.vocabulary.size
    ctc = functional.ctc_loss(
        scores.transpose(0, 1), torch.tensor([targets]), torch.tensor([scores.shape[1]]),
        torch.tensor([3]), blank=end, reduction="sum",
    )  # fmt: skip
    decoder = functional.cross_entropy(
        logits[0], torch.tensor([*targets, end]), reduction="sum", label_smoothing=0.2
    )
    loss = recipe.loss(model, batch)
    torch.testing.assert_close(loss.parts["ctc"], ctc.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loss.total, 0.4 * ctc + 0.6 * decoder, rtol=1e-4, atol=1e-4)


def test_the_decoder_sees_no_later_unit() -> None:
    model = built(tiny())
    speech_BTD, real_BT = torch.randn(1, 5, 16), torch.ones(1, 5, dtype=torch.bool)
    assert model.decoder is not None
    before = model.decoder(torch.tensor([[0, 1, 2, 3]]), speech_BTD, real_BT)[0]
    for place in range(4):
        changed = torch.tensor([[0, 1, 2, 3]])
        changed[0, place] = 4
        after = model.decoder(changed, speech_BTD, real_BT)[0]
        moved = (after != before).any(-1)
        assert moved.tolist() == [other > place for other in range(5)]


@pytest.mark.parametrize("inputs", [AUDIO, TOKENS, ("decoder_layers=0", "ctc_weight=1")])
def test_it_learns_a_batch_by_heart_and_writes_it_down(inputs: tuple[str, ...]) -> None:
    recipe = tiny("width=32", "augment=0", "tempo=0", *inputs)
    model = recipe.build()
    assert isinstance(model, AsrModel)
    settings = TrainSettings(learning_rate=5e-3, warmup=10, schedule="constant", weight_decay=0)
    stepper = Stepper(recipe, model, settings)
    text: list[str | None] = ["a bad cab", "dead", "be"]
    batch = batch_of(recipe, draw(recipe, 9, 5, 3), text)
    losses = [float(stepper.step(number, [batch])[LOSS]) for number in range(80)]
    assert losses[-1] < 0.25 * losses[0]
    model.eval()
    for method in ("greedy", None):
        config = for_model(DecodingConfig(method=method, count=3), model)
        found = search(model, *recipe.heard(batch), config)
        assert [recipe.vocabulary.decode(one[0].ids) for one in found] == text


def test_samples_without_a_text_do_not_count() -> None:
    recipe = tiny()
    model = built(recipe)
    heard = draw(recipe, 3, 5, 4)
    loss = recipe.loss(model, batch_of(recipe, heard, ["ab", None, "zz"]))
    alone = recipe.loss(model, batch_of(recipe, heard[:1], ["ab"]))
    torch.testing.assert_close(loss.total, alone.total)
    assert loss.count == alone.count
    with pytest.raises(JobError, match=r"no sample of a batch has a text .* prepare a manifest"):
        recipe.loss(model, batch_of(recipe, heard[1:], [None, "..."]))


def test_texts_that_are_too_long_for_ctc_are_told() -> None:
    recipe = tiny("ctc_frames=1")
    model = built(recipe)
    loss = recipe.loss(model, batch_of(recipe, draw(recipe, 2, 9), ["abcdeabcde", "a"]))
    assert loss.parts["unaligned"] == 11
    assert loss.count == 13
    loss.total.backward()
    assert all(
        weight.grad is None or torch.isfinite(weight.grad).all() for weight in model.parameters()
    )


def test_tempo_changes_in_training_alone() -> None:
    recipe = tiny("tempo=0.3", "augment=0")
    model = built(recipe)
    batch = batch_of(recipe, draw(recipe, 9, 5), ["ab", "a"])
    before = model.encode(*recipe.heard(batch))
    assert model.encode(*recipe.heard(batch)).features.equal(before.features)
    assert model.train().encode(*recipe.heard(batch)).features.shape != before.features.shape


@pytest.mark.parametrize(
    ("rate", "subsampling", "layers"),
    [(100.0, 8, 3), (50.0, 8, 2), (75.0, 8, 2), (12.5, 8, 0), (5.0, 8, 0), (50.0, 4, 1),
     (None, 8, 0)],
)  # fmt: skip
def test_tokens_are_halved_until_they_are_as_few_as_frames_of_audio(
    rate: float | None, subsampling: int, layers: int
) -> None:
    assert token_layers(rate, subsampling) == layers


@INPUTS
def test_a_step_can_be_foretold_without_data(inputs: tuple[str, ...]) -> None:
    recipe = tiny(*inputs)
    predictor = Predictor(recipe, DATA)
    sizes = [
        predictor.step_bytes(Extent(seconds=0.5, tokens={"codes": 50}), count).peak
        for count in (1, 8)
    ]
    assert 0 < sizes[0] < sizes[1]


def test_a_synthetic_batch_is_what_the_recipe_needs() -> None:
    recipe = tiny()
    batch = make_batch(recipe.needs, DATA, Extent(seconds=1.0, tokens={}), 2)
    assert batch.audio is not None
    assert batch.audio.shape == (2, 16_000)
    assert recipe.loss(built(recipe), batch).count > 0


@pytest.mark.parametrize(
    ("preset", "layers", "millions"), [("paper", (32, 4), 883), ("unshifted", (24, 24), 1018)]
)
def test_the_paper_s_presets_have_about_the_published_size(
    preset: str, layers: tuple[int, int], millions: int
) -> None:
    recipe = make_recipe("asr", preset, [], DATA)
    assert isinstance(recipe, Asr)
    assert (recipe.config.encoder_layers, recipe.config.decoder_layers) == layers
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in recipe.build().parameters())
    assert weights == pytest.approx(millions * 1e6, rel=0.06)


def test_a_vocabulary_stays_in_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "pieces.json"
    file.write_text(fit_pieces(["a bad cab", "a dead bed", "be a cab"], 16))
    torch.manual_seed(0)
    recipe = make_recipe("asr", "small", [*TINY[:-1], f"vocabulary={file}"], DATA)
    assert isinstance(recipe, Asr)
    content = file.read_text()
    file.unlink()
    assert recipe.config.vocabulary == content
    again = recipe_of("asr", {**vars(recipe.config)}, DATA)
    assert isinstance(again, Asr)
    ids = recipe.vocabulary.encode("a bad bed")
    assert again.vocabulary.decode(ids) == "a bad bed"
    assert again.vocabulary.size == recipe.vocabulary.size


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["stream=mvq"], "no stream 'mvq'; there are: codes"),
        (["vocabulary=nowhere.json"], "vocabulary=nowhere.json: it cannot be read"),
        (["vocabulary=nowhere.json", "alphabet=ab"], "give alphabet or vocabulary, not both"),
        (["alphabet=a.b"], "alphabet=a.b: give lower-case letters"),
        (["subsampling=3"], "subsampling=3 must be 2, 4 or 8"),
        (["width=20"], "width=20 must be .* a multiple of twice heads=4"),
        (["encoder_layers=0"], "encoder_layers=0 must be 1 to 1000"),
        (["ctc_weight=2"], "ctc_weight=2.0 must be 0 to 1"),
        (["ctc_weight=1"], "decoder_layers=1 must be 1 to 1000, or 0 with ctc_weight=1"),
        (["dropout=1"], "dropout and label_smoothing must be"),
    ],
)
def test_settings_that_are_none_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_recipe("asr", "small", settings, DATA)


def test_a_search_that_a_model_cannot_do_is_refused() -> None:
    by_ctc = built(tiny("decoder_layers=0", "ctc_weight=1"))
    by_decoder = built(tiny("ctc_weight=0"))
    assert for_model(DecodingConfig(), by_ctc).method == "ctc"
    assert for_model(DecodingConfig(), by_decoder).method == "attention"
    both = built(tiny("ctc_weight=0.6"))
    assert for_model(DecodingConfig(), both).ctc_weight == 0.6
    assert for_model(DecodingConfig(ctc_weight=0.2), both).ctc_weight == 0.2
    with pytest.raises(UsageError, match="--method joint: this model can greedy, ctc"):
        for_model(DecodingConfig(method="joint"), by_ctc)
    with pytest.raises(UsageError, match="--n 9: give 1 to 8"):
        DecodingConfig(count=9)
    with pytest.raises(UsageError, match="--method best: give greedy, ctc"):
        DecodingConfig(method="best")
