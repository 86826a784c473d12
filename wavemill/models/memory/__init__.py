"""How much memory a training step takes, and how large batches may be."""
