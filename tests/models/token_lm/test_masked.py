import pytest
import torch
from torch.nn import functional

from tests.models.token_lm.tiny import BOOKS, SIZE, batch_of, build, draw, tiny
from wavemill.models.token_lm.layout import IGNORED
from wavemill.models.token_lm.masked import Masked
from wavemill.models.token_lm.masks import CONTEXT

SCHEDULES = ("magnet", "maskgct")


def masked(schedule: str, *settings: str) -> Masked:
    model = build("masked", f"schedule={schedule}", *settings)
    assert isinstance(model, Masked)
    return model


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_padded_does_not_matter(schedule: str) -> None:
    model = masked(schedule)
    alone, longer = draw(1, 4), draw(1, 9)
    together = torch.cat([functional.pad(alone, (0, 0, 0, 5), value=3), longer])
    for stage in range(BOOKS):
        expected = model.guess(alone, torch.tensor([stage]), torch.tensor([4]))[0]
        stages = torch.tensor([stage, 0])
        found = model.guess(together, stages, torch.tensor([4, 9]))[0, :4]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_only_what_is_hidden_is_asked_for_and_it_is_not_seen(schedule: str) -> None:
    model = masked(schedule)
    codes_BTQ, lengths_B = draw(64, 12), torch.full((64,), 12)
    torch.manual_seed(1)
    (logits,), (targets,) = model(codes_BTQ, lengths_B)
    holes_BT = targets != IGNORED
    assert holes_BT.any(1).all()
    assert not holes_BT.all()
    changed = codes_BTQ.clone()
    torch.manual_seed(1)
    stage_B = torch.randint(BOOKS, (64,))
    rows, frames = holes_BT.nonzero(as_tuple=True)
    assert targets[rows, frames].equal(codes_BTQ[rows, frames, stage_B[rows]])
    changed[rows, frames, stage_B[rows]] = (changed[rows, frames, stage_B[rows]] + 1) % SIZE
    torch.manual_seed(1)
    assert model(changed, lengths_B).logits[0].equal(logits)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_later_stages_of_magnet_see_what_is_near_and_all_others_everything(schedule: str) -> None:
    model, frames = masked(schedule, "layers=1"), 20
    codes_BTQ, lengths_B = draw(1, frames), torch.tensor([frames])
    for stage in range(BOOKS):
        before = model.guess(codes_BTQ, torch.tensor([stage]), lengths_B)
        changed = codes_BTQ.clone()
        changed[0, 10, 0] = (changed[0, 10, 0] + 1) % SIZE
        after = model.guess(changed, torch.tensor([stage]), lengths_B)
        moved = (after != before).any(-1)[0].nonzero().flatten().tolist()
        near = stage > 0 and schedule == "magnet"
        wanted = range(10 - CONTEXT, 10 + CONTEXT + 1) if near else range(frames)
        assert moved == list(wanted)


def test_each_stage_is_drawn_as_often() -> None:
    recipe = tiny("masked")
    model = recipe.build()
    codes_BTQ = torch.arange(BOOKS).expand(3000, 6, BOOKS)
    torch.manual_seed(0)
    (targets,) = model(codes_BTQ, torch.full((3000,), 6)).targets
    stages_B = targets.amax(1)
    assert stages_B.bincount().tolist() == pytest.approx([1000] * BOOKS, rel=0.1)


def test_what_it_is_told_does_not_depend_on_what_is_beside_it() -> None:
    recipe = tiny("masked", "condition=text")
    model = masked("magnet", "condition=text")
    batch = batch_of(draw(2, 6), [6, 4], ["a long text", "ab"])
    both = recipe.condition_of(batch)
    alone = recipe.condition_of(batch_of(draw(1, 6), [4], ["ab"]))
    ids_BTQ, stage_B = batch.tokens["codes"], torch.tensor([0, 1])
    together = model.guess(ids_BTQ, stage_B, torch.tensor([6, 4]), both)[1, :4]
    single = model.guess(ids_BTQ[1:], stage_B[1:], torch.tensor([4]), alone)[0, :4]
    torch.testing.assert_close(together, single, rtol=1e-5, atol=1e-6)
    untold = model.guess(ids_BTQ[1:], stage_B[1:], torch.tensor([4]), None)[0, :4]
    assert not torch.allclose(single, untold, atol=1e-4)
