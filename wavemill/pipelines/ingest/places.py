"""Where files lie: suffixes, absolute URLs, and the relative paths that ids are made of."""

import os
import posixpath
from functools import lru_cache

from wavemill import storage

# fmt: off
AUDIO_SUFFIXES = frozenset((
    "8svx", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "au", "avr", "awb", "caf",
    "eac3", "flac", "g722", "gsm", "iff", "ircam", "m4a", "m4b", "mka", "mkv", "mov", "mp2",
    "mp3", "mp4", "mpc", "mpga", "nist", "oga", "ogg", "opus", "paf", "ra", "rf64", "sd2", "shn",
    "snd", "sph", "spx", "tta", "voc", "w64", "wav", "wave", "weba", "webm", "wma", "wv",
))
# fmt: on
"""What is taken for audio. Whether it decodes shows later; a wrong guess is rejected there."""

MANIFEST_SUFFIXES = ("jsonl", "ndjson", "json", "csv", "tsv")
"""Text manifests, read with a `.gz` behind them too."""

ARCHIVE_SUFFIXES = ("tgz", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip", "7z", "rar")


def _without_query(url: str) -> str:
    if url.startswith(("http://", "https://")):
        return url.split("?", 1)[0].split("#", 1)[0]
    return url


def name_of(url: str) -> str:
    """Return the last part of a URL, without an HTTP query."""
    return _without_query(url).rstrip("/").rsplit("/", 1)[-1]


def folder_of(url: str) -> str:
    """Return the URL of the folder that holds a file."""
    folder = _without_query(url).rstrip("/").rpartition("/")[0]
    return f"{folder}/" if folder == "" or folder.endswith(":/") else folder


def suffix_of(url: str) -> str:
    """Return what follows the last dot of the name, in lower case; `jsonl.gz` keeps both."""
    stem, dot, suffix = name_of(url).lower().rpartition(".")
    if not (dot and stem):
        return ""
    inner = stem.rpartition(".")[2] if "." in stem else ""
    if suffix == "gz" and inner in MANIFEST_SUFFIXES:
        return f"{inner}.gz"
    if inner == "tar" and suffix in ("gz", "bz2", "xz", "zst"):
        return f"tar.{suffix}"
    return suffix


def is_audio(url: str) -> bool:
    """Say whether a name is that of an audio file."""
    return suffix_of(url) in AUDIO_SUFFIXES


def absolute(url: str) -> str:
    """Make a local path absolute, so that workers find it from any folder; leave other URLs."""
    if storage.is_local(url):
        return os.path.abspath(os.path.expanduser(storage.local_path(url)))  # noqa: PTH100, PTH111
    return url


def resolve(path: str, folder: str) -> str:
    """Turn a path that a manifest in `folder` wrote into a URL."""
    if "://" in path:
        return storage.local_path(path)
    return posixpath.join(folder, path)


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except (OSError, ValueError):  # no possible path: it will not be found either
        return folder


def canonical(url: str) -> str:
    """Give one name to a file however it was written; links among its local folders are undone."""
    if not storage.is_local(url):
        return posixpath.normpath(url)
    folder, name = posixpath.split(url)
    if name in ("", ".", ".."):
        return _real_folder(url)
    return posixpath.join(_real_folder(folder), name)


def below(url: str, root: str) -> str | None:
    """Return the path of a file relative to a folder, None where it lies elsewhere."""
    prefix = root.rstrip("/") + "/"
    return url[len(prefix) :] if url.startswith(prefix) else None


def is_below(url: str, folder: str) -> bool:
    """Say whether a URL is a folder or lies below it, whatever links lead there."""
    root = canonical_folder(folder).rstrip("/")
    return f"{canonical(url)}/".startswith(f"{root}/")


def id_path(path: str, url: str, root: str) -> str:
    """Return what the id of a manifest's row is made of.

    That is the path as written where it is relative; an absolute one, or one that climbs, counts
    from the manifest's folder if it lies below it. So a manifest gives the same ids wherever the
    corpus lies and however the manifest itself was reached.
    """
    climbs = path.startswith("../") or "/../" in path
    if not (climbs or path.startswith("/") or "://" in path):
        return posixpath.normpath(path) if "//" in path or "./" in path else path
    if storage.is_local(url) == storage.is_local(root):
        inside = below(posixpath.normpath(url), posixpath.normpath(root))
        inside = inside or below(canonical(url), canonical_folder(root))
        if inside:
            return inside
    return posixpath.normpath(path)


def canonical_folder(folder: str) -> str:
    """Give one name to a folder, as `canonical` does to a file."""
    return _real_folder(folder) if storage.is_local(folder) else posixpath.normpath(folder)
