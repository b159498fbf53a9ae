"""Where the networks run, and under which global settings of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from fontgen.errors import RecipeError


def resolve_device(name: str | torch.device) -> torch.device:
    """`auto` (CUDA where there is one), `cpu` or `cuda`. Raises RecipeError when CUDA is asked for and absent."""
    if isinstance(name, torch.device):
        return name
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in {"cpu", "cuda"}:
        raise RecipeError(f"device '{name}': choose auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda is not None
        reason = "no usable NVIDIA GPU or driver was found" if built else "this torch is built without CUDA"
        raise RecipeError(f"device 'cuda': {reason}; choose --device cpu, or run `fontgen doctor`")
    return torch.device(name)


def card_memory_gb() -> float | None:
    """Memory of the GPU that `auto` would take, in GB of 2^30 bytes; None without one."""
    if not torch.cuda.is_available():
        return None
    return float(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 2**30)


def sent(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor on the device.

    It goes to a GPU from pinned memory: a copy from ordinary memory waits until the GPU has done all that it was
    given before (CUDA runtime API, "API synchronization behavior").
    """
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic kernels, and an untouched random state afterwards."""
    # cuBLAS repeats itself only with a fixed workspace, which it reads at its first call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    was_filling = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    was_precision = torch.get_float32_matmul_precision()
    was_benchmark = torch.backends.cudnn.benchmark
    cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        try:
            torch.use_deterministic_algorithms(True)
            # Filling fresh memory only serves reads of uninitialised values, which no layer here does.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = False
            torch.set_float32_matmul_precision("high")
            torch.set_flush_denormal(True)
            yield
        finally:
            torch.use_deterministic_algorithms(was_deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = was_filling  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = was_benchmark
            torch.set_float32_matmul_precision(was_precision)
            torch.set_flush_denormal(False)  # there is no way to ask; not to flush is every process's default
