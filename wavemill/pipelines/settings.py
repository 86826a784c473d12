"""What a `prepare` job is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wavemill.digest import digest
from wavemill.errors import DatasetError, UsageError
from wavemill.pipelines.filters import Bounds, check_bounds
from wavemill.pipelines.segment import AudioForm
from wavemill.pipelines.segmenters import parse_segmenter
from wavemill.sharding.buckets import MAX_BUCKETS
from wavemill.specs import MAX_SEED, Spec, check_range
from wavemill.tokenizers.base import TokenizerFacts

AUDIO_FORMATS = ("flac", "opus", "none")
SEGMENT_VERSION = 2
"""Goes up when the same recordings and settings would give other segments."""
FINGERPRINT_VERSION = 1
"""Goes up when the same segments would give other fingerprints."""
LAYOUT_VERSION = 3
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
    filters: Bounds = ()

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
        check_range("--sample-rate", self.sample_rate, 1000, 192_000)
        check_range("--buckets", self.num_buckets, 1, MAX_BUCKETS)
        check_range("--sub-buckets", self.num_sub_buckets, 1, MAX_BUCKETS)
        check_range("--shard-mb", self.shard_mb, 0.001, 1_000_000)
        check_range("--unit-mb", self.unit_mb, 0.001, 1_000_000)
        check_range("--max-rejected", self.max_rejected, 0, 1)
        check_range("--seed", self.seed, 0, MAX_SEED)
        check_bounds(self.filters)

    @classmethod
    def recorded(cls, stated: Mapping[str, Any], **others: Any) -> "PrepareSettings":
        """Read back what `data_json` made; `others` are the fields that it leaves out, or replaces.

        Raises:
            DatasetError: something is missing, or is not what it should be.

        """
        try:
            fields = {
                "segmenter": parse_segmenter(stated["segment"]),
                "tokenizers": tuple(map(Spec.parse, stated["tokenizers"])),
                "num_buckets": stated["buckets"],
                "num_sub_buckets": stated["sub_buckets"],
                "filters": tuple(stated.get("filters", {}).items()),
                **{
                    name: stated[name]
                    for name in ("audio", "sample_rate", "mono", "shard_mb", "seed", "dedup")
                },
            }
        except (KeyError, TypeError, AttributeError, UsageError) as error:
            raise DatasetError(f"the settings in dataset.json are damaged: {error}") from error
        return cls(**{**fields, **others})

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

    @property
    def fingerprints_stage(self) -> str:
        """The spool folder of what `--dedup` compares."""
        return f"fingerprints-{digest([FINGERPRINT_VERSION, self.segments_stage])}"

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
            "filters": dict(self.filters),
        }
