"""A pretended GPU: tensors that say they are on "cuda:0", compute on the CPU, and refuse to mix.

``with fake_cuda():`` makes ``device="cuda"``, ``.to("cuda")`` and ``.cuda()`` give such tensors, on
machines with and without a GPU. What real CUDA refuses, they refuse with its words:

- tensors of two devices in one operation; a CPU tensor without dimensions may take part in what is
  done number by number, CPU indices may pick from a GPU tensor, and copies go across;
- ``.numpy()`` and ``np.asarray``; ``.item()``, ``.tolist()`` and ``.cpu()`` work;
- a CPU generator that is to fill a GPU tensor.

Results are the CPU's, bit for bit. What it cannot show: other bits of real kernels, their memory,
their speed, whether an operation exists for CUDA at all, and mixing within custom kernels. In a
backward pass, tensors that autograd makes from nothing are taken to be on the GPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda", 0)
aten = torch.ops.aten

#: Operations whose tensors may be on several devices.
ACROSS = {aten.copy_.default, aten._to_copy.default, aten.copy.default}
#: Operations that take indices from the CPU as well.
INDEXED = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
    aten._unsafe_index_put.default,
}
#: Operations done number by number that carry no tag saying so.
BY_NUMBER = {aten.where.self, aten.masked_fill.Tensor, aten.masked_fill_.Tensor}


class Pretended(Tensor):
    """A tensor on the pretended GPU; ``raw`` holds its numbers, on the CPU."""

    raw: Tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> Pretended:
        assert not isinstance(raw, Pretended)
        if raw.dtype == torch.float64 and not Within.doubles:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        raw = raw.detach()
        made: Pretended = Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            layout=raw.layout,
            device=raw.device,
        )
        made.raw = raw
        return made

    # So that ``Module.to`` takes it for a tensor of its own kind and swaps it in.

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["raw"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: object) -> Pretended:
        return Pretended(inner["raw"])

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    @property
    def is_cpu(self) -> bool:  # type: ignore[override]
        return False

    def get_device(self) -> int:
        return 0

    def numpy(self, *_: object, **__: object) -> Any:  # type: ignore[override]
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the "
            "tensor to host memory first."
        )

    def __array__(self, *_: object, **__: object) -> Any:  # type: ignore[override]
        return self.numpy()

    def tolist(self) -> Any:
        return self.raw.tolist()

    def __repr__(self, **_: object) -> str:  # type: ignore[override]
        return f"pretended {self.raw!r}"

    def __format__(self, spec: str) -> str:
        return format(self.raw, spec)

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        given = leaves((args, kwargs))
        check(func, args, kwargs, given)
        kwargs.pop("device", None)  # as this CPU sees it; the mode heeds what was asked
        found = func(*mapped(raw_of, args), **mapped(raw_of, kwargs))
        # What is changed in place stays what it is.
        known = {id(raw_of(x)): x for x in given if isinstance(x, Tensor)}

        def wrap(x: Any) -> Any:
            if not isinstance(x, Tensor):
                return x
            return known[id(x)] if id(x) in known else Pretended(x)

        return mapped(wrap, found)


CONTAINERS = (list, tuple, dict)


def leaves(tree: Any) -> list[Any]:
    """What is in lists, tuples and dicts; torch's own way asks each object what it is."""
    found: list[Any] = []
    for part in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(part, CONTAINERS):
            found += leaves(part)
        else:
            found.append(part)
    return found


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """A tree like this one of what ``change`` makes of each thing that is in it."""
    if not isinstance(tree, CONTAINERS):
        return change(tree)
    if isinstance(tree, dict):
        return {key: mapped(change, part) for key, part in tree.items()}
    return type(tree)([mapped(change, part) for part in tree])


def raw_of(x: Any) -> Any:
    """The numbers of a pretended tensor; anything else as it is."""
    return x.raw if isinstance(x, Pretended) else x


def check(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: list[Any]) -> None:
    """Raise what CUDA would if ``given``, all that ``func`` gets, is not where it wants it."""
    for value in given:
        if isinstance(value, torch.Generator) and value.device.type == "cpu":
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
    if func in ACROSS:
        return
    if func in INDEXED and isinstance(args[0], Pretended):
        given = leaves(((args[0], *args[2:]), kwargs))  # the indices may be anywhere
    on_cpu = [x for x in given if isinstance(x, Tensor) and not is_pretended(x)]
    if not on_cpu:
        return
    by_number = torch.Tag.pointwise in func.tags or func in BY_NUMBER
    first = args[0] if args else None
    changed = func._schema.is_mutable and isinstance(first, Tensor) and not is_pretended(first)
    if by_number and not changed and all(x.ndim == 0 for x in on_cpu):
        return
    raise RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, "
        f"cuda:0 and cpu! (in {func})"
    )


def is_pretended(x: Any) -> bool:
    """Whether it is a tensor on the pretended GPU."""
    return isinstance(x, Pretended)


class Across(torch.autograd.Function):
    """A copy to the other device, whose gradient comes back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, to_gpu: bool) -> Tensor:
        return Pretended(x.clone()) if to_gpu else raw_of(x).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        back = raw_of(gradient)
        return (back if is_pretended(gradient) else Pretended(back)), None


def moved(x: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; itself if it is there already."""
    if (device.type == "cuda") == is_pretended(x):
        return x
    found: Tensor = Across.apply(x, device.type == "cuda")  # type: ignore[no-untyped-call]
    return found


class Within:
    """What holds meanwhile: how many operations on pretended tensors are under way, which may make
    others themselves, and whether there is float64.
    """

    depth = 0
    doubles = True


class FromNothing(TorchDispatchMode):
    """Tensors that an operation on pretended ones makes on its way are on the pretended GPU."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if not Within.depth or any(isinstance(x, Tensor) for x in leaves((args, kwargs or {}))):
            return found
        return mapped(lambda x: Pretended(x) if isinstance(x, Tensor) else x, found)


class Requested(TorchFunctionMode):
    """Heeds what devices are asked for, before torch itself would look for them."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.to:
            return to(*args, **kwargs)
        if func in (Tensor.cuda, Tensor.cpu):
            return moved(args[0], CUDA if func is Tensor.cuda else torch.device("cpu"))
        # What was copied before, thousands of objects, says nothing of this copy's device.
        given = args[:1] if func is Tensor.__deepcopy__ else (args, kwargs)
        ours = any(is_pretended(x) for x in leaves(given))
        device = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
        if device is None or device.type not in ("cuda", "cpu"):
            return inside(func, args, kwargs) if ours else func(*args, **kwargs)
        if device.type == "cuda" and kwargs.get("generator") is not None:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        if ours:
            del kwargs["device"]
            found = inside(func, args, kwargs)
        else:
            found = func(*args, **kwargs | {"device": torch.device("cpu")})
        return mapped(lambda x: moved(x, device) if isinstance(x, Tensor) else x, found)


def inside(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``func``, whose own tensors are on the pretended GPU meanwhile."""
    Within.depth += 1
    try:
        return func(*args, **kwargs)
    finally:
        Within.depth -= 1


def to(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``Tensor.to`` in all its ways."""
    other = args[0] if args and isinstance(args[0], Tensor) else kwargs.pop("other", None)
    if other is not None:
        return to(x, other.device, other.dtype)
    copy = kwargs.pop("copy", False)
    device, dtype, _, layout = torch._C._nn._parse_to(*args, **kwargs)
    if device is not None:
        if device.type not in ("cpu", "cuda"):
            return Tensor.to(x, *args, **kwargs)
        if dtype is not None and device.type == "cuda" and not is_pretended(x):
            x = x.type(dtype)  # before it goes there, as torch does
        x = moved(x, device)
    if dtype is not None:
        x = x.type(dtype) if x.dtype != dtype else x
    if layout is not None:
        x = x.contiguous(memory_format=layout)
    return x.clone() if copy else x


class Autocast(torch.autocast):
    """``torch.autocast`` that looks for a GPU on the CPU."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


@contextlib.contextmanager
def fake_cuda(doubles: bool = True) -> Iterator[None]:
    """Pretend that there is a GPU; without ``doubles``, one that has no float64, as Apple's."""
    memory = {"get_device_name": "a pretended GPU", "max_memory_allocated": 1_000_000}
    with contextlib.ExitStack() as stack:
        for name, value in memory.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, return_value=value))
        stack.enter_context(mock.patch.object(torch.cuda, "reset_peak_memory_stats"))
        stack.enter_context(mock.patch.object(torch, "autocast", Autocast))
        stack.enter_context(mock.patch.object(Within, "doubles", doubles))
        stack.enter_context(FromNothing())
        stack.enter_context(Requested())
        yield
