"""Drawing with a cache says what the whole model says at once."""

import pytest
import torch
from torch import Tensor

from tests.models.token_lm.tiny import ALL, BOOKS, CAUSAL, SIZE, batch_of, build, draw, tiny
from wavemill.models.token_lm.condition import Condition
from wavemill.models.token_lm.masked import Masked
from wavemill.models.token_lm.sampling import Sampler

FRAMES = 7


class Recorder(Sampler):
    """Keeps the logits that it draws by."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows=range(rows))
        self.seen: list[Tensor] = []

    def draw(self, logits: Tensor, annealed: float = 1.0) -> Tensor:
        self.seen.append(logits)
        return super().draw(logits, annealed)


def told(rows: int, condition: str) -> Condition | None:
    texts: list[str | None] = ["some words", "", "ab"]
    batch = batch_of(draw(rows, 1), [1] * rows, texts[:rows])
    return tiny("flat", f"condition={condition}", "stream=codes").condition_of(batch)


def drawn_in_order(layout: str, known: int) -> list[tuple[int, int]]:
    """Frame and codebook of each id that is drawn."""
    places = [(frame, book) for frame in range(known, FRAMES) for book in range(BOOKS)]
    return sorted(places, key=lambda place: (sum(place), place[1])) if layout == "delay" else places


@pytest.mark.parametrize("condition", ["", "text", "units"])
@pytest.mark.parametrize("known", [0, 3, FRAMES - 1])
@pytest.mark.parametrize("layout", CAUSAL)
def test_with_a_cache_logits_are_those_of_the_whole_model(
    layout: str, known: int, condition: str
) -> None:
    model = build(layout, f"condition={condition}", "stream=codes")
    for weight in model.parameters():
        weight.data.mul_(3)  # so that what is read matters
    rows, prompt_BTQ, recorder = 3, draw(3, known), Recorder(3)
    given = told(rows, condition)
    codes_BTQ = model.generate(FRAMES, recorder, prompt_BTQ, given)
    assert codes_BTQ.shape == (rows, FRAMES, BOOKS)
    assert codes_BTQ[:, :known].equal(prompt_BTQ)
    assert 0 <= int(codes_BTQ.min()) <= int(codes_BTQ.max()) < SIZE
    logits = model(codes_BTQ, torch.full((rows,), FRAMES), given).logits
    places = drawn_in_order(layout, known)
    assert len(recorder.seen) == len(places)
    for (frame, book), seen in zip(places, recorder.seen, strict=True):
        torch.testing.assert_close(seen, logits[book][:, frame], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ALL)
def test_a_row_is_drawn_the_same_beside_others_and_differs_from_them(layout: str) -> None:
    model = build(layout)
    prompt_BTQ = draw(1, 2).expand(4, 2, BOOKS)
    many = model.generate(FRAMES, Sampler(rows=range(4)), prompt_BTQ)
    alone = model.generate(FRAMES, Sampler(rows=[1]), prompt_BTQ[:1])
    assert many[1].equal(alone[0])
    assert len({tuple(row.flatten().tolist()) for row in many}) == 4


@pytest.mark.parametrize("layout", ["masked", "masked,schedule=maskgct"])
@pytest.mark.parametrize("known", [0, 1, 3, 4, FRAMES - 1])
def test_a_masked_model_fills_every_hole_and_keeps_the_prompt(layout: str, known: int) -> None:
    model, prompt_BTQ = build(layout, "condition=text"), draw(2, known)
    found = model.generate(FRAMES, Sampler(rows=range(2)), prompt_BTQ, told(2, "text"))
    assert found[:, :known].equal(prompt_BTQ)
    assert 0 <= int(found.min()) <= int(found.max()) < SIZE


def test_ever_fewer_holes_are_filled_and_the_guidance_falls() -> None:
    model = build("masked", "condition=text")
    assert isinstance(model, Masked)
    holes: list[int] = []
    guess = model.guess

    def watch(ids_BTQ: Tensor, stage_B: Tensor, *more: object) -> Tensor:
        # Both told and untold are guessed side by side.
        assert len(ids_BTQ) == 2
        holes.append(int((ids_BTQ[0, :, int(stage_B[0])] == model.empty).sum()))
        return guess(ids_BTQ, stage_B, *more)  # type: ignore[arg-type]

    model.guess = watch  # type: ignore[assignment,method-assign]
    model.generate(60, Sampler(rows=[0]), draw(1, 0), told(1, "text"))
    first, later = holes[:20], [holes[at : at + 10] for at in (20, 30)]
    assert len(holes) == 20 + 10 * (BOOKS - 1)
    for counts in (first, *later):
        assert counts == sorted(counts, reverse=True)
        assert (counts[0], counts[-1]) == (60, 3)
