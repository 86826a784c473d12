"""Which utterances are for training: by what they have in common, through a stable digest.

All utterances of a speaker, a recording or a text lie in one split. A split does not change when
others come, nor with their order.
"""

from dataclasses import dataclass

from wavemill.digest import digest_number
from wavemill.errors import UsageError
from wavemill.hypotheses.records import Utterance

SPLITS = ("train", "validation", "test")
RECORDING, SPEAKER, TEXT = "recording", "speaker", "text"
BY = (RECORDING, SPEAKER, TEXT)


@dataclass(frozen=True, kw_only=True)
class Splitting:
    """How utterances are split."""

    by: str = RECORDING
    """Where an utterance has no speaker or text it goes by its recording."""
    shares: tuple[float, ...] = (1.0, 0.0, 0.0)
    """Of `SPLITS`; of speakers, recordings or texts, not of utterances."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.by not in BY:
            raise UsageError(f"--split-by {self.by}: give one of {', '.join(BY)}")
        right = len(self.shares) == len(SPLITS) and all(0 <= share <= 1 for share in self.shares)
        if not right or abs(sum(self.shares) - 1) > 1e-6:
            given = ",".join(f"{share:g}" for share in self.shares)
            raise UsageError(
                f"--splits {given}: give the shares of {', '.join(SPLITS)}, which add up to 1, as"
                " 0.8,0.1,0.1"
            )

    @classmethod
    def parse(cls, by: str, shares: str, seed: int) -> "Splitting":
        """Read shares as the command line has them: `0.8,0.1,0.1`.

        Raises:
            UsageError: they are none.

        """
        try:
            numbers = tuple(float(part) for part in shares.split(","))
        except ValueError as error:
            raise UsageError(f"--splits {shares}: give numbers, as 0.8,0.1,0.1") from error
        return cls(by=by, shares=numbers, seed=seed)

    def of(self, utterance: Utterance) -> str:
        """Return the split of an utterance."""
        place = digest_number([self.seed, *self._group(utterance)]) / 2**64
        for split, share in zip(SPLITS, self.shares, strict=True):
            if place < share:
                return split
            place -= share
        return next(split for split, share in reversed([*zip(SPLITS, self.shares)]) if share)  # noqa: B905

    def _group(self, utterance: Utterance) -> tuple[str, str]:
        value = {SPEAKER: utterance.speaker, TEXT: utterance.reference}.get(self.by)
        return (RECORDING, utterance.recording_id) if value is None else (self.by, value)
