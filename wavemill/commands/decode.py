"""`wavemill decode`: the sound of a sample's tokens."""

import io
from typing import Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.errors import UsageError


@click.command(short_help="Turn a sample's tokens back into audio.")
@click.argument("out", metavar="OUT")
@click.option("--tokenizer", metavar="NAME", required=True, help="The token stream.")
@click.option("--key", required=True, help="The sample.")
@click.option("--wav", metavar="FILE", required=True, help="Where the audio goes.")
@as_json
def decode(out: str, *, tokenizer: str, key: str, wav: str, json_: bool) -> None:
    r"""Decode the tokens of one sample of a dataset to a WAV file.

    NAME may come with settings, as in `prepare --tokenizer`, where the model lies elsewhere now.
    It is decoded on the CPU, tokens that a GPU made, too.

    \b
    wavemill decode prepared --tokenizer encodec --key hello-world --wav hello.wav
    """
    import soundfile

    from wavemill import storage
    from wavemill.sharding.dataset import Dataset
    from wavemill.sharding.lookup import find_sample, read_codes

    dataset = Dataset.open(storage.folder_url(out))
    stream, decoder = _decoder(dataset, tokenizer)
    found = find_sample(dataset, key)
    codes = read_codes(found, stream)
    rate = decoder.facts.sample_rate
    # Whole steps are decoded; what fills up the last one was not in the sample.
    audio = decoder.decode(codes)[: round(found.cut["duration"] * rate)]
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, rate, format="WAV", subtype="PCM_16")
    storage.write_bytes(wav, buffer.getvalue())
    seconds = round(len(audio) / rate, 6)
    summary = {"wav": wav, "key": key, "tokens": len(codes), "seconds": seconds, "hz": rate}
    emit(summary, [f"{wav}: {seconds:.2f} s at {rate} Hz from {len(codes):,} tokens"], json_=json_)


def _decoder(dataset: Any, written: str) -> tuple[str, Any]:
    """Build the tokenizer that made a stream of a dataset, and can turn it back.

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
