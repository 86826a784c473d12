"""Tokenizers: one file each. `base` has the contract, `table` the names.

`load("beats").encode([clip])[0]` is the array [T, Q] of a clip.
"""

from wavemill.tokenizers.base import Tokenizer, TokenizerFacts


def load(spec: str) -> Tokenizer:
    """Build a tokenizer from `NAME[:k=v,...]`, as `--tokenizer` takes it.

    Raises:
        UsageError: there is no such tokenizer or setting, or its weights cannot be had.

    """
    from wavemill.specs import Spec
    from wavemill.tokenizers.table import make_tokenizer

    return make_tokenizer(Spec.parse(spec))


__all__ = ["Tokenizer", "TokenizerFacts", "load"]
