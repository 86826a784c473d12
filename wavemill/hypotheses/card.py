"""The card of a folder of hypotheses: its `README.md`, with the front matter that hubs read."""

from collections.abc import Iterator, Mapping
from typing import Any

from wavemill.cards import code, front_matter, language_fields, licence_fields, size_category
from wavemill.hypotheses.splits import SPLITS

TASK = "text2text-generation"


def card(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the card for the content of a `hypotheses.json`."""
    totals, settings = content["totals"], content["settings"]
    yield from front_matter(_front(content))
    yield "# Hypotheses of a speech recognizer, made by wavemill"
    yield ""
    yield (
        f"{totals['utterances']:,} utterances, {totals['hours']:.2f} hours. Each has up to"
        f" {settings['n']} different hypotheses, the best first, on average"
        f" {totals['hypotheses']:.2f}; {totals['short']:,} have fewer (`is_short`), none is"
        f" repeated. {totals['references']:,} have a reference."
    )
    if "recordings" in totals:
        yield (
            f"{totals['rejected_recordings']:,} of {totals['recordings']:,} recordings did not come"
            " through whole (`rejected.jsonl`)."
        )
    yield ""
    yield from _origin(content)
    yield from ("", "## Splits", "")
    yield f"By {settings['split_by']}, through a digest of it; seed {settings['seed']}."
    yield ""
    yield "| split | utterances | hours | words | 1-best WER | oracle | compositional oracle |"
    yield "|-|-|-|-|-|-|-|"
    for name, row in {**content["splits"], "all": totals}.items():
        shares = " | ".join(_percent(row[rate]) for rate in ("wer", "o_nb", "o_cp"))
        yield (
            f"| {name} | {row['utterances']:,} | {row['hours']:.3f} | {row['words']:,} | {shares} |"
        )
    yield ""
    yield (
        "Rates are errors of all utterances by words of all references. The oracle takes each"
        " utterance's hypothesis with the fewest errors; the compositional oracle counts the words"
        " of references that no hypothesis has (https://arxiv.org/abs/2309.15701)."
    )
    yield from _reading()


def _front(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pretty_name": "Hypotheses of a speech recognizer, made by wavemill",
        "tags": ["asr-error-correction", "n-best", "wavemill", content["recognizer"]["name"]],
        "task_categories": [TASK],
        "size_categories": [size_category(content["totals"]["utterances"])],
        **language_fields(content["languages"]),
        **(licence_fields([content["licence"]]) if content["licence"] else {}),
        "configs": [{"config_name": "default", "data_files": "part-*.parquet"}],
    }


def _origin(content: Mapping[str, Any]) -> Iterator[str]:
    settings, recognizer = content["settings"], content["recognizer"]
    yield f"Inputs: {', '.join(map(code, content['inputs']))}."
    yield f"Licence: {content['licence'] or 'not stated; that of the recordings and texts holds'}."
    yield (
        f"Recognizer: {code(settings['recognizer'])} (digest `{recognizer['digest']}`). Normaliser:"
        f" `{content['normalizer']}`. Scores are mean log-probabilities."
    )
    noise = settings.get("noise_db")
    if noise is not None:
        yield f"Heard in {settings['noise_kind']} noise at {noise:g} dB."
    if settings.get("reverb_seconds") is not None:
        yield f"Heard with {settings['reverb_seconds']:g} s of reverberation."
    yield f"Digest: `{content['digest']}`. wavemill {content['wavemill']}."


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.2%}"


def _reading() -> Iterator[str]:
    yield from ("", "## Reading it", "", "```python")
    yield "from wavemill.hypotheses.folder import HypothesesFolder"
    yield ""
    yield 'for utterance in HypothesesFolder.open(".").utterances("train"):'
    yield "    print(utterance.texts, utterance.reference)"
    yield from ("```", "")
    yield f"The parts are Parquet; `split` is one of {', '.join(SPLITS)}."
