"""Prepared datasets as other libraries know them; the loader under Lightning."""

from wavemill.loader.adapters.huggingface import iterable_dataset
from wavemill.loader.adapters.lhotse import cut_set
from wavemill.loader.adapters.lightning import OneAhead
from wavemill.loader.adapters.webdataset import web_dataset

__all__ = ["OneAhead", "cut_set", "iterable_dataset", "web_dataset"]
