"""Segmenters by the name that `--segment` takes."""

from typing import Any

from wavemill.pipelines.segmenters.base import Segmenter
from wavemill.pipelines.segmenters.fixed import FixedConfig, FixedSegmenter
from wavemill.pipelines.segmenters.manifest import ManifestConfig, ManifestSegmenter
from wavemill.pipelines.segmenters.vad import VadConfig, VadSegmenter
from wavemill.pipelines.segmenters.whole import WholeConfig, WholeSegmenter
from wavemill.specs import Spec, configure

SEGMENTERS: dict[str, tuple[type[Any], type[Any]]] = {
    "fixed": (FixedSegmenter, FixedConfig),
    "manifest": (ManifestSegmenter, ManifestConfig),
    "none": (WholeSegmenter, WholeConfig),
    "vad": (VadSegmenter, VadConfig),
}
"""Name -> (segmenter, its settings). One row a segmenter."""


def parse_segmenter(text: str) -> Spec:
    """Read `NAME[:k=v,...]`, and `fixed:SECONDS` for short; check it.

    Raises:
        UsageError: there is no such segmenter, or a setting is wrong.

    """
    name, _, rest = text.partition(":")
    if name == "fixed" and rest and "=" not in rest:
        text = f"fixed:seconds={rest}"
    spec = Spec.parse(text)
    configure(spec, SEGMENTERS, "--segment")
    return spec


def make_segmenter(spec: Spec) -> Segmenter:
    """Build the segmenter that a spec names."""
    build, config = configure(spec, SEGMENTERS, "--segment")
    segmenter: Segmenter = build(config)
    return segmenter


__all__ = ["SEGMENTERS", "Segmenter", "make_segmenter", "parse_segmenter"]
