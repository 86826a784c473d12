"""Tokenizers by the name that `--tokenizer` takes."""

from collections.abc import Sequence
from typing import Any

from wavemill.errors import UsageError
from wavemill.sharding.layout import stream_names
from wavemill.specs import Spec, configure
from wavemill.tokenizers.base import Tokenizer
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.mvq import MvqConfig, MvqTokenizer
from wavemill.tokenizers.sylber import SylberConfig, SylberTokenizer

TOKENIZERS: dict[str, tuple[type[Any], type[Any]]] = {
    "beats": (BeatsTokenizer, BeatsConfig),
    "mvq": (MvqTokenizer, MvqConfig),
    "sylber": (SylberTokenizer, SylberConfig),
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
        UsageError: as `make_tokenizer`, or two streams would have one name, or one that of
            another's times.

    """
    tokenizers = [make_tokenizer(spec) for spec in specs]
    names = [tokenizer.facts.name for tokenizer in tokenizers]
    for facts in (tokenizer.facts for tokenizer in tokenizers):
        _, *times = stream_names(facts.name, facts.frame_rate)
        if taken := set(times).intersection(names):
            raise UsageError(
                f"a tokenizer is named {taken.pop()!r}, as are the times of {facts.name!r}: give"
                " one another name=..."
            )
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two tokenizers are named {name!r}: give one name=..., as in"
                f" --tokenizer {name}:name={name}2"
            )
    return tokenizers
