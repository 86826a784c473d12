"""How many bytes of tensors are alive, and were at most: what an allocator would have given out.

A storage counts once, however many tensors look into it, from when an operation returns it until
nothing holds it any more. torch's `MemTracker` does this too and sorts it by module; it takes one
iteration only and hooks into every module.
"""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GRANULE = 512
"""CUDA's allocator hands out multiples of so many bytes."""


class LiveBytes(TorchDispatchMode):
    """Counts what is made while the mode is on, also after it, until it is gone."""

    def __init__(self, granule: int = GRANULE) -> None:
        """Count from nothing; a storage takes whole granules."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._granule = granule
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self.now = 0
        """Bytes that are alive."""
        self.peak = 0
        """The most that were, since `restart`."""

    def restart(self) -> None:
        """Forget the peak."""
        self.peak = self.now

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation, and count what it returns."""
        returned = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(returned):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return returned

    def _count(self, storage: torch.UntypedStorage) -> None:
        address = storage._cdata  # noqa: SLF001 - names the storage as long as it is alive
        known = self._known.get(address)
        if known is not None and known() is not None:
            return
        size = -(-storage.nbytes() // self._granule) * self._granule

        def forget(gone: "weakref.ref[torch.UntypedStorage]") -> None:
            self.now -= size
            if self._known.get(address) is gone:
                del self._known[address]

        self._known[address] = weakref.ref(storage, forget)
        self.now += size
        self.peak = max(self.peak, self.now)
