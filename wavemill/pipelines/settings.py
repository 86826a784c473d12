"""What a `prepare` job is asked to do."""

from dataclasses import dataclass
from typing import Any

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.pipelines.segment import AudioForm
from wavemill.specs import Spec
from wavemill.tokenizers.base import TokenizerFacts

AUDIO_FORMATS = ("flac", "opus", "none")
SEGMENT_VERSION = 1
"""Goes up when the same recordings and settings would give other segments."""
LAYOUT_VERSION = 1
"""Goes up when the same segments and tokens would give other shards."""


@dataclass(frozen=True, kw_only=True)
class PrepareSettings:
    """A job's settings, checked; how it is run (workers, engine) is no part of them."""

    inputs: tuple[str, ...]
    out: str
    segmenter: Spec
    tokenizers: tuple[Spec, ...] = ()
    audio: str = "flac"
    sample_rate: int | None = None
    mono: bool = False
    num_buckets: int = 10
    num_sub_buckets: int = 2
    shard_mb: float = 256.0
    seed: int = 0
    dedup: bool = False
    max_rejected: float = 0.05
    unit_mb: float = 16.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.inputs:
            raise UsageError("no INPUT: name a file, a folder, a glob or a manifest")
        if not self.out:
            raise UsageError("--out is empty: name the folder of the dataset")
        if self.audio not in AUDIO_FORMATS:
            raise UsageError(f"--audio {self.audio}: give one of {', '.join(AUDIO_FORMATS)}")
        if self.audio == "none" and not self.tokenizers:
            raise UsageError("--audio none without a --tokenizer leaves nothing to write")
        if min(self.num_buckets, self.num_sub_buckets) < 1:
            raise UsageError("--buckets and --sub-buckets: give 1 or more")
        if min(self.shard_mb, self.unit_mb) <= 0:
            raise UsageError("--shard-mb and --unit-mb: give more than 0")
        if not 0 <= self.max_rejected <= 1:
            raise UsageError(f"--max-rejected {self.max_rejected}: give a share, 0 to 1")
        if self.sample_rate is not None and not 1000 <= self.sample_rate <= 192_000:
            raise UsageError(f"--sample-rate {self.sample_rate}: give 1000 to 192000 Hz")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: give 0 or more")

    @property
    def form(self) -> AudioForm:
        """What the stored audio is turned into."""
        return AudioForm(sample_rate=self.sample_rate, mono=self.mono)

    @property
    def shard_bytes(self) -> int:
        """The target size of a shard."""
        return int(self.shard_mb * 2**20)

    @property
    def segments_stage(self) -> str:
        """The spool folder of the segments: other settings, another folder."""
        what = [SEGMENT_VERSION, str(self.segmenter), self.sample_rate, self.mono]
        return f"segments-{digest(what)}"

    def tokens_stage(self, facts: TokenizerFacts) -> str:
        """Name the spool folder of a tokenizer's streams."""
        return f"tokens-{facts.name}-{digest([self.segments_stage, facts.digest])}"

    def data_json(self) -> dict[str, Any]:
        """Return the settings that the dataset's bytes depend on."""
        return {
            "segment": str(self.segmenter),
            "tokenizers": [str(spec) for spec in self.tokenizers],
            "audio": self.audio,
            "sample_rate": self.sample_rate,
            "mono": self.mono,
            "buckets": self.num_buckets,
            "sub_buckets": self.num_sub_buckets,
            "shard_mb": self.shard_mb,
            "seed": self.seed,
            "dedup": self.dedup,
        }
