"""`wavemill doctor`: what is installed, what is missing, and the pip line for it."""

import importlib.metadata
import platform
import shutil
import sys
from typing import Any

import click

import wavemill
from wavemill.commands.output import as_json, emit, table
from wavemill.cores import cores

PACKAGES = (
    ("apache-beam", "runs the jobs", "wavemill"),
    ("torch", "tokenizers", "wavemill"),
    ("torchaudio", "tokenizers", "wavemill"),
    ("pyarrow", "the spool", "wavemill"),
    ("soundfile", "decodes and encodes audio", "wavemill"),
    ("av", "decodes what libsndfile cannot (m4a, webm)", "wavemill"),
    ("soxr", "resamples", "wavemill"),
    ("onnxruntime", "voice activity detection", "wavemill"),
    ("silero-vad", "voice activity detection", "wavemill"),
    ("s3fs", "s3:// URLs", "wavemill"),
    ("aiohttp", "asks language models", "wavemill"),
    ("gcsfs", "gs:// URLs", "gcsfs"),
    ("transformers", "codecs, HuBERT, Whisper", "wavemill[codecs]"),
    ("faiss-cpu", "near-duplicates; fits units", "wavemill[dedup]"),
    ("numba", "compiles loops of EnCodec and Sylber", "wavemill[codecs]"),
    ("openbeats", "BEATs as a teacher", "wavemill[units]"),
    ("pocketsphinx", "recognizes, with its own model", "wavemill[hypotheses]"),
    ("whisper-normalizer", "makes texts comparable", "wavemill[hypotheses]"),
    ("ctranslate2", "Whisper in CTranslate2's format", "wavemill[whisper]"),
    ("peft", "correction by a language model", "wavemill[correct]"),
    ("lhotse", "reads the shards", "wavemill[readers]"),
    ("webdataset", "reads the shards", "wavemill[readers]"),
    ("datasets", "reads the shards", "wavemill[huggingface]"),
)
NEEDED = "wavemill"


@click.command(short_help="Check the installation.")
@as_json
def doctor(*, json_: bool) -> None:
    r"""Show what is installed and what is missing; exit 1 if something that is needed is.

    \b
    wavemill doctor
    """
    rows = [_package(*entry) for entry in PACKAGES]
    facts = {
        "wavemill": wavemill.__version__,
        "python": platform.python_version(),
        "cores": cores(),
        "free_disk_gb": round(shutil.disk_usage(".").free / 1e9, 1),
        "gpu": _gpu(),
        "packages": rows,
        "ok": all(row["version"] or row["install"] != NEEDED for row in rows),
    }
    lines = [
        (f"wavemill {facts['wavemill']}, Python {facts['python']}, {facts['cores']} cores,"
        f" {facts['free_disk_gb']} GB free here, GPU: {facts['gpu'] or 'none'}"),
        "",
        *table(
            ("package", "version", "for", "if missing"),
            [
                (r["name"], r["version"] or "missing", r["for"],
                 "" if r["version"] else f"pip install '{r['install']}'")
                for r in rows
            ],
        ),
    ]  # fmt: skip
    emit(facts, lines, json_=json_)
    if not facts["ok"]:
        sys.exit(1)


def _package(name: str, use: str, install: str) -> dict[str, Any]:
    try:
        version: str | None = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = None
    return {"name": name, "version": version, "for": use, "install": install}


def _gpu() -> str | None:
    try:
        import torch
    except (ImportError, OSError):
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
