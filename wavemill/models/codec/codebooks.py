"""What trains residual codebooks: averages of what their entries stood for.

Van den Oord et al., arXiv 1711.00937, appendix A.1, and SoundStream (Zeghidour et al., arXiv
2107.03312): entries are moving averages of what was nearest to them, begin as k-means of the first
step's latents, and those that are hardly used become frames drawn from the step's. What each batch
adds is kept apart until the step's end, and then summed over the ranks.

    B batch, T frames, D features, Q codebooks, K ids of a codebook, P frames of the pool
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavemill.models.codec.pool import Pool
from wavemill.models.ranks import sum_over_ranks
from wavemill.tokenizers.seanet.residual import ResidualCodebooks, Step

KMEANS_ITERATIONS = 50
POOL_PLACES = 4
"""For each entry; k-means begins with as many of the pool as there are entries."""
EPSILON = 1e-5


class Quantized(NamedTuple):
    """Latents through the codebooks; gradients pass straight through."""

    latents: Tensor
    """[B, T, D]."""
    first: Tensor
    """Of the first codebook alone, [B, T, D]."""
    commitment: Tensor
    """Mean squared distance to the entries over a clip's frames and codebooks, [B]."""


class CodebookTraining(nn.Module):
    """The averages of residual codebooks, in buffers."""

    sums: Tensor
    counts: Tensor
    step_sums: Tensor
    step_counts: Tensor
    filled: Tensor

    def __init__(self, books: ResidualCodebooks, decay: float, revive_below: float) -> None:
        """Make empty averages.

        Args:
            books: that will be trained; they are not kept here, but handed in.
            decay: of the averages, a step.
            revive_below: share of a codebook's mean use under which an entry is replaced.

        """
        super().__init__()
        self._decay, self._revive_below = decay, revive_below
        entries_QKD = books.entries
        self.register_buffer("sums", torch.zeros_like(entries_QKD))
        self.register_buffer("counts", torch.zeros(entries_QKD.shape[:2]))
        self.register_buffer("filled", torch.zeros((), dtype=torch.bool))
        for name in ("sums", "counts"):
            empty = torch.zeros_like(getattr(self, name))
            self.register_buffer(f"step_{name}", empty, persistent=False)
        _, size, dim = entries_QKD.shape
        self.pool = Pool(POOL_PLACES * size, books.merge, dim)
        self._fills = False

    def quantize(
        self,
        books: ResidualCodebooks,
        latents_BTD: Tensor,
        real_BT: Tensor,
        used_B: Tensor,
        *,
        learns: bool,
    ) -> Quantized:
        """Quantize a batch.

        Args:
            books: the codebooks.
            latents_BTD: float32.
            real_BT: which frames are no padding.
            used_B: how many codebooks each clip uses; the others add nothing and learn nothing.
            learns: whether the step's end takes the batch in.

        """
        total = torch.zeros_like(latents_BTD)
        first = total
        commitment_B = latents_BTD.new_zeros(len(latents_BTD))
        for book, step in enumerate(books.steps(latents_BTD, real_BT)):
            is_used_B1 = (used_B > book)[:, None]
            counts_BT = real_BT & is_used_B1
            off_BT = (step.heard - step.entries).square().mean(-1)
            commitment_B = commitment_B + (off_BT * counts_BT).sum(-1)
            total = total + step.entries * is_used_B1[..., None]
            if not book:
                first = step.heard + (step.entries - step.heard).detach()
            if learns:
                self._add(book, step, counts_BT)
        if learns:
            self.pool.add(latents_BTD.detach(), real_BT)
        commitment_B = commitment_B / (real_BT.sum(-1).clamp(min=1) * used_B)
        return Quantized(latents_BTD + (total - latents_BTD).detach(), first, commitment_B)

    @torch.no_grad()
    def _add(self, book: int, step: Step, counts_BT: Tensor) -> None:
        weights = counts_BT.flatten().float()
        ids, heard = step.ids.flatten(), step.heard.flatten(0, 1)
        self.step_sums[book].index_add_(0, ids, heard * weights[:, None])
        self.step_counts[book].index_add_(0, ids, weights)

    def fill_after_step(self) -> None:
        """Have the step's end make the entries by k-means, unless they are filled."""
        self._fills = True

    @torch.no_grad()
    def after_step(self, books: ResidualCodebooks) -> None:
        """Take in what the step's batches on all ranks added."""
        rows_PGD = self.pool.take()
        sums_QKD, counts_QK = (
            sum_over_ranks(self.step_sums),
            sum_over_ranks(self.step_counts),
        )
        if self._fills:
            self._fill(books, rows_PGD)
            self._fills = False
        else:
            self._average(books, sums_QKD, counts_QK)
            self._revive(books, rows_PGD[: books.entries.shape[1]])
        self.step_sums.zero_()
        self.step_counts.zero_()

    def _average(self, books: ResidualCodebooks, sums_QKD: Tensor, counts_QK: Tensor) -> None:
        self.sums.lerp_(sums_QKD, 1 - self._decay)
        self.counts.lerp_(counts_QK, 1 - self._decay)
        total = self.counts.sum(-1, keepdim=True)
        size = self.counts.shape[1]
        smooth_QK = (self.counts + EPSILON) / (total + size * EPSILON) * total
        known = (total > 0)[..., None]
        means_QKD = self.sums / smooth_QK.clamp(min=EPSILON)[..., None]
        books.entries.copy_(torch.where(known, means_QKD, books.entries))

    def _revive(self, books: ResidualCodebooks, rows_PGD: Tensor) -> None:
        """Put frames of the pool in place of entries that are hardly used.

        They count as just used enough: those that no frame takes are replaced again at once. So
        codebooks follow latents that move faster than averages do, as they do early on.
        """
        for book, step in enumerate(books.steps(rows_PGD)):
            least = self._revive_below * self.counts[book].mean()
            dead_K = self.counts[book] < least
            drawn_KD = step.heard[:, 0]
            for kept, new in (
                (books.entries[book], drawn_KD),
                (self.sums[book], drawn_KD * least),
            ):
                kept.copy_(torch.where(dead_K[:, None], new, kept))
            self.counts[book].copy_(torch.where(dead_K, least, self.counts[book]))

    def _fill(self, books: ResidualCodebooks, rows_PGD: Tensor) -> None:
        """Make entries by k-means, codebook by codebook.

        Each seems to have been used in this step alone, once: so averages begin with what comes.
        """
        merged_PD, left_PD = rows_PGD.mean(1), rows_PGD[:, 0]
        for book, entries_KD in enumerate(books.entries):
            heard_PD = left_PD if book else merged_PD
            centers_KD, ids_P = kmeans(heard_PD, len(entries_KD))
            left_PD = left_PD - centers_KD[ids_P]
            entries_KD.copy_(torch.where(self.filled, entries_KD, centers_KD))
        once = torch.full_like(self.counts, 1 - self._decay)
        self.sums.copy_(torch.where(self.filled, self.sums, books.entries * once[..., None]))
        self.counts.copy_(torch.where(self.filled, self.counts, once))
        self.filled.fill_(value=True)


def kmeans(points_PD: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Cluster points, of which the first are where it begins.

    Returns:
        Centres [count, D], and which of them is nearest to each point.

    """
    centers_KD = points_PD[:count].clone()
    for _ in range(KMEANS_ITERATIONS):
        ids_P = torch.cdist(points_PD, centers_KD).argmin(-1)
        sums_KD = torch.zeros_like(centers_KD).index_add_(0, ids_P, points_PD)
        counts_K = points_PD.new_zeros(count).index_add_(0, ids_P, torch.ones_like(ids_P).float())
        means_KD = sums_KD / counts_K.clamp(min=1)[:, None]
        centers_KD = torch.where(counts_K[:, None] > 0, means_KD, centers_KD)
    return centers_KD, torch.cdist(points_PD, centers_KD).argmin(-1)
