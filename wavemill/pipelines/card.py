"""The dataset card: `README.md` of a prepared dataset, with the front matter that hubs read."""

from collections.abc import Iterator
from typing import Any

from wavemill.cards import front_matter, size_category
from wavemill.sharding import layout


def card(content: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the card for the content of a `dataset.json`."""
    totals = content["totals"]
    front = {
        "tags": ["audio", "webdataset", "wavemill", *content["tokenizers"]],
        "size_categories": [size_category(totals["samples"])],
    }
    yield from front_matter(front)
    yield "# A dataset prepared by wavemill"
    yield ""
    yield (
        f"{totals['samples']:,} samples, {totals['hours']:.2f} hours, {totals['shards']:,} shards"
        f" in {len(content['buckets'])} buckets, {totals['bytes'] / 1e6:,.1f} MB."
        f" Made from {totals['recordings']:,} recordings, of which"
        f" {totals['rejected_recordings']:,} did not come through whole (`rejected.jsonl`)."
    )
    yield ""
    yield f"Inputs: {', '.join(f'`{name}`' for name in content['inputs'])}. "
    yield f"Digest: `{content['digest']}`. wavemill {content['wavemill']}."
    yield from _tokenizers(content["tokenizers"])
    yield from _buckets(content["buckets"])
    yield from _reading(content)


def _tokenizers(tokenizers: dict[str, Any]) -> Iterator[str]:
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


def _reading(content: dict[str, Any]) -> Iterator[str]:
    streams = ["recording"] if content["settings"]["audio"] != "none" else []
    names = [
        name
        for stream, facts in content["tokenizers"].items()
        for name in layout.stream_names(stream, facts["frame_rate"])
    ]
    fields = "".join(f'\n    "{name}": tars("{name}"),' for name in names)
    audio = '\n    "recording": tars("audio"),' if streams else ""
    yield from ("", "## Reading it", "", "```python")
    yield "from pathlib import Path"
    yield "from lhotse import CutSet"
    yield ""
    yield 'bucket = Path("bucket-00")'
    yield 'tars = lambda name: sorted(map(str, bucket.glob(f"{name}_[0-9]*.tar")))'
    yield "cuts = CutSet.from_shar(fields={"
    yield f'    "cuts": sorted(map(str, bucket.glob("cuts.*.jsonl"))),{audio}{fields}'
    yield from ("})", "```")
