"""`wavemill examples`: recordings to begin with."""

import click

from wavemill.commands.output import as_json, emit
from wavemill.errors import JobError, UsageError


@click.command(short_help="Write example recordings, to try things.")
@click.option("--out", metavar="DIR", required=True, help="A new or empty folder, or a URL.")
@as_json
def examples(out: str, *, json_: bool) -> None:
    r"""Write some thirty short recordings of speech with transcripts, their manifest and licence.

    \b
    wavemill examples --out speech
    wavemill prepare speech/manifest.jsonl --out prepared --tokenizer tiny

    The recordings are telephone prompts under CC-BY-SA-3.0; ATTRIBUTION.md says whose. They come
    with wavemill: nothing is downloaded.
    """
    from wavemill import storage
    from wavemill.examples import MANIFEST, example_files

    folder = storage.folder_url(out)
    if not folder:
        raise UsageError("--out is empty: name a new folder")
    try:
        files = dict(example_files())
    except FileNotFoundError as error:
        raise JobError(
            f"this copy of wavemill has no examples ({error.filename}): install it from its wheel,"
            " or run it in a clone of the repository"
        ) from error
    _check_free(folder, files)
    for path, data in files.items():
        storage.write_bytes(storage.join(folder, path), data)
    manifest = storage.join(folder, MANIFEST)
    count = files[MANIFEST].count(b"\n")
    size = sum(map(len, files.values()))
    summary = {
        "recordings": count,
        "bytes": size,
        "manifest": manifest,
        "out": folder,
    }
    lines = [
        f"{folder}: {count} recordings, {size / 1e6:.1f} MB",
        f"next: wavemill prepare {manifest} --out prepared --tokenizer tiny --tokenizer mvq",
    ]
    emit(summary, lines, json_=json_)


def _check_free(folder: str, files: dict[str, bytes]) -> None:
    """Look that nothing but these files is in the folder, so that none is written over."""
    from wavemill import storage

    try:
        found = list(storage.list_files(folder))
    except FileNotFoundError:
        return
    for file in found:
        path = file.url[len(folder) :].lstrip("/")
        if path not in files or file.size != len(files[path]):
            raise UsageError(f"--out {folder} holds {path}: give a new or empty folder")
