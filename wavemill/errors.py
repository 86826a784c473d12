"""The exception tree.

    WavemillError            what a user can act on; the command line prints it as one line
    +-- UsageError                the command or its settings are wrong (exit 2)
    +-- JobError             the job could not be done, or the data is bad (exit 1)
        +-- DatasetError     a folder is not the dataset it should be
        +-- StorageError     a store is down, or cannot be used as it is named
        +-- TooManyRejectedError  more was rejected than `--max-rejected` allows
    RejectedError            one recording or segment cannot be used; caught and counted

Every message says what is wrong, where, and what to do about it.
"""


class WavemillError(Exception):
    """Something a user can act on."""

    exit_code = 1


class UsageError(WavemillError):
    """The command or its settings are wrong; nothing was started."""

    exit_code = 2


class JobError(WavemillError):
    """The job could not be done, or the data is bad."""


class DatasetError(JobError):
    """A folder is not the dataset it should be."""


class StorageError(JobError):
    """A store is down, or cannot be used as it is named.

    It is no `OSError`: nothing is wrong with the file, so no recording is rejected for it.
    """


class TooManyRejectedError(JobError):
    """More was rejected than `--max-rejected` allows."""


class RejectedError(Exception):
    """One recording or segment cannot be used.

    It never ends a job: the stage that catches it writes a `Reject` row and goes on.
    """

    def __init__(self, reason: str, detail: str) -> None:
        """Keep a stable `reason` (a constant of `wavemill.records`) and a `detail` for people."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
