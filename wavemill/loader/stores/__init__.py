"""Shards on object stores: held in memory, read by ranges, or through a cache on the disk."""
