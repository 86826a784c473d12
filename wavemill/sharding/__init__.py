"""Buckets, plan, shards and what reads them."""
