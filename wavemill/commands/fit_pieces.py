"""`wavemill fit pieces`: a vocabulary of word pieces for `asr`."""

import click

from wavemill.commands.output import as_json, emit


@click.command(short_help="Word pieces that `asr` spells texts with.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="FILE", required=True, help="The vocabulary, a .json file.")
@click.option("--size", type=int, default=512, show_default=True, help="Pieces at most.")
@as_json
def pieces(inputs: tuple[str, ...], *, out: str, size: int, json_: bool) -> None:
    r"""Fit a unigram vocabulary to the texts of any input that `prepare` takes.

    \b
    wavemill fit pieces train.jsonl --out pieces.json --size 1024
    wavemill train asr --data prepared --out run --set vocabulary=pieces.json
    """
    from wavemill import storage
    from wavemill.models.asr.pieces import Pieces, fit_pieces
    from wavemill.pipelines.hear import texts

    storage.check_writable(out)
    found = list(texts(inputs))
    content = fit_pieces(found, size)
    storage.write_text(out, [content])
    summary = {"out": out, "pieces": Pieces(content).size, "texts": len(found)}
    lines = [
        f"{out}: {summary['pieces']:,} pieces, from {len(found):,} texts",
        f"next: wavemill train asr --data OUT --out RUN --set vocabulary={out}",
    ]
    emit(summary, lines, json_=json_)
