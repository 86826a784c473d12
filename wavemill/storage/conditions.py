"""Small files that are written only if they are as they were last seen."""

from wavemill.storage.asking import ask, store_of
from wavemill.storage.store import Written


def compares(url: str) -> bool:
    """Say whether the store compares and writes in one, so that of two writers one wins."""
    return store_of(url)[0].compares


def look(url: str) -> Written | None:
    """Read a small file of a store; None if it is not there."""
    try:
        return ask(url, "read", lambda store, path: store.look(path))
    except FileNotFoundError:
        return None


def put_if(url: str, data: bytes, version: str | None) -> str | None:
    """Write a small file of a store if it is of that version, or is not there (None).

    Returns:
        Its new version; None if the condition does not hold. Where an answer was lost, that may be
        because the file was written: then it holds `data`.

    """
    return ask(url, "write", lambda store, path: store.put_if(path, data, version))


def remove_if(url: str, version: str) -> None:
    """Remove a small file of a store if it is of that version."""
    ask(url, "remove", lambda store, path: store.remove_if(path, version))
