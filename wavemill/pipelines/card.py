"""The dataset card: `README.md` of a prepared dataset, with the front matter that hubs read."""

from collections.abc import Iterator, Mapping
from typing import Any

from wavemill.cards import code, front_matter, language_fields, licence_fields, size_category
from wavemill.pipelines.card_reading import reading, stream_names, tars_of

SPEECH_TASKS = ("automatic-speech-recognition", "text-to-speech")
"""What samples with texts are good for, in the hub's words."""


def card(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the card for the content of a `dataset.json`."""
    yield from front_matter(_front(content))
    yield "# A dataset prepared by wavemill"
    yield ""
    yield from _counts(content)
    yield from _sources(content)
    yield from _settings(content["settings"])
    yield from _tokenizers(content["tokenizers"])
    yield from _buckets(content["buckets"])
    yield from _digests(content)
    yield from reading(content)


def _front(content: Mapping[str, Any]) -> dict[str, Any]:
    said = content["said"]
    names = ["audio"] if content["settings"]["audio"] != "none" else []
    names += stream_names(content["tokenizers"])
    return {
        "pretty_name": "A dataset prepared by wavemill",
        "tags": ["audio", "webdataset", "wavemill", *content["tokenizers"]],
        "task_categories": list(SPEECH_TASKS) if said["texts"] else [],
        "size_categories": [size_category(content["totals"]["samples"])],
        **language_fields(said["languages"]),
        **(licence_fields(said["licences"]) if said["licences"] else {}),
        "configs": [
            {"config_name": name, "data_files": f"bucket-*/{tars_of(name)}"} for name in names
        ],
    }


def _counts(content: Mapping[str, Any]) -> Iterator[str]:
    totals, said = content["totals"], content["said"]
    yield (
        f"{totals['samples']:,} samples, {totals['hours']:.2f} hours, {totals['shards']:,} shards"
        f" in {len(content['buckets'])} buckets, {totals['bytes'] / 1e6:,.1f} MB."
        f" {said['texts']:,} have a text."
        f" Made from {totals['recordings']:,} recordings, of which"
        f" {totals['rejected_recordings']:,} did not come through whole (`rejected.jsonl`)."
    )


def _sources(content: Mapping[str, Any]) -> Iterator[str]:
    said = content["said"]
    yield from ("", "## Sources", "")
    yield f"Inputs: {', '.join(map(code, content['inputs']))}."
    if joined := content.get("joined"):
        yield f"Joined later: {', '.join(map(code, joined))}."
    yield from _shares("language", said["languages"])
    yield from _shares("licence", said["licences"])
    if not said["licences"]:
        yield from ("", "The inputs state no licence (`license` in a manifest); theirs holds.")


def _shares(what: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield from ("", f"| {what} | samples |", "|-|-|")
        for name, count in counts.items():
            yield f"| {code(name)} | {count:,} |"


def _settings(settings: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Settings", "", "| setting | value |", "|-|-|")
    for name, value in settings.items():
        if name == "filters":
            for each, bound in value.items():
                yield f"| {each.replace('_', '-')} | {bound:g} |"
        elif isinstance(value, list):
            yield f"| {name} | {', '.join(map(code, value)) or 'none'} |"
        else:
            yield f"| {name.replace('_', '-')} | {code(_told(value))} |"


def _told(value: Any) -> str:
    if value is None:
        return "as it is"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _tokenizers(tokenizers: Mapping[str, Any]) -> Iterator[str]:
    if not tokenizers:
        return
    yield from ("", "## Token streams", "")
    yield "| stream | kind | tokens a second | codebooks x size | tokens | ids used | perplexity |"
    yield "|-|-|-|-|-|-|-|"
    for name, facts in tokenizers.items():
        rate = "irregular" if facts["frame_rate"] is None else f"{facts['frame_rate']:g}"
        yield (
            f"| `{name}` | {facts['kind']} | {rate}"
            f" | {facts['num_codebooks']} x {facts['codebook_size']} | {facts['tokens']:,}"
            f" | {facts['used']:,} | {facts['perplexity']:.1f} |"
        )


def _buckets(buckets: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("", "## Buckets", "", "| bucket | up to seconds | up to tokens | samples | hours |")
    yield "|-|-|-|-|-|"
    for row in buckets:
        yield (
            f"| `{row['name']}` | {row['max_seconds']:.2f} | {row['max_tokens']:,}"
            f" | {row['samples']:,} | {row['hours']:.3f} |"
        )


def _digests(content: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Digests", "")
    yield (
        f"- settings and all files: `{content['digest']}` (`dataset.json` has the sha256 of each"
        f" file; made with wavemill {content['wavemill']})"
    )
    for name, facts in content["tokenizers"].items():
        yield f"- weights of `{name}`: `{facts['weights_digest']}`"
