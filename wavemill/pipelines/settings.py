"""What a `prepare` job is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wavemill.digest import digest
from wavemill.errors import DatasetError, UsageError
from wavemill.pipelines.job_settings import JobSettings
from wavemill.pipelines.segmenters import parse_segmenter
from wavemill.sharding.buckets import MAX_BUCKETS
from wavemill.specs import Spec, check_range
from wavemill.tokenizers.base import TokenizerFacts

AUDIO_FORMATS = ("flac", "opus", "none")
LAYOUT_VERSION = 4
"""Goes up when the same segments and tokens would give other shards, or say more of them."""


@dataclass(frozen=True, kw_only=True)
class PrepareSettings(JobSettings):
    """The settings of `prepare`, checked."""

    tokenizers: tuple[Spec, ...] = ()
    audio: str = "flac"
    num_buckets: int = 10
    num_sub_buckets: int = 2
    shard_mb: float = 256.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if self.audio not in AUDIO_FORMATS:
            raise UsageError(f"--audio {self.audio}: give one of {', '.join(AUDIO_FORMATS)}")
        if self.audio == "none" and not self.tokenizers:
            raise UsageError("--audio none without a --tokenizer leaves nothing to write")
        check_range("--buckets", self.num_buckets, 1, MAX_BUCKETS)
        check_range("--sub-buckets", self.num_sub_buckets, 1, MAX_BUCKETS)
        check_range("--shard-mb", self.shard_mb, 0.001, 1_000_000)

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
    def shard_bytes(self) -> int:
        """The target size of a shard."""
        return int(self.shard_mb * 2**20)

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
