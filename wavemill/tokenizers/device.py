"""Where a codec's model runs, and in what precision: a CPU and float32 unless a setting says so.

Another device or precision rounds otherwise, and what rounds otherwise now and then chooses another
id. So nothing is chosen by what a machine happens to have, both are settings that key the spool,
and on a GPU float32 means that: no TF32, and algorithms that give the same twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from wavemill.errors import UsageError

KINDS = ("cpu", "cuda")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A device and the precision of its products."""

    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:1`."""
    precision: str = "float32"
    """`bfloat16` is autocast: sums and weights stay float32."""

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`."""
        return self.device.split(":", 1)[0]

    @property
    def digest_parts(self) -> dict[str, str]:
        """What of it can change an id, for a digest; nothing for the default."""
        if self == Place():
            return {}
        return {"device": self.kind, "precision": self.precision}

    def check(self, what: str) -> "Place":
        """Give it back if this machine has it.

        Raises:
            UsageError: there is no such device or precision, or not here.

        """
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"{what}: precision={self.precision} must be {' or '.join(PRECISIONS)}"
            )
        kind, _, number = self.device.partition(":")
        if kind not in KINDS or (number and not number.isdigit()) or self.device.endswith(":"):
            raise UsageError(f"{what}: device={self.device} must be cpu, cuda or such as cuda:1")
        if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
            raise UsageError(
                f"{what}: device={self.device}, but this machine has {torch.cuda.device_count()}"
                " CUDA devices that torch can use; give device=cpu"
            )
        return self

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run what is inside in this precision, without gradients."""
        exact = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        )
        dtype, is_lower = PRECISIONS[self.precision], self.precision != "float32"
        with torch.inference_mode(), exact, torch.autocast(self.kind, dtype, enabled=is_lower):
            yield

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Take what is inside out of a lower precision."""
        with torch.autocast(self.kind, enabled=False):
            yield
