"""Prepared datasets as lhotse, webdataset and Hugging Face datasets know them."""

from wavemill.loader.adapters.huggingface import iterable_dataset
from wavemill.loader.adapters.lhotse import cut_set
from wavemill.loader.adapters.webdataset import web_dataset

__all__ = ["cut_set", "iterable_dataset", "web_dataset"]
