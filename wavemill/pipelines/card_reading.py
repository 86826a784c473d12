"""The part of the dataset card that says how to load it: code that runs in the dataset's folder."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wavemill.sharding import layout

_DIGITS = "[0-9]" * 6


def tars_of(stream: str) -> str:
    """Return the pattern of a stream's tars in a bucket, and of no other's."""
    return f"{stream}_{_DIGITS}.tar"


def stream_names(tokenizers: Mapping[str, Any]) -> list[str]:
    """List what has tars of its own beside the audio."""
    return [
        name
        for stream, facts in tokenizers.items()
        for name in layout.stream_names(stream, facts["frame_rate"])
    ]


def reading(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the section."""
    streams = list(content["tokenizers"])
    has_audio = content["settings"]["audio"] != "none"
    names = stream_names(content["tokenizers"])
    yield from ("", "## Reading it", "", "In this folder.", "")
    yield from _wavemill(streams, has_audio=has_audio)
    yield from _datasets((names or ["audio"])[0])
    yield from _webdataset((names or ["audio"])[0])
    yield from _lhotse(names, has_audio=has_audio)
    if has_audio:
        yield from _nemo(content["buckets"][0])


def _code(title: str, *lines: str) -> Iterator[str]:
    yield from (f"**{title}**", "", "```python", *lines, "```", "")


def _wavemill(streams: Sequence[str], *, has_audio: bool) -> Iterator[str]:
    lines = [
        "from wavemill.loader import ShardLoader",
        "",
        f'loader = ShardLoader(".", audio={has_audio}, cuts=True, batch_seconds=60)',
        "for batch in loader:",
    ]
    if has_audio:
        lines.append("    waves, texts = batch.audio, batch.text")
    lines += [
        f'    codes, lengths = batch.tokens["{name}"], batch.token_lengths["{name}"]'
        for name in streams
    ]
    yield from _code("wavemill", *lines)


def _datasets(name: str) -> Iterator[str]:
    value = 'codes = row["__key__"], row["npy"]' if name != "audio" else ""
    yield from _code(
        "Hugging Face datasets" + (" (its audio needs torchcodec)" if name == "audio" else ""),
        "import os",
        "from datasets import load_dataset",
        "",
        f'rows = load_dataset(os.getcwd(), "{name}", split="train", streaming=True)',
        "for row in rows:",
        f"    key, {value}" if value else '    key = row["__key__"]',
    )


def _webdataset(name: str) -> Iterator[str]:
    kind = "npy" if name != "audio" else "json"
    yield from _code(
        "webdataset",
        "from glob import glob",
        "import webdataset as wds",
        "",
        f'tars = sorted(glob("bucket-*/{tars_of(name)}"))',
        "for sample in wds.WebDataset(tars, shardshuffle=False).decode():",
        f'    key, value = sample["__key__"], sample["{kind}"]',
    )


def _lhotse(names: Sequence[str], *, has_audio: bool) -> Iterator[str]:
    fields = [("recording", "audio")] if has_audio else []
    fields += [(name, name) for name in names]
    yield from _code(
        "lhotse, a bucket",
        "from pathlib import Path",
        "from lhotse import CutSet",
        "",
        'bucket = Path("bucket-00")',
        f'tars = lambda name: sorted(map(str, bucket.glob(f"{{name}}_{_DIGITS}.tar")))',
        "cuts = CutSet.from_shar(fields={",
        '    "cuts": sorted(map(str, bucket.glob("cuts.*.jsonl"))),',
        *(f'    "{field}": tars("{name}"),' for field, name in fields),
        "})",
    )


def _nemo(bucket: Mapping[str, Any]) -> Iterator[str]:
    name, last = bucket["name"], bucket["shards"] - 1
    span = f"_OP_000000..{last:06d}_CL_"
    yield "**NeMo, a bucket** (the tars hold a JSON beside each sound, hence the last line)"
    yield from (
        "", "```yaml", "train_ds:", "  is_tarred: true",
        f"  tarred_audio_filepaths: {name}/audio_{span}.tar",
        f"  manifest_filepath: {name}/sharded_manifests/manifest_{span}.json",
        "  skip_missing_manifest_entries: true", "```",
    )  # fmt: skip
