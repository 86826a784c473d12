"""What a loader gave so far: padding, rates, and how long the trainer waited for it."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(kw_only=True)
class Counts:
    """What is in some batches."""

    batches: int = 0
    samples: int = 0
    seconds: float = 0.0
    """Of audio, without padding."""
    padded_seconds: float = 0.0
    tokens: int = 0
    """Of the stream that counts, without padding."""
    padded_tokens: int = 0
    skipped: int = 0
    """Samples that could not be read."""
    repeated: int = 0
    """Samples that came again, so that all ranks have as many batches."""

    def add(self, other: "Counts") -> None:
        """Add what is in other batches."""
        for item in fields(Counts):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass(kw_only=True)
class Statistics(Counts):
    """Counts with the time that they took; of one rank, since iteration began."""

    rank: int = 0
    waited: float = 0.0
    """Seconds that the trainer waited for batches."""
    elapsed: float = 0.0
    """Seconds from the first batch asked for to the last one given."""

    @property
    def padding(self) -> dict[str, float]:
        """Shares of the batches that are padding."""
        return {
            "input": 1 - self.seconds / self.padded_seconds if self.padded_seconds else 0.0,
            "tokens": 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0,
        }

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values, with rates a second."""
        elapsed = max(self.elapsed, 1e-9)
        return {
            **asdict(self),
            "padding": self.padding,
            "samples_per_second": self.samples / elapsed,
            "tokens_per_second": self.tokens / elapsed,
            "waited_share": self.waited / elapsed,
        }

    def __str__(self) -> str:
        """Return a line for a trainer's log."""
        rates = self.as_json()
        padding = rates["padding"]
        line = (
            f"rank {self.rank}: {self.batches:,} batches, {self.samples:,} samples,"
            f" {rates['samples_per_second']:,.0f} samples/s,"
            f" {rates['tokens_per_second']:,.0f} tokens/s,"
            f" waited {rates['waited_share']:.1%} of the time,"
            f" padding {padding['input']:.1%} of the input, {padding['tokens']:.1%} of the tokens"
        )
        more = [f"{getattr(self, name):,} {name}" for name in ("repeated", "skipped")
                if getattr(self, name)]  # fmt: skip
        return ", ".join([line, *more])
