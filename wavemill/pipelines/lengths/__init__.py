"""Tables of lengths, of up to some 100 million rows: read into flat arrays, ids left on disk."""

from wavemill.pipelines.lengths.table import Lengths, read_lengths

__all__ = ["Lengths", "read_lengths"]
