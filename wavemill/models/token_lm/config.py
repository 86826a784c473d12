"""The settings of `token-lm`."""

from dataclasses import dataclass

from wavemill.models.widths import check_width
from wavemill.specs import check_range

LAYOUTS = ("delay", "flat", "hierarchical", "dual-ar", "masked")
TEXT = "text"
"""The condition that is no stream."""
MAGNET, MASKGCT = "magnet", "maskgct"


@dataclass(frozen=True, kw_only=True)
class TokenLmConfig:
    """Settings of `token-lm`."""

    stream: str = ""
    """Whose ids are modelled; the dataset's first that is no condition if left out."""
    layout: str = "delay"
    """`flat`: one id a position, exact and long; `delay`: a frame a position, each codebook a frame
    later than the one before it; `hierarchical`: a model over frames and a small one over the
    codebooks of each; `dual-ar`: the same, the first codebook being guessed by the large one;
    `masked`: holes in a codebook are guessed from what is around them."""
    condition: str = ""
    """What comes before the ids: `text`, as bytes, or another stream of the dataset."""
    condition_drop: float = 0.15
    """How often training leaves the condition out; only then can it be left out, and guided by."""
    schedule: str = MAGNET
    """Of `masked`: `magnet`, spans of 3 and a narrow view but for the first codebook, or `maskgct`,
    single ids after a prompt."""
    layers: int = 4
    width: int = 256
    heads: int = 4
    inner_layers: int = 4
    """Of the small model of `hierarchical` and `dual-ar`."""
    inner_width: int | None = None
    """Likewise; as `width` if left out."""
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check_name("layout", self.layout, LAYOUTS)
        _check_name("schedule", self.schedule, (MAGNET, MASKGCT))
        for name in ("layers", "heads", "inner_layers"):
            check_range(name, getattr(self, name), 1, 1000)
        for name in ("width", "inner_width"):
            width = getattr(self, name)
            if width is not None:
                check_width(name, width, self.heads)
        for name in ("dropout", "condition_drop"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be 0 or more and below 1")


def _check_name(setting: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise ValueError(f"{setting}={name} must be {', '.join(names[:-1])} or {names[-1]}")
