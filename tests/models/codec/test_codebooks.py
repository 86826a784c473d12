import pytest
import torch
from torch import Tensor

from wavemill.models.codec.codebooks import CodebookTraining, kmeans
from wavemill.tokenizers.seanet.residual import ResidualCodebooks

DIM, BOOKS, SIZE = 3, 2, 4
DECAY = 0.9


def made(revive_below: float = 0.0, merge: int = 1) -> tuple[ResidualCodebooks, CodebookTraining]:
    torch.manual_seed(0)
    books = ResidualCodebooks(DIM, BOOKS, SIZE, merge)
    return books, CodebookTraining(books, DECAY, revive_below)


def everything(x_BTD: Tensor) -> tuple[Tensor, Tensor]:
    """All frames are real, and all codebooks used."""
    return torch.ones(x_BTD.shape[:2], dtype=torch.bool), torch.full((len(x_BTD),), BOOKS)


def test_entries_are_the_moving_averages_of_what_was_nearest_to_them() -> None:
    books, training = made()
    sums = torch.zeros(BOOKS, SIZE, DIM)
    counts = torch.zeros(BOOKS, SIZE)
    for step in range(3):
        entries = books.entries.clone()
        x_BTD = torch.randn(2, 5, DIM, generator=torch.Generator().manual_seed(step))
        training.quantize(books, x_BTD, *everything(x_BTD), learns=True)
        training.after_step(books)
        left = x_BTD.flatten(0, 1)
        for book in range(BOOKS):
            ids = torch.cdist(left, entries[book]).argmin(-1)
            for entry in range(SIZE):
                mine = left[ids == entry]
                sums[book, entry] = DECAY * sums[book, entry] + (1 - DECAY) * mine.sum(0)
                counts[book, entry] = DECAY * counts[book, entry] + (1 - DECAY) * len(mine)
            left = left - entries[book][ids]
    torch.testing.assert_close(training.counts, counts)
    used = counts > 0.05
    assert used.sum() > SIZE
    expected = sums / counts.clamp(min=1e-9)[..., None]
    torch.testing.assert_close(books.entries[used], expected[used], rtol=1e-3, atol=1e-4)


def test_nothing_learns_from_padding_or_from_codebooks_that_are_not_used() -> None:
    books, training = made()
    x_BTD = torch.randn(2, 4, DIM)
    real_BT = torch.tensor([[True] * 4, [True, False, False, False]])
    training.quantize(books, x_BTD, real_BT, torch.tensor([1, 2]), learns=True)
    assert training.step_counts.sum(-1).tolist() == [5, 1]


def test_an_entry_that_is_hardly_used_becomes_a_frame_of_the_step() -> None:
    books, training = made(revive_below=0.1)
    with torch.no_grad():
        books.entries[0, 3] = 1000.0
    x_BTD = torch.randn(4, 8, DIM)
    training.quantize(books, x_BTD, *everything(x_BTD), learns=True)
    training.after_step(books)
    revived = books.entries[0, 3]
    assert (x_BTD.flatten(0, 1) == revived).all(-1).any()
    assert float(training.counts[0, 3]) == pytest.approx(0.1 * 0.1 * 32 / SIZE)
    assert (training.counts > 0.09 * training.counts.mean(-1, keepdim=True)).all()
    # No frame of the next step is near it, so it is replaced again.
    training.quantize(books, x_BTD + 50, *everything(x_BTD), learns=True)
    training.after_step(books)
    assert (x_BTD.flatten(0, 1) + 50 == books.entries[0, 3]).all(-1).any()


def test_an_entry_in_use_is_left_alone() -> None:
    kept, plain = made(revive_below=0.0), made(revive_below=1e-6)
    x_BTD = torch.randn(4, 64, DIM)
    for books, training in (kept, plain):
        torch.manual_seed(1)
        training.quantize(books, x_BTD, *everything(x_BTD), learns=True)
        assert training.step_counts.all()
        training.after_step(books)
    assert torch.equal(kept[0].entries, plain[0].entries)


def test_the_first_step_s_end_fills_codebooks_by_k_means_once() -> None:
    books, training = made()
    corners = torch.tensor([[0.0, 0, 0], [9, 0, 0]])
    x_BTD = corners.repeat(32, 1)[None] + 0.01 * torch.randn(1, 64, DIM)
    for turn in range(2):
        training.quantize(books, x_BTD + turn, *everything(x_BTD), learns=True)
        training.fill_after_step()
        training.after_step(books)
    off = torch.cdist(corners, books.entries[0]).amin(-1)
    assert float(off.max()) < 0.05
    assert bool(training.filled)
    # What is left is near nothing, and so is the second codebook.
    assert float(books.entries[1].abs().max()) < 0.1


def test_gradients_pass_straight_through_and_pull_latents_to_their_entries() -> None:
    books, training = made()
    x_BTD = torch.randn(1, 6, DIM, requires_grad=True)
    found = training.quantize(books, x_BTD, *everything(x_BTD), learns=False)
    (gradient,) = torch.autograd.grad((found.latents * 3).sum(), x_BTD, retain_graph=True)
    assert torch.equal(gradient, torch.full_like(x_BTD, 3))
    steps = list(books.steps(x_BTD.detach()))
    expected = sum((step.heard - step.entries).square().mean() for step in steps) / BOOKS
    torch.testing.assert_close(found.commitment[0], torch.as_tensor(expected))
    (pull,) = torch.autograd.grad(found.commitment.sum(), x_BTD)
    off = sum(step.heard - step.entries for step in steps)
    torch.testing.assert_close(pull, 2 * torch.as_tensor(off) / (6 * DIM * BOOKS))


def test_merged_frames_learn_what_they_have_in_common() -> None:
    books, training = made(merge=2)
    x_BTD = torch.randn(1, 6, DIM)
    training.quantize(books, x_BTD, *everything(x_BTD), learns=True)
    means = x_BTD.unflatten(1, (3, 2)).mean(2)[0]
    torch.testing.assert_close(training.step_sums[0].sum(0), 2 * means.sum(0))
    rows = training.pool.take()
    assert rows.shape == (4 * SIZE, 2, DIM)
    pairs = {tuple(pair.flatten().tolist()) for pair in x_BTD.unflatten(1, (3, 2))[0]}
    assert {tuple(row.flatten().tolist()) for row in rows} <= pairs


def test_k_means_ends_where_centres_are_the_means_of_their_points() -> None:
    points = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    centers, ids = kmeans(points, 5)
    for number, center in enumerate(centers):
        torch.testing.assert_close(points[ids == number].mean(0), center, rtol=0.02, atol=0.02)
