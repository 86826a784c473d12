"""Settings of `corrector`."""

from dataclasses import dataclass

from wavemill.models.widths import check_width
from wavemill.specs import check_range

POINTER, WRITER, LORA = "pointer", "writer", "lora"
MODELS = (POINTER, WRITER, LORA)


@dataclass(frozen=True, kw_only=True)
class CorrectorConfig:
    """Settings of `corrector`."""

    model: str = POINTER
    """`pointer` chooses among words, `writer` writes units of text, `lora` adapts a language model
    that is there."""
    hypotheses: int = 5
    """How many of an utterance's hypotheses are looked at."""
    width: int = 64
    dropout: float = 0.2
    beam: int = 8
    most_counts: int = 500_000
    """Of the pointer: sequences of words that are known by heart, and as many mishearings."""
    layers: int = 3
    """Of the writer's encoder."""
    decoder_layers: int = 2
    heads: int = 4
    label_smoothing: float = 0.1
    vocabulary: str | None = None
    """Of the writer: word pieces to spell with, as `wavemill fit pieces` makes them (their file, or
    its content, which stays in the run); UTF-8 bytes if None."""
    base: str | None = None
    """Of `lora`: the language model, a folder, a GGUF file or a hub name."""
    prompt: str = "correct"
    """Of `lora`: the name or file of the prompt."""
    rank: int = 16
    alpha: int = 16
    most_tokens: int = 1024
    """Of `lora`: of a prompt and its answer; what is longer is left out of the training."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.model not in MODELS:
            raise ValueError(f"model={self.model} must be {', '.join(MODELS[:-1])} or {MODELS[-1]}")
        for name in ("hypotheses", "beam", "layers", "decoder_layers", "heads"):
            check_range(name, getattr(self, name), 1, 1000)
        for name in ("most_counts", "rank", "alpha", "most_tokens"):
            check_range(name, getattr(self, name), 1, 10**9)
        check_width("width", self.width, self.heads)
        if not (0 <= self.dropout < 1 and 0 <= self.label_smoothing < 1):
            raise ValueError("dropout and label_smoothing must be 0 or more and below 1")
        if self.model != LORA and self.base is not None:
            raise ValueError("base=... is of model=lora: give --preset lora")
