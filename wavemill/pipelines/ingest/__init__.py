"""Ingest: from what the command line names to one `Recording` or `Reject` a row.

Only metadata is read, never audio. Rows stream; what has to be remembered of them lies in a
temporary database on disk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from wavemill.pipelines.ingest import places
from wavemill.pipelines.ingest.before import Before
from wavemill.pipelines.ingest.finish import finish
from wavemill.pipelines.ingest.folders import REFERRED, read_audio
from wavemill.pipelines.ingest.inputs import AUDIO_PHASE, queue_inputs
from wavemill.pipelines.ingest.lhotse import (
    read_cuts,
    read_orphans,
    read_recordings,
    read_supervisions,
)
from wavemill.pipelines.ingest.nemo import read_nemo
from wavemill.pipelines.ingest.places import AUDIO_SUFFIXES
from wavemill.pipelines.ingest.row import STAGE, Row
from wavemill.pipelines.ingest.seen import Ledger, Source, telling
from wavemill.pipelines.ingest.tables import read_parquet, read_table
from wavemill.pipelines.ingest.tars import read_tar
from wavemill.records import Recording, Reject

Reader = Callable[[Source, Ledger], Iterator[Row]]

READERS: Mapping[str, Reader] = {
    "nemo": read_nemo,
    "table": read_table,
    "parquet": read_parquet,
    "tar": read_tar,
    "lhotse-supervisions": read_supervisions,
    "lhotse-cuts": read_cuts,
    "lhotse-recordings": read_recordings,
    "lhotse-orphans": read_orphans,
    "audio": read_audio,
}


def read_inputs(
    inputs: Sequence[str], leave_out: str | None = None, before: Before | None = None
) -> Iterator[Recording | Reject]:
    """Read files, folders, globs and URLs of any format.

    Manifests, tables and tars come first, in the order given; then lhotse recordings; then the
    audio files of folders, globs and the command line that no row spoke of. In a folder files
    follow the order of their names. Inputs are looked at before this returns, rows are read as
    they are asked for, and memory does not grow with their number.

    Ids are the rows' own, else made of paths relative to the manifest's folder, or to the folder
    that was given, or to a glob's fixed part. Files of one relative path below several of these
    are told apart by the folders above. An id that comes again is a reject, the first one stays.

    Args:
        inputs: as the command line takes them.
        leave_out: a folder whose files are passed over, wherever it lies: the job's own output.
        before: what is there already: its ids are taken, and its recordings are passed over.

    Raises:
        UsageError: an input is not there, or is nothing that can be read.
        JobError: a disk is gone, or the temporary folder full.

    """
    ledger = Ledger()
    try:
        with telling():
            queue_inputs(inputs, ledger, leave_out)
    except BaseException:
        ledger.close()
        raise
    return _read(ledger, before)


def _read(ledger: Ledger, before: Before | None) -> Iterator[Recording | Reject]:
    try:
        with telling():
            if before is not None:
                before.claim(ledger)
            yield from finish(_rows(ledger), ledger, before)
    finally:
        ledger.close()


def _rows(ledger: Ledger) -> Iterator[Row]:
    remember = next(ledger.sources(AUDIO_PHASE), None) is not None
    for source in ledger.sources():
        for row in READERS[source.kind](source, ledger):
            if remember and row.url is not None and source.kind != "audio":
                ledger.mark(REFERRED, places.canonical(row.url))
            yield row


__all__ = ["AUDIO_SUFFIXES", "READERS", "STAGE", "Before", "read_inputs"]
