"""A student and its teacher.

Shapes end names: B batch, N samples, F frames, D features, S segments.
"""

from typing import Any

import torch
from torch import Tensor, nn

from wavemill.models.sylber.bands import Bands
from wavemill.models.sylber.config import SylberConfig
from wavemill.models.sylber.hubert import count_frames, make_hubert, normalised, run_hubert
from wavemill.models.sylber.norms import NormStatistics
from wavemill.models.sylber.online import find_segments
from wavemill.models.sylber.segments import of_loudness, of_times, segment_means, starts

Times = tuple[Tensor, Tensor]
"""[B, S, 2] seconds and [B] lengths."""


class SylberModel(nn.Module):
    """The student learns, the teacher is told by it or stays."""

    stage: Tensor

    def __init__(self, config: SylberConfig) -> None:
        super().__init__()
        self.config = config
        self.student = make_hubert(config)
        self.teacher = make_hubert(config).requires_grad_(requires_grad=False)
        self.teacher.load_state_dict(self.student.state_dict())
        # Of stage 0 alone; all stages have the same names, so that one begins with another's.
        self.bands = Bands(config.width).requires_grad_(config.stage == 0)
        self.norms = NormStatistics(config.norm_decay)
        self.register_buffer("stage", torch.tensor(config.stage))
        self.register_load_state_dict_pre_hook(_begin_stage)  # type: ignore[no-untyped-call]

    def forward(
        self, clean_BN: Tensor, heard_BN: Tensor, lengths_B: Tensor, times: Times | None = None
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the summed loss, the number of real frames, and what is logged beside it.

        Args:
            clean_BN: clips, that the teacher hears.
            heard_BN: that the student hears.
            lengths_B: samples of each.
            times: of the segments, in stage 1, if they are given.

        """
        frames_B = count_frames(self.student.config, lengths_B)
        wave_BN = normalised(clean_BN, lengths_B)
        student_BFD = run_hubert(self.student, normalised(heard_BN, lengths_B), frames_B).float()
        real_BF = torch.arange(student_BFD.shape[1], device=lengths_B.device) < frames_B[:, None]
        if self.config.stage == 0:
            each_BF = self.bands(student_BFD, wave_BN)
            return each_BF.masked_fill(~real_BF, 0).sum(), real_BF.sum(), {}
        with torch.no_grad():
            teacher_BFD = run_hubert(self.teacher, wave_BN, frames_B).float()
        segments_BF = self._segments(wave_BN, teacher_BFD, frames_B, times) * real_BF
        # Of stage 1 it is the student's that the next teacher will have.
        known_BFD = student_BFD.detach() if self.config.stage == 1 else teacher_BFD
        if self.training:
            self.norms.add(known_BFD.norm(dim=2), segments_BF > 0, real_BF)
        target_BFD = segment_means(teacher_BFD, segments_BF)
        each_BF = (student_BFD - target_BFD).square().sum(2)
        total = each_BF.masked_fill(~real_BF, 0).sum()
        frames = real_BF.sum()
        parts = {
            "segments": starts(segments_BF).sum(),
            "norm_threshold": self.norms.threshold() * frames,
        }
        return total, frames, parts

    @torch.no_grad()
    def features(self, clips_BN: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the student's features of clips, [B, F, D]; of padded frames they mean nothing."""
        frames_B = count_frames(self.student.config, lengths_B)
        return run_hubert(self.student, normalised(clips_BN, lengths_B), frames_B)

    @torch.no_grad()
    def finish_step(self) -> None:
        """Move what has no gradients."""
        self.norms.finish_step()
        if self.config.decay < 1:
            pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
            for old, new in pairs:
                old.lerp_(new, 1 - self.config.decay)

    def _segments(
        self, wave_BN: Tensor, teacher_BFD: Tensor, frames_B: Tensor, times: Times | None
    ) -> Tensor:
        if times is not None:
            return of_times(*times, teacher_BFD.shape[1])
        if self.config.stage == 1:
            return of_loudness(wave_BN, frames_B)
        low, high = self.config.merge_low, self.config.merge_high
        merge_B = low + (high - low) * torch.rand(len(teacher_BFD), device=teacher_BFD.device)
        found: Tensor = find_segments(teacher_BFD, frames_B, self.norms.threshold(), merge_B)
        return found


def _begin_stage(model: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Where another stage's weights come in, its student becomes the teacher."""
    assert isinstance(model, SylberModel)
    own = model.config.stage
    if int(state.get(f"{prefix}stage", own)) == own:
        return
    state[f"{prefix}stage"] = torch.tensor(own)
    student = f"{prefix}student."
    for name in [name for name in state if name.startswith(student)]:
        state[f"{prefix}teacher.{name.removeprefix(student)}"] = state[name]
