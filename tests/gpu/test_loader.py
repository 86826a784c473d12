"""The loader's copies to a real GPU."""

from pathlib import Path

from tests.sharding.drawn import make_dataset, token_samples
from wavemill.loader import ShardLoader


def test_batches_on_a_gpu_are_those_of_the_cpu(tmp_path: Path) -> None:
    out = make_dataset(token_samples(400, 3.0), tmp_path, "none", 0.2)
    expected = list(ShardLoader(out, batch_seconds=60))
    for batch, other in zip(
        ShardLoader(out, batch_seconds=60, device="cuda"), expected, strict=True
    ):
        ids = batch.tokens["codec"]
        assert ids.device.type == "cuda"
        # Work on it right away, on the stream of the model.
        assert int((ids * 2).sum()) == 2 * int(other.tokens["codec"].sum())
        assert batch.keys == other.keys
        assert batch.token_lengths["codec"].tolist() == other.token_lengths["codec"].tolist()
