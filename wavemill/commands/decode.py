"""`wavemill decode`: the sound of a sample's tokens."""

import io

import click

from wavemill.commands.decoders import find_decoder
from wavemill.commands.output import as_json, emit


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
    stream, decoder = find_decoder(dataset, tokenizer)
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
