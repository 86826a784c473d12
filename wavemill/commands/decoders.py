"""Find what turns a dataset's tokens back into audio."""

from collections.abc import Sequence
from typing import Any

from wavemill.errors import UsageError, WavemillError


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


def find_decoders(dataset: Any, written: Sequence[str] | None) -> dict[str, Any]:
    """Find what turns each stream of a dataset back into audio, or say why nothing does.

    Args:
        dataset: a `Dataset`.
        written: streams' names with settings, as in `find_decoder`; those not named have the
            settings that they were made with. None to decode nothing.

    Returns:
        A `Decoder`, or words, by the stream's name.

    Raises:
        UsageError: there is no such stream.

    """
    from wavemill.specs import Spec
    from wavemill.tokenizers.table import TOKENIZERS

    made = dataset.content["tokenizers"]
    given = {Spec.parse(text).name: text for text in written or ()}
    if unknown := given.keys() - made.keys():
        find_decoder(dataset, min(unknown))
    found: dict[str, Any] = {}
    for name, facts in made.items():
        build = TOKENIZERS.get(facts["kind"], (None, None))[0]
        if written is None:
            found[name] = "not decoded, as was asked"
        elif not hasattr(build, "decode"):
            found[name] = "tokens cannot be turned back into audio; a codec's can"
        else:
            try:
                found[name] = find_decoder(dataset, given.get(name, name))[1]
            except WavemillError as error:
                found[name] = f"not decoded: {error}"
    return found
