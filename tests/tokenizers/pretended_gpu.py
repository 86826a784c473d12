"""A pretended GPU: tensors that say they are on `cuda`, and are worked out on the CPU.

As on a real one, no step takes tensors of both devices, a tensor that is made without `device=` is
on the CPU, and only `.cpu()` leads to numpy. So code that runs here puts every tensor where it
belongs, and gives the ids of the CPU, to the last bit. What a GPU rounds otherwise, and how fast it
is, it does not show; nor autocast, which torch does without where there is no GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CPU, CUDA, META = map(torch.device, ("cpu", "cuda:0", "meta"))
ATEN = torch.ops.aten
CROSSING = {ATEN._to_copy.default, ATEN.copy_.default}
TAKE_INDICES_OF_THE_CPU = {ATEN.index.Tensor, ATEN.index_put_.default}


class OnGpu(torch.Tensor):
    """Says that it is on `cuda:0`; `content` is what it holds."""

    content: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Self:
        with torch.inference_mode(mode=False):  # else torch's own code would want a version of it
            made: Self = torch.Tensor._make_wrapper_subclass(
                cls,
                inner.shape,
                strides=inner.stride(),
                storage_offset=inner.storage_offset(),
                dtype=inner.dtype,
                device=META,
            )
        made.content = inner
        return made

    is_cpu, is_cuda, is_meta = False, True, False

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """What Python code sees. Torch's own code sees `meta`: it would start a GPU otherwise."""
        return CUDA

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Steps(TorchDispatchMode):
    """Sees the steps that take no tensor, such as those that make one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Calls(TorchFunctionMode):
    """Keeps torch from starting a real GPU for what names one: `.to("cuda")`, `device="cuda"`."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.numpy and isinstance(args[0], OnGpu):
            raise AssertionError("a tensor on the GPU is no numpy array")
        if func is torch.Tensor.to:
            place = kwargs.get("device", args[1] if len(args) > 1 else None)
            if isinstance(place, str | torch.device):
                return _moved(args, kwargs, torch.device(place))
        place = kwargs.get("device")
        if place is not None and torch.device(place).type == "cuda":
            return OnGpu(func(*args, **{**kwargs, "device": CPU}))
        return func(*args, **kwargs)


def _moved(args: Any, kwargs: dict[str, Any], place: torch.device) -> torch.Tensor:
    types = [part for part in (*args[1:], *kwargs.values()) if isinstance(part, torch.dtype)]
    inner: torch.Tensor = _unwrap(args[0]).to(*types)
    return inner if place.type == "cpu" else OnGpu(inner)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run a step as a GPU would, and refuse what it would refuse."""
    given = [part for part in tree_leaves((args, kwargs)) if isinstance(part, torch.Tensor)]
    to = kwargs.get("device")
    # Models are loaded by way of the real `meta`, before they run.
    makes = to is not None and to.type == "meta" and torch.is_inference_mode_enabled()
    if not makes and not any(isinstance(part, OnGpu) for part in given):
        return func(*args, **kwargs)
    if func not in CROSSING:
        _refuse_mixed(func, given[:1] if func in TAKE_INDICES_OF_THE_CPU else given)
    inner_args, inner_kwargs = tree_map(_unwrap, (args, kwargs))
    if to is not None:
        inner_kwargs["device"] = CPU
    made = func(*inner_args, **inner_kwargs)
    target = _written(func, args, kwargs)
    if target is not None:
        assert target.shape == _unwrap(target).shape
        return target
    if to is not None and to.type == "cpu":
        return made
    return tree_map(lambda part: OnGpu(part) if isinstance(part, torch.Tensor) else part, made)


def _refuse_mixed(func: Any, given: list[torch.Tensor]) -> None:
    left = [tuple(part.shape) for part in given if not isinstance(part, OnGpu) and part.ndim]
    if left:
        raise AssertionError(f"{func} on the GPU takes tensors on the CPU: {left}")


def _written(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return the tensor that a step writes into, if any."""
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            return kwargs[argument.name] if argument.name in kwargs else args[place]
    return None


def _unwrap(part: Any) -> Any:
    return part.content if isinstance(part, OnGpu) else part


@contextmanager
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a GPU inside the block."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        with _Calls(), _Steps():  # type: ignore[no-untyped-call]
            yield
