"""Work that the workers on this machine take as they come free.

Beam's own runner deals a job out to them beforehand, by the number of its parts alone: where some
parts take longer than others, one worker ends early and waits. So they count, in memory that their
driver shares with them, which part is next. Engines that deal out parts as workers come free need
none of it.
"""

import os

VARIABLE = "WAVEMILL_TURNS"
"""Of the environment: where that memory can be opened."""
NAME = "wavemill-turns"


class Turns:
    """Numbers from zero on, each of which one worker alone is given."""

    def __init__(self, place: str) -> None:
        """Open the memory.

        Raises:
            OSError: it is gone, and the driver with it.

        """
        # Appending is atomic, and tells each who appends where its own byte has come to lie.
        self._file = os.open(place, os.O_WRONLY | os.O_APPEND)

    def take(self) -> int:
        """Take the next number."""
        os.write(self._file, b"\0")
        return os.lseek(self._file, 0, os.SEEK_CUR) - 1

    def close(self) -> None:
        """Close the memory; it may be closed again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def turns() -> Turns | None:
    """Return the turns of the pipeline that this process works for, if it is told of any."""
    place = os.environ.get(VARIABLE)
    return Turns(place) if place else None
