"""`wavemill fit confusions`: what a recognizer takes for what."""

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.splits import splits_option


@click.command(short_help="What a recognizer takes for what, from hypotheses and references.")
@click.argument("folder", metavar="DIR")
@click.option("--out", metavar="FILE", required=True, help="The model, a .json file.")
@splits_option("All if left out.")
@as_json
def confusions(folder: str, *, out: str, splits: tuple[str, ...], json_: bool) -> None:
    r"""Learn which phones are heard for which, from English hypotheses that have references.

    \b
    wavemill hypotheses speech/ --out nbest --recognizer pocketsphinx
    wavemill fit confusions nbest --out heard.json
    wavemill hypotheses texts.txt --from-text --out drawn --confusions heard.json
    """
    from wavemill import storage
    from wavemill.errors import UsageError
    from wavemill.hypotheses.confusions.model import fit_model
    from wavemill.hypotheses.confusions.pronounce import Pronouncer
    from wavemill.hypotheses.folder import HypothesesFolder

    if not out.endswith(".json"):
        raise UsageError(f"--out {out} must be a .json file")
    storage.check_writable(out)
    opened = HypothesesFolder.open(storage.folder_url(folder))
    pairs = ((one.reference, one.best) for one in opened.utterances(*splits) if one.reference)
    model = fit_model(pairs, Pronouncer())
    model.save(out)
    facts = model.facts
    lines = [
        f"{out}: from {facts['utterances']:,} utterances, {facts['words']:,} words",
        f"WER {facts['wer']:.2%}, phone distance {facts['phone_distance']:.2%}",
        f"next: wavemill hypotheses TEXTS --from-text --out DIR --confusions {out}",
    ]
    emit({"out": out, **facts}, lines, json_=json_)
