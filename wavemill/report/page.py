"""The page: all that is known of a dataset, put together and written.

Texts, ids and names of streams come from manifests: the template escapes them, SVG is written by
an XML library, and the page's policy lets nothing be loaded (`wavemill/pages`).
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from wavemill import storage
from wavemill.digest import sha256
from wavemill.packages import require
from wavemill.pages import render
from wavemill.pipelines.progress import Reporter
from wavemill.report import charts
from wavemill.report.estimates import Estimates, estimate
from wavemill.report.lengths import LengthFacts, measure_lengths
from wavemill.report.panels import LEFT, RIGHT
from wavemill.report.rejects import read_rejects
from wavemill.report.samples import Decoders, Showcase, Shown
from wavemill.report.streams import StreamFacts, stream_facts
from wavemill.sharding.dataset import Dataset

EXTRA = "report"
PACKAGES = ("matplotlib", "PIL", "jinja2")
MAX_BYTES = 5_000_000
"""Of a page; samples that do not fit are left out."""
ROOM = 50_000
TOP_ROWS = 15


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was made."""

    page: bytes
    shown: int
    """Samples on it."""
    read: int
    """Samples whose cuts and tokens were read."""


def make_report(dataset: Dataset, decoders: Decoders, samples: int, reporter: Reporter) -> Report:
    """Make the page of a dataset: a pure function of it, the decoders and the number of samples.

    Args:
        dataset: what it is of.
        decoders: what turns the tokens of streams back into audio, or why nothing does.
        samples: how many to show; as many of them as fit into `MAX_BYTES`.
        reporter: shows how far it is.

    Raises:
        DatasetError: a file of the dataset cannot be read.
        UsageError: matplotlib, pillow or jinja2 are not installed.

    """
    for package in PACKAGES:
        require(package, EXTRA, "a report")
    content = dataset.content
    seed = int(sha256(content["digest"].encode())[:16], 16)
    with reporter.stage("lengths", len(content["shards"])) as show:
        lengths = measure_lengths(dataset, show)
    with reporter.stage("tokens", content["totals"]["samples"]) as show:
        estimates = estimate(dataset, seed, show)
    values = _values(dataset, lengths, estimates)
    room = MAX_BYTES - ROOM - len(_render({**values, "samples": []}))
    shown = _showcase(dataset, decoders, samples, seed, room, reporter)
    page = _render({**values, "samples": shown, "asked": samples})
    return Report(page=page, shown=len(shown), read=estimates.read)


def _showcase(
    dataset: Dataset, decoders: Decoders, wanted: int, seed: int, room: int, reporter: Reporter
) -> list[Shown]:
    """Return samples in the order of the dataset, as many as there is room for."""
    total = min(wanted, dataset.content["totals"]["samples"])
    shown: list[Shown] = []
    if not total:
        return shown
    with reporter.stage("samples", total) as show:
        for sample in Showcase(dataset, decoders, seed).draw(wanted):
            room -= sample.size
            if room < 0:
                break
            shown.append(sample)
            show(len(shown))
    return sorted(shown, key=lambda sample: sample.order)


def _values(dataset: Dataset, lengths: LengthFacts, estimates: Estimates) -> dict[str, Any]:
    content = dataset.content
    streams = stream_facts(content["tokenizers"], estimates.ids, whole=estimates.whole)
    return {
        "name": posixpath.basename(dataset.url.rstrip("/")) or dataset.url,
        "url": storage.shown(dataset.url),
        "content": content,
        "settings": {"segment": "not stated", "dedup": False, **content["settings"]},
        "quality": content.get("quality", {}),
        "lengths": lengths,
        "estimates": estimates,
        "tallies": {"language": estimates.languages, "speaker": estimates.speakers},
        "top_rows": TOP_ROWS,
        "clock": (LEFT, RIGHT),
        "rejects": read_rejects(dataset),
        "streams": streams,
        "figures": _figures(lengths, streams),
    }


def _figures(lengths: LengthFacts, streams: list[StreamFacts]) -> Mapping[str, Any]:
    if not lengths.seconds.samples:
        return {}
    return {
        "seconds": charts.histogram(lengths.seconds, "durations", "seconds"),
        "tokens": {
            name: charts.histogram(spread, f"tokens of {name}", "tokens")
            for name, spread in lengths.tokens.items()
        },
        "grid": charts.bucket_grid(lengths),
        "padding": charts.padding(lengths),
        "perplexity": {
            one.name: charts.perplexities(one.name, one.perplexities, one.size)
            for one in streams
            if len(one.codebooks) > 1
        },
        "usage": {one.name: charts.usage(one.name, one.counts) for one in streams},
    }


def _render(values: Mapping[str, Any]) -> bytes:
    script = files(__package__).joinpath("page.js").read_text("utf-8")
    page = render(__package__, {"asked": 0, **values}, extra=EXTRA, script=script, media=True)
    return page.encode("utf-8", "backslashreplace")
