"""Tokenizers by the name that `--tokenizer` takes."""

from collections.abc import Sequence
from typing import Any

from wavemill.errors import UsageError
from wavemill.specs import Spec, configure
from wavemill.tokenizers.base import Tokenizer
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.kmeans import KmeansConfig, KmeansTokenizer
from wavemill.tokenizers.mvq import MvqConfig, MvqTokenizer

TOKENIZERS: dict[str, tuple[type[Any], type[Any]]] = {
    "beats": (BeatsTokenizer, BeatsConfig),
    "kmeans": (KmeansTokenizer, KmeansConfig),
    "mvq": (MvqTokenizer, MvqConfig),
}
"""Name -> (tokenizer, its settings). One row a tokenizer."""

TAKEN_NAMES = {"audio", "cuts", "recording", "sharded_manifests", "features", "custom", "id"}
"""Names that the shard layout or lhotse's cuts use for something else."""


def make_tokenizer(spec: Spec) -> Tokenizer:
    """Build the tokenizer that a spec names, weights and all.

    Raises:
        UsageError: there is no such tokenizer or setting, or its weights cannot be had.

    """
    build, config = configure(spec, TOKENIZERS, "--tokenizer")
    try:
        tokenizer: Tokenizer = build(config)
    except ValueError as error:
        raise UsageError(f"--tokenizer {spec}: {error}") from error
    if tokenizer.facts.name in TAKEN_NAMES:
        raise UsageError(
            f"--tokenizer {spec}: the name {tokenizer.facts.name!r} is taken; give another"
        )
    return tokenizer


def make_tokenizers(specs: Sequence[Spec]) -> list[Tokenizer]:
    """Build tokenizers whose streams lie side by side.

    Raises:
        UsageError: as `make_tokenizer`, or two streams would have one name.

    """
    tokenizers = [make_tokenizer(spec) for spec in specs]
    names = [tokenizer.facts.name for tokenizer in tokenizers]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two tokenizers are named {name!r}: give one name=..., as in"
                f" --tokenizer {name}:name={name}2"
            )
    return tokenizers
