"""From what an encoder heard to texts: the ways to search, by name.

greedy     CTC's best path: one text, the fastest
ctc        CTC with a beam of prefixes
attention  the decoder with a beam
joint      the decoder with a beam, and CTC beside it
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavemill.errors import UsageError
from wavemill.models.asr.beam_search import BeamConfig, BeamSearch
from wavemill.models.asr.ctc_prefix import CtcPrefixScorer
from wavemill.models.asr.ctc_search import best_path, prefix_search
from wavemill.models.asr.hypotheses import Hypothesis
from wavemill.models.asr.model import AsrModel
from wavemill.specs import check_range

METHODS = ("greedy", "ctc", "attention", "joint")
MAX_BEAM = 1000


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How texts are searched."""

    method: str | None = None
    """Of `METHODS`; if None the last of them that the model can."""
    beam: int = 8
    count: int = 5
    """Texts of an utterance."""
    ctc_weight: float | None = None
    """Of CTC in `joint`; if None as in the model's training."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.method is not None and self.method not in METHODS:
            raise UsageError(f"--method {self.method}: give {', '.join(METHODS)}")
        check_range("--beam", self.beam, 1, MAX_BEAM)
        check_range("--n", self.count, 1, self.beam)
        check_range("--ctc-weight", self.ctc_weight, 0, 1)


def for_model(config: DecodingConfig, model: AsrModel) -> DecodingConfig:
    """Choose a method that a model can be searched by, and the weight of CTC.

    Raises:
        UsageError: the one that was asked for is none.

    """
    can = {
        "greedy": model.ctc is not None,
        "ctc": model.ctc is not None,
        "attention": model.decoder is not None,
        "joint": model.ctc is not None and model.decoder is not None,
    }
    there = [method for method in METHODS if can[method]]
    method = config.method or there[-1]
    if method not in there:
        raise UsageError(f"--method {method}: this model can {', '.join(there)}")
    weight = model.ctc_weight if config.ctc_weight is None else config.ctc_weight
    return replace(config, method=method, ctc_weight=weight)


@torch.no_grad()
def search(
    model: AsrModel, heard: Tensor, lengths_B: Tensor, config: DecodingConfig
) -> list[list[Hypothesis]]:
    """Return the best texts of each of a batch, the best first.

    Args:
        model: in evaluation mode.
        heard: audio or token ids, see `AsrModel.encode`.
        lengths_B: how much of it is real.
        config: made by `for_model`.

    """
    speech = model.encode(heard, lengths_B)
    scores_BTV, frames_B = None, speech.frames
    if model.ctc is not None and config.method != "attention":
        scores_BTV, frames_B = model.ctc_scores(speech)
    if config.method in ("greedy", "ctc"):
        assert scores_BTV is not None
        return _by_ctc(scores_BTV, frames_B, config)
    assert model.decoder is not None
    assert config.ctc_weight is not None
    return BeamSearch(
        model.decoder,
        speech.features,
        speech.real,
        BeamConfig(beam=config.beam, count=config.count, ctc_weight=config.ctc_weight),
        # CTC can align no longer text.
        limits=(speech.frames * model.ctc_frames).tolist(),
        ctc=None if scores_BTV is None else CtcPrefixScorer(scores_BTV, frames_B),
    ).run()


def _by_ctc(scores_BTV: Tensor, frames_B: Tensor, config: DecodingConfig) -> list[list[Hypothesis]]:
    found = []
    for scores_TV, frames in zip(scores_BTV.cpu().numpy(), frames_B.tolist(), strict=True):
        real_TV = scores_TV[:frames]
        if config.method == "greedy":
            found.append([best_path(real_TV)])
        else:
            found.append(prefix_search(real_TV, beam=config.beam, count=config.count))
    return found
