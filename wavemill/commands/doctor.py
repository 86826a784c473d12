"""`wavemill doctor`: what works here, what is missing, and what to do about it."""

import platform
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

import wavemill
from wavemill.commands.output import as_json, emit, table

if TYPE_CHECKING:
    from wavemill.checkup.finding import Finding
    from wavemill.checkup.packages import Package


@click.command(short_help="Check the installation and the machine.")
@click.argument("out", metavar="[OUT]", required=False)
@as_json
def doctor(out: str | None, *, json_: bool) -> None:
    r"""Check packages, engines, codecs, GPU, credentials and disks; exit 1 if nothing could run.

    \b
    wavemill doctor
    wavemill doctor /data/prepared --json
    wavemill doctor s3://bucket/prepared

    With OUT it looks at that disk, too, or writes an object to that store, reads and removes it.
    Of credentials it says which variable or file has them, never what is in there. What is missing
    and not needed comes with the line that installs it.
    """
    from wavemill.checkup.disk import free_gb
    from wavemill.checkup.loading import load_all
    from wavemill.checkup.packages import asked_packages
    from wavemill.cores import cores

    loaded, packages = load_all(), asked_packages()
    findings = list(examine(loaded, packages, out))
    gpus = [gpu["name"] for gpu in loaded["torch"].get("gpus", [])]
    facts: dict[str, Any] = {
        "wavemill": wavemill.__version__,
        "python": platform.python_version(),
        "cores": cores(),
        "free_disk_gb": free_gb("."),
        "gpu": gpus[0] if gpus else None,
        "packages": [package.as_json() for package in packages],
        "checks": [finding.as_json() for finding in findings],
        "ok": not any(finding.is_fatal for finding in findings),
    }
    lines = [
        f"wavemill {facts['wavemill']}, Python {facts['python']}, {facts['cores']} cores",
        "",
        *table(("part", "state", ""), [_row(finding) for finding in findings]),
        "",
        _verdict(findings),
    ]
    emit(facts, lines, json_=json_)
    if not facts["ok"]:
        sys.exit(1)


def examine(
    loaded: dict[str, dict[str, Any]], packages: "list[Package]", out: str | None
) -> "Iterator[Finding]":
    """Yield what all checks find; the arguments are what was loaded, and what is installed."""
    from wavemill.checkup import credentials, disk, engines, parts
    from wavemill.checkup.packages import check_packages

    yield from check_packages(packages)
    yield from parts.check_torch(loaded["torch"])
    yield from parts.check_codecs(loaded["sndfile"], loaded["ffmpeg"])
    yield from engines.check_engines(loaded["beam"])
    yield from credentials.check_credentials()
    is_store = out is not None and "://" in out
    yield from disk.check_disks(None if is_store else out)
    if is_store:
        from wavemill.checkup.store import check_store

        yield check_store(str(out))


def _row(finding: "Finding") -> tuple[str, str, str]:
    remedy = f": {finding.remedy}" if finding.remedy else ""
    return finding.part, finding.state, f"{finding.says}{remedy}"


def _verdict(findings: "list[Finding]") -> str:
    fatal = [finding.part for finding in findings if finding.is_fatal]
    if fatal:
        return f"wavemill cannot work without: {', '.join(fatal)}"
    return "all that is needed is there"
