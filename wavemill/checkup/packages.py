"""What is installed of the packages that wavemill and its extras ask for."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from wavemill.checkup.finding import BROKEN, MISSING, OK, Finding
from wavemill.packages import is_installed, pip_line

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CORE = ""
"""In place of the name of an extra, for what is always needed."""
USES = {
    "asr": "word pieces for recognizers that are trained",
    "cluster": "what Flink, Spark and Dataflow stage to their workers",
    "codecs": "EnCodec, DAC, Mimi, X-Codec 2; HuBERT and Whisper as teachers",
    "correct": "correction by language models in process",
    "dask": "Dask as an engine",
    "dedup": "near-duplicates",
    "docs": "the documentation as a site",
    "huggingface": "Hugging Face datasets as a reader",
    "hypotheses": "recognizers and N-best lists",
    "notebook": "the notebook in examples/",
    "readers": "lhotse and webdataset as readers",
    "report": "the HTML report of a dataset",
    "score": "word error rates and their page",
    "train": "TensorBoard's files",
    "units": "k-means units, syllables, BEATs as a teacher",
    "whisper": "Whisper in CTranslate2's format",
}
"""What extras of `setup.py` are for; that of the tests is not told of."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that something asks for."""

    name: str
    version: str | None
    """That is installed."""
    asked: str
    """The versions that would do."""
    extra: str

    @property
    def state(self) -> str:
        """Say whether it is there, in a version that would do."""
        if self.version is None:
            return MISSING
        from packaging.requirements import Requirement

        return (
            OK
            if Requirement(self.asked).specifier.contains(self.version, prereleases=True)
            else BROKEN
        )

    def as_json(self) -> dict[str, Any]:
        """Return what a table shows."""
        install = pip_line(self.extra) if self.extra else "pip install wavemill"
        return {"name": self.name, "version": self.version, "asked": self.asked,
                "state": self.state, "extra": self.extra or None, "install": install}  # fmt: skip


def asked_packages() -> list[Package]:
    """List the packages of wavemill's own metadata; none where it runs without being installed."""
    if not is_installed("packaging"):
        return [Package(name="packaging", version=None, asked="packaging", extra=CORE)]
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("wavemill") or []
    except metadata.PackageNotFoundError:
        return []
    found = []
    for line in lines:
        asked = Requirement(line)
        for extra in (CORE, *USES):
            if _is_of(asked, extra):
                what = f"{asked.name}{asked.specifier}"
                version = _version(asked.name)
                found.append(Package(name=asked.name, version=version, asked=what, extra=extra))
    return found


def check_packages(packages: list[Package]) -> Iterator[Finding]:
    """Say of what is always needed, and of each extra, whether it is there."""
    if not packages:
        yield Finding(part="packages", state=MISSING, says="wavemill is not installed: it runs"
                      " from its sources, and does not know its extras",
                      remedy="pip install -e . in its folder")  # fmt: skip
        return
    by_extra = defaultdict(list)
    for package in packages:
        by_extra[package.extra].append(package)
    yield _core(by_extra.pop(CORE, []))
    for extra, asked in by_extra.items():
        yield _extra(extra, USES[extra], asked)


def _core(packages: list[Package]) -> Finding:
    bad = [package for package in packages if package.state != OK]
    if not bad:
        return Finding(part="packages", state=OK, says=f"all {len(packages)} that are needed",
                       needed=True)  # fmt: skip
    return Finding(
        part="packages",
        state=MISSING if any(package.version is None for package in bad) else BROKEN,
        says=_told(bad),
        remedy=f"pip install {' '.join(repr(package.asked) for package in bad)}",
        needed=True,
    )


def _extra(name: str, use: str, packages: list[Package]) -> Finding:
    bad = [package for package in packages if package.state != OK]
    if not bad:
        return Finding(part=f"extra {name}", state=OK, says=use)
    return Finding(
        part=f"extra {name}", state=MISSING, says=f"{use}: {_told(bad)}", remedy=pip_line(name)
    )


def _told(packages: list[Package]) -> str:
    return ", ".join(
        f"no {package.name}" if package.version is None
        else f"{package.name} {package.version} where {package.asked} is asked for"
        for package in packages
    )  # fmt: skip


def _is_of(asked: "Requirement", extra: str) -> bool:
    """Say whether a requirement is one of an extra, and not always there."""
    if asked.marker is None:
        return extra == CORE
    return asked.marker.evaluate({"extra": extra}) and (
        extra == CORE or not asked.marker.evaluate({"extra": CORE})
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
