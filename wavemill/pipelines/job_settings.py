"""What every job is asked that cuts recordings into segments."""

from dataclasses import dataclass

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.pipelines.cut import AudioForm
from wavemill.pipelines.filters import Bounds, check_bounds
from wavemill.specs import MAX_SEED, Spec, check_range

SEGMENT_VERSION = 2
"""Goes up when the same recordings and settings would give other segments."""
FINGERPRINT_VERSION = 1
"""Goes up when the same segments would give other fingerprints."""


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """A job's settings, checked; how it is run (workers, engine) is no part of them."""

    inputs: tuple[str, ...]
    out: str
    segmenter: Spec
    sample_rate: int | None = None
    mono: bool = False
    seed: int = 0
    dedup: bool = False
    max_rejected: float = 0.05
    unit_mb: float = 16.0
    filters: Bounds = ()

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.inputs:
            raise UsageError("no INPUT: name a file, a folder, a glob or a manifest")
        if not self.out:
            raise UsageError("--out is empty: name the folder of the dataset")
        check_range("--sample-rate", self.sample_rate, 1000, 192_000)
        check_range("--unit-mb", self.unit_mb, 0.001, 1_000_000)
        check_range("--max-rejected", self.max_rejected, 0, 1)
        check_range("--seed", self.seed, 0, MAX_SEED)
        check_bounds(self.filters)

    @property
    def form(self) -> AudioForm:
        """What the stored audio is turned into."""
        return AudioForm(sample_rate=self.sample_rate, mono=self.mono)

    @property
    def unit_bytes(self) -> int:
        """About how much input one unit of work holds."""
        return int(self.unit_mb * 2**20)

    @property
    def segments_stage(self) -> str:
        """The spool folder of the segments: other settings, another folder."""
        what = [SEGMENT_VERSION, str(self.segmenter), self.sample_rate, self.mono]
        return f"segments-{digest(what)}"

    @property
    def fingerprints_stage(self) -> str:
        """The spool folder of what `--dedup` compares."""
        return f"fingerprints-{digest([FINGERPRINT_VERSION, self.segments_stage])}"
