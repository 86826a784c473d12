"""What is loaded of each sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wavemill.errors import UsageError
from wavemill.loader.corpus import Stream
from wavemill.loader.sample import Crop, check_crop
from wavemill.loader.split import Split

AUDIO = "audio"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is loaded of each sample."""

    streams: Sequence[Stream]
    audio: bool = False
    sample_rate: int | None = None
    """Of audio, which is resampled to it; as it is stored if None."""
    cuts: bool = False
    crop: Crop | None = None
    split: Split | None = None
    """The part of the samples that is loaded; all if None."""
    counted: str | None = None
    """The stream whose tokens count where batches are planned; the longest if None."""

    def __post_init__(self) -> None:
        """Check that the settings go together.

        Raises:
            UsageError: they do not.

        """
        names = [stream.name for stream in self.streams]
        if self.counted is not None and self.counted not in names:
            there = ", ".join(names) or "none"
            raise UsageError(f"count={self.counted!r} is not among the streams loaded: {there}")
        check_crop(self.crop, self.streams)

    @property
    def counted_names(self) -> list[str]:
        """The streams whose tokens count."""
        return [s.name for s in self.streams if self.counted in (None, s.name)]

    @cached_property
    def limits(self) -> dict[str, int]:
        """What the ids of each stream are below."""
        return {stream.name: stream.codebook_size for stream in self.streams}

    @property
    def more(self) -> bool:
        """Whether there is more to a sample than its arrays."""
        return self.audio or self.cuts or self.crop is not None

    @property
    def names(self) -> list[str]:
        """The streams whose tars are read."""
        names = [AUDIO] if self.audio else []
        for stream in self.streams:
            names += [stream.name, *([stream.times] if stream.times else [])]
        return names
