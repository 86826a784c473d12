"""`wavemill decode`: the sound of samples' tokens."""

import io
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.decoders import find_decoder
from wavemill.commands.output import as_json, emit
from wavemill.errors import UsageError

if TYPE_CHECKING:
    from wavemill.sharding.lookup import Found

STDOUT = "-"


@click.command(short_help="Turn samples' tokens back into audio.")
@click.argument("dataset", metavar="OUT")
@click.option("--tokenizer", metavar="NAME", required=True, help="The token stream.")
@click.option("--key", "keys", multiple=True, help="A sample; without any, all, into a folder.")
@click.option("--wav", metavar="FILE", help="Where one sample's audio goes; - is standard output.")
@click.option("--out", "folder", metavar="DIR", help="Where each sample's audio goes, as KEY.wav.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def decode(
    dataset: str,
    *,
    tokenizer: str,
    keys: tuple[str, ...],
    wav: str | None,
    folder: str | None,
    quiet: bool,
    json_: bool,
) -> None:
    r"""Decode the tokens of samples of a dataset to WAV files.

    NAME may come with settings, as in `prepare --tokenizer`, where the model lies elsewhere now.
    It is decoded on the CPU, tokens that a GPU made, too. What a causal codec decodes is written
    block by block: a player hears the first seconds while the others are made.

    \b
    wavemill decode prepared --tokenizer tiny --key hello-world --wav hello.wav
    wavemill decode prepared --tokenizer tiny --key hello-world --wav - | aplay
    wavemill decode prepared --tokenizer tiny --out decoded
    """
    if (wav is None) == (folder is None) or (wav is not None and len(keys) != 1):
        raise UsageError("give one --key with --wav FILE, or --out DIR for several or all samples")
    if wav == STDOUT and json_:
        raise UsageError("--wav - and --json both take standard output: give a file to one")

    from wavemill import storage
    from wavemill.pipelines.progress import Reporter
    from wavemill.sharding.dataset import Dataset
    from wavemill.sharding.lookup import all_samples, find_sample

    source = Dataset.open(storage.folder_url(dataset))
    stream, decoder = find_decoder(source, tokenizer)
    if wav is not None:
        found = find_sample(source, keys[0])
        if wav == STDOUT:
            _write(sys.stdout.buffer, found, stream, decoder)
            return
        summary = {"wav": wav, "key": found.cut["id"], **_save(wav, found, stream, decoder)}
        words = (
            f"{wav}: {summary['seconds']:.2f} s at {summary['hz']} Hz from"
            f" {summary['tokens']:,} tokens"
        )
        emit(summary, [words], json_=json_)
        return
    assert folder is not None
    samples: Iterable[Found] = (
        [find_sample(source, key) for key in keys] if keys else all_samples(source)
    )
    total = len(keys) or source.content["totals"]["samples"]
    out, done, seconds = storage.folder_url(folder), 0, 0.0
    with Reporter(quiet=quiet).stage("decode", total) as show:
        for found in samples:
            key = found.cut["id"]
            made = _save(storage.join(out, f"{key}.wav"), found, stream, decoder)
            done, seconds = done + 1, seconds + made["seconds"]
            show(done, f"{seconds / 60:.1f} minutes of audio")
    summary = {
        "out": out, "samples": done, "seconds": round(seconds, 6), "hz": decoder.facts.sample_rate,
    }  # fmt: skip
    words = f"{done:,} samples, {seconds / 3600:.2f} hours, in {out}"
    emit(summary, [words], json_=json_)


def _save(url: str, found: "Found", stream: str, decoder: Any) -> dict[str, Any]:
    from wavemill import storage

    buffer = io.BytesIO()
    made = _write(buffer, found, stream, decoder)
    storage.write_bytes(url, buffer.getvalue())
    return made


def _write(file: Any, found: "Found", stream: str, decoder: Any) -> dict[str, Any]:
    """Decode a sample to a file; return what is to be said of it."""
    from wavemill.audio.wav import write_wav
    from wavemill.sharding.lookup import read_codes

    codes = read_codes(found, stream)
    rate = decoder.facts.sample_rate
    # Whole steps are decoded; what fills up the last one was not in the sample.
    samples = round(found.cut["duration"] * rate)
    write_wav(file, _audio(codes, decoder, samples), rate, samples)
    return {"tokens": len(codes), "seconds": round(samples / rate, 6), "hz": rate}


def _audio(codes: Any, decoder: Any, samples: int) -> Iterator[Any]:
    """Yield so many samples; where a decoder gives less, silence."""
    import numpy as np

    from wavemill.tokenizers.base import StreamDecoder

    stream = isinstance(decoder, StreamDecoder)
    for block in decoder.decode_blocks([codes]) if stream else [decoder.decode(codes)]:
        yield block
        samples -= len(block)
    if samples > 0:
        yield np.zeros(samples, np.float32)
