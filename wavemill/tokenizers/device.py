"""Where a model runs, and in what precision: on a CPU in float32 unless a setting says otherwise.

Another device or precision rounds otherwise, and what rounds otherwise now and then chooses another
id. So nothing is chosen by what a machine happens to have, both are settings that key the spool,
and on a GPU float32 means that: no TF32, and algorithms that give the same twice.

What picks ids from a network's output (quantizers, distances, segmentation) stays in float32 or
double, whatever the network runs in; so does what is heard before it (spectra).

`tests/tokenizers/test_pretended_gpu.py` runs all of it on a pretended GPU, which finds tensors that
are left on the CPU; `tests/gpu/` is for a real one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavemill.errors import UsageError

KINDS = ("cpu", "cuda")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
GPU_BLOCK_SECONDS = 30.0
"""Of audio, at once on a GPU: a guess, see `Place.block_steps`."""
_ON_CPU: ContextVar[bool] = ContextVar("_ON_CPU", default=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A device and the precision of its products."""

    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:1`."""
    precision: str = "float32"
    """`bfloat16` is autocast: sums and weights stay float32."""
    instead_of: "Place | None" = None
    """The place that digests are to be of, where this one is not the one that was asked for."""

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`."""
        return self.device.split(":", 1)[0]

    @property
    def index(self) -> int:
        """Of the device among those of its kind; 0 if it says none."""
        return int(self.device.partition(":")[2] or 0)

    @property
    def digest_parts(self) -> dict[str, str]:
        """What of it can change an id, for a digest; nothing for the default."""
        asked = self.instead_of or self
        if asked == Place():
            return {}
        return {"device": asked.kind, "precision": asked.precision}

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

    def tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        """Put an array there."""
        return torch.from_numpy(array).to(self.device)

    def block_steps(self, steps: int, steps_a_second: float) -> int:
        """Say how many steps of a clip to run at once.

        A CPU is fastest with blocks that stay in its cache, and `steps` were measured there. A GPU
        is idle between small ones: it gets half a minute at least. That was not measured.

        Clips run one by one on a GPU, too. Its libraries choose how to sum by the shape of what
        they get, so a clip that is padded to its neighbours' length would round by them.
        """
        if self.kind == "cpu":
            return steps
        return max(steps, round(GPU_BLOCK_SECONDS * steps_a_second))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run what is inside in this precision, without gradients."""
        exact = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        )
        dtype, is_lower = PRECISIONS[self.precision], self.precision != "float32"
        # A program may have allowed products of less than float32, which CPUs heed, too.
        allowed = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            with torch.inference_mode(), exact, torch.autocast(self.kind, dtype, enabled=is_lower):
                yield
        finally:
            torch.set_float32_matmul_precision(allowed)

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Take what is inside out of a lower precision."""
        with torch.autocast(self.kind, enabled=False):
            yield

    def keep_exact(self, part: Any, method: str = "forward") -> None:
        """Have a method of a module take and use float32 in the midst of a lower precision."""
        if self.precision == "float32":
            return
        inner = getattr(part, method)

        def in_float32(x: Tensor, *others: Any, **named: Any) -> Any:
            with self.exact():
                return inner(x.float(), *others, **named)

        setattr(part, method, in_float32)


@dataclass(frozen=True, kw_only=True)
class PlaceSettings:
    """The settings that every tokenizer has: where its model runs, and how precisely."""

    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:1`; ids of another device may differ now and then."""
    precision: str = "float32"
    """`bfloat16` for a fast GPU: many ids are then others."""

    def place(self, what: str) -> Place:
        """Return the place, for the tokenizer `what`.

        Raises:
            UsageError: there is no such device or precision, or not here.

        """
        asked = Place(device=self.device, precision=self.precision)
        return Place(instead_of=asked) if _ON_CPU.get() else asked.check(what)


@contextmanager
def on_cpu() -> Iterator[None]:
    """Have tokenizers that are built inside run on the CPU in float32, whatever they are told.

    Their facts are those of what they are told: so tokens of a GPU are decoded where there is none.
    """
    token = _ON_CPU.set(True)
    try:
        yield
    finally:
        _ON_CPU.reset(token)
