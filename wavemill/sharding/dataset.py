"""A prepared dataset's `dataset.json`: what it holds, and how it is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill import storage
from wavemill.digest import canonical, sha256
from wavemill.errors import DatasetError
from wavemill.sharding.schema import CONTENT, RUN_CONTENT, fault, short

FORMAT = "wavemill"
FORMAT_VERSION = 1
NAME = "dataset.json"
CARD = "README.md"
REJECTED = "rejected.jsonl"
RUN = "run.json"
"""How long the run took that made the dataset, and what it measured: it differs each time."""
SEAL = "content_sha256"
"""The last field: the digest of all others. Lint checks it; opening does not, so who adds a field
by hand can still read the dataset."""
BESIDE_BUCKETS = (CARD, REJECTED, RUN, NAME)
REMEDY = "give the same `wavemill prepare` again, which writes it anew"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset folder whose job ended well."""

    url: str
    content: dict[str, Any]
    """What `dataset.json` holds."""

    @classmethod
    def open(cls, url: str) -> "Dataset":
        """Read a folder's `dataset.json`.

        Raises:
            DatasetError: there is none, or not one that this version reads.

        """
        place = storage.join(url, NAME)
        try:
            # As it is written: the name of an input may hold bytes that are no text.
            content = json.loads(storage.read_bytes(place).decode("utf-8", "surrogateescape"))
        except FileNotFoundError as error:
            if not storage.is_folder(url):
                raise DatasetError(f"there is no folder {url}; correct the path") from error
            raise DatasetError(
                f"{url} is not a dataset: it has no {NAME}. It is written last, so the job that"
                " made this folder has not ended; run the same `wavemill` command again"
            ) from error
        except OSError as error:
            raise DatasetError(f"cannot read {place}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{place} is damaged: {error}; {REMEDY}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DatasetError(f"{place} does not describe a wavemill dataset")
        if content.get("format_version") != FORMAT_VERSION:
            raise DatasetError(
                f"{place} has format version {short(content.get('format_version'))}, this wavemill"
                f" reads {FORMAT_VERSION}: install the wavemill that wrote it"
                f" ({short(content.get('wavemill'))})"
            )
        if problem := fault(content, CONTENT):
            raise DatasetError(f"{place} is damaged: {problem}; {REMEDY}")
        return cls(url=url, content=content)

    def inspect(self) -> dict[str, Any]:
        """Return what `wavemill inspect --json` prints."""
        return {
            "samples": self.content["totals"]["samples"],
            "hours": self.content["totals"]["hours"],
            "buckets": self.content["buckets"],
            "tokenizers": {
                name: {key: value for key, value in facts.items() if key in _INSPECTED}
                for name, facts in self.content["tokenizers"].items()
            },
            "padding": self.content["padding"],
            "quality": self.content.get("quality", {}),
            "rejected": self.content["rejected"],
            "duplicates": self.content["totals"]["duplicates"],
            "run": self.run(),
        }

    def run(self) -> dict[str, Any] | None:
        """Return what `run.json` holds; None where none is, or that of another dataset."""
        try:
            content: dict[str, Any] = json.loads(storage.read_bytes(storage.join(self.url, RUN)))
        except (OSError, ValueError, RecursionError):
            return None
        whole = fault(content, RUN_CONTENT) is None
        return content if whole and content["dataset"] == self.content["digest"] else None


def is_dataset(url: str) -> bool:
    """Say whether an input is a prepared dataset."""
    return storage.is_folder(url) and storage.is_file(storage.join(url, NAME))


def content_sha256(content: Mapping[str, Any]) -> str:
    """Digest all that a `dataset.json` holds but this digest itself, as canonical JSON."""
    return sha256(canonical({name: value for name, value in content.items() if name != SEAL}))


_INSPECTED = {
    "num_codebooks", "codebook_size", "frame_rate", "sample_rate", "times", "tokens", "used",
    "perplexity", "perplexity_by_codebook",
}  # fmt: skip


def usage(counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Say how evenly ids are used.

    Args:
        counts: how often each id of each codebook occurs, [Q, K].

    Returns:
        `used`: different (codebook, id) pairs that occur, of Q * K; `perplexity_by_codebook`: the
        exponential of each codebook's entropy, 1 to K; `perplexity`: their mean.

    """
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / totals
    logs = np.log(np.where(counts > 0, shares, 1.0))
    perplexities = np.exp(-(shares * logs).sum(axis=1))
    return {
        "used": int((counts > 0).sum()),
        "perplexity": round(float(perplexities.mean()), 3),
        "perplexity_by_codebook": [round(float(value), 3) for value in perplexities],
    }
