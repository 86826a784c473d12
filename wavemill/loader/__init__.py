"""Point a trainer at prepared datasets: full, even, resumable batches at the speed of the disk."""

from wavemill.loader.batch import Batch, collate
from wavemill.loader.loader import ShardLoader
from wavemill.loader.sample import Crop, Sample
from wavemill.loader.split import Split

__all__ = ["Batch", "Crop", "Sample", "ShardLoader", "Split", "collate"]
