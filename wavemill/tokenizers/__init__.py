"""Tokenizers: one file each. `base` has the contract, `table` the names.

`load("beats").encode([clip])[0]` is the array [T, Q] of a clip.
"""

from collections.abc import Sequence

from wavemill.errors import UsageError
from wavemill.specs import Spec, configure
from wavemill.tokenizers.base import Tokenizer, TokenizerFacts
from wavemill.tokenizers.names import check_name, check_names


def load(spec: str) -> Tokenizer:
    """Build a tokenizer from `NAME[:k=v,...]`, as `--tokenizer` takes it.

    Raises:
        UsageError: there is no such tokenizer or setting, or its weights cannot be had.

    """
    return make_tokenizer(Spec.parse(spec))


def make_tokenizer(spec: Spec) -> Tokenizer:
    """Build the tokenizer that a spec names, weights and all.

    Raises:
        UsageError: there is no such tokenizer or setting, or its weights cannot be had.

    """
    from wavemill.tokenizers.table import TOKENIZERS  # loads torch

    build, config = configure(spec, TOKENIZERS, "--tokenizer")
    check_name(config.name, str(spec))
    try:
        tokenizer: Tokenizer = build(config)
    except ValueError as error:
        raise UsageError(f"--tokenizer {spec}: {error}") from error
    return tokenizer


def make_tokenizers(specs: Sequence[Spec]) -> list[Tokenizer]:
    """Build tokenizers whose streams lie side by side.

    Raises:
        UsageError: as `make_tokenizer`, or their streams' names do not go together.

    """
    tokenizers = [make_tokenizer(spec) for spec in specs]
    check_names([tokenizer.facts.name for tokenizer in tokenizers])
    return tokenizers


__all__ = ["Tokenizer", "TokenizerFacts", "load", "make_tokenizer", "make_tokenizers"]
