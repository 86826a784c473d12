"""Whether a store takes what is written, and gives it back."""

import os
import time

from wavemill.checkup.finding import BROKEN, OK, Finding

PART = "store, OUT"
TRIED = ".wavemill-doctor"
"""The object that is written, read and removed; its name goes on with the number of the process."""


def check_store(out: str) -> Finding:
    """Write an object below a URL, read it back and remove it."""
    try:
        from wavemill import storage

        if storage.holds_secrets(out):
            return Finding(part=PART, state=BROKEN, says="the URL holds credentials", needed=True,
                           remedy="set them as variables or in a file")  # fmt: skip
        started = time.monotonic()
        place = storage.join(storage.folder_url(out), f"{TRIED}-{os.getpid()}")
        data = os.urandom(1024)
        storage.write_bytes(place, data)
        came_back = storage.read_bytes(place) == data
        storage.remove(place)
    except Exception as error:  # noqa: BLE001 - each store's package has errors of its own
        words = " ".join(str(error).split()) or type(error).__name__
        return Finding(part=PART, state=BROKEN, says=words, needed=True)
    if not came_back:
        says = "what was written came back as something else"
        return Finding(part=PART, state=BROKEN, says=says, needed=True)
    says = f"an object was written, read and removed in {time.monotonic() - started:.1f} s"
    return Finding(part=PART, state=OK, says=says, needed=True)
