"""Activation checkpointing: a level's inner maps are not kept for the backward pass but computed again in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_Buffers = list[tuple[dict[str, Tensor | None], str, Tensor]]


def recomputed(level: nn.Module, *inputs: Tensor) -> Tensor:
    """`level(*inputs)`, its inner maps computed again in the backward pass.

    Running statistics (BatchNorm) and power iterations (spectral norm) move with every forward pass. The second
    one starts from the buffers that the first started from and leaves no trace, so that its maps and gradients
    are those of the first, whatever ran in between. Dropout draws the same places again.
    """
    if not torch.is_grad_enabled():
        plain: Tensor = level(*inputs)
        return plain
    before = [(owner, name, tensor.clone()) for owner, name, tensor in _buffers(level)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _as_before(before)

    run: Callable[..., Tensor] = level
    result: Tensor = checkpoint(run, *inputs, use_reentrant=False, context_fn=contexts)
    return result


def _buffers(module: nn.Module) -> _Buffers:
    return [
        (part._buffers, name, tensor)
        for part in module.modules()
        for name, tensor in part._buffers.items()
        if tensor is not None
    ]


@contextmanager
def _as_before(before: _Buffers) -> Iterator[None]:
    """Other tensors take the buffers' places for a while: writing into the buffers would trouble autograd."""
    now = [(owner, name, owner[name]) for owner, name, _ in before]
    for owner, name, tensor in before:
        owner[name] = tensor.clone()
    try:
        yield
    finally:
        for owner, name, held in now:
            owner[name] = held
