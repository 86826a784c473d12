"""Find what turns a dataset's tokens back into audio."""

from typing import Any

from wavemill.errors import UsageError


def find_decoder(dataset: Any, written: str) -> tuple[str, Any]:
    """Build the tokenizer that made a stream of a dataset, and can turn it back.

    Args:
        dataset: a `Dataset`.
        written: the stream's name, with settings where the model lies elsewhere now.

    Returns:
        The stream's name, and the tokenizer, a `Decoder`.

    Raises:
        UsageError: there is no such stream, its tokenizer cannot decode, or the weights are others.

    """
    from wavemill.specs import Spec
    from wavemill.tokenizers import make_tokenizer
    from wavemill.tokenizers.base import Decoder
    from wavemill.tokenizers.device import on_cpu

    given = Spec.parse(written)
    made = dataset.content["tokenizers"]
    if given.name not in made:
        raise UsageError(f"{dataset.url} has no tokens {given.name!r}; it has {', '.join(made)}")
    specs = [Spec.parse(text) for text in dataset.content["settings"]["tokenizers"]]
    spec = dict(zip(made, specs, strict=True))[given.name]
    settings = {**dict(spec.settings), **dict(given.settings)}
    with on_cpu():
        tokenizer = make_tokenizer(Spec(name=spec.name, settings=tuple(sorted(settings.items()))))
    if not isinstance(tokenizer, Decoder):
        raise UsageError(f"{spec.name} tokens cannot be turned back into audio; a codec's can")
    if tokenizer.facts.weights_digest != made[given.name]["weights_digest"]:
        raise UsageError(
            f"{spec} has other weights now than those that made the tokens of {dataset.url}: give"
            f" the right ones, as --tokenizer {given.name}:model=FOLDER"
        )
    return given.name, tokenizer
