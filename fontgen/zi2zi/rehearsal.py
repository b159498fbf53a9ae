"""Code on tensors that have shapes but no data, and how many bytes they would take.

The training step itself runs, under `FakeTensorMode`: every operation tells the shape, type and layout of its
result and computes nothing. What an option does to memory is counted because the option's own code runs. A
384 px step at batch 32 takes a second or two and hardly any memory.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

_READING = 1.0
"""What a tensor without data gives when a number is read from it: finite, and no divisor of 0."""


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages that operations make, until they are freed.

    What an operation takes for itself and gives back before it returns (workspaces, copies into another
    layout) is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._live: dict[int, tuple[int, Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in _pytree.tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._watch(leaf)
        return result

    def _watch(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._live:
            return
        size = storage.nbytes()
        self._live[key] = size, weakref.ref(storage, lambda _: self._forget(key))
        self.now += size
        self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._live.pop(key)[0]


class _Answers(TorchFunctionMode):
    """Answers what a tensor without data cannot: its numbers, its address, a deep copy of itself."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name == "tolist":
            return _nested(tuple(args[0].shape))
        if name in {"item", "__float__"}:
            return _READING
        if name == "__bool__":
            return True
        if name == "data_ptr":
            return 1
        if name == "__deepcopy__":
            return _copied(*args)
        return func(*args, **(kwargs or {}))


def _nested(shape: tuple[int, ...]) -> Any:
    return [_nested(shape[1:]) for _ in range(shape[0])] if shape else _READING


def _copied(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    """torch's own way would copy the mode that fakes the tensor as well, and tensors of two modes do not mix."""
    copy = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    if isinstance(tensor, nn.Parameter):
        copy = nn.Parameter(copy, tensor.requires_grad)
    memo[id(tensor)] = copy
    return copy


def _take_over(one: Any, other: Any) -> None:
    """`torch.utils.swap_tensors` for fake tensors, whose weak references forbid the swap."""
    one.data = other.data
    one.fake_device = other.fake_device


@contextmanager
def rehearsing() -> Iterator[LiveBytes]:
    """Within this context tensors have no data; yields the count of what they would take.

    Reading a number gives 1.0. Tensors made before cannot be used within, nor those made within afterwards.
    """
    counter = LiveBytes()
    swap = torch.utils.swap_tensors
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode())
        stack.enter_context(counter)
        stack.enter_context(_Answers())
        torch.utils.swap_tensors = _take_over
        try:
            yield counter
        finally:
            torch.utils.swap_tensors = swap
