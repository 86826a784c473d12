"""Flink, Spark and Dask on this machine, as separate processes; see README.md."""
