"""NeMo manifests: one JSON object a line."""

from collections.abc import Iterator

from wavemill.pipelines.ingest.lines import read_objects
from wavemill.pipelines.ingest.row import Manifest, Row, row_of_fields
from wavemill.pipelines.ingest.seen import Ledger, Source
from wavemill.records import Reject


def read_nemo(source: Source, ledger: Ledger) -> Iterator[Row]:
    """Yield one row a line that is not blank."""
    del ledger
    manifest = Manifest(source.url)
    folder = manifest.folder
    for number, fields in read_objects(manifest):
        if isinstance(fields, Reject):
            yield Row(fields)
        else:
            yield row_of_fields(fields, manifest, number, folder)
