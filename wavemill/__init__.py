"""wavemill turns large audio corpora into discrete tokens and ready-to-train shards."""

__version__ = "0.1.0"
