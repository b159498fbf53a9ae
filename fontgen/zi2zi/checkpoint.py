"""Checkpoints on disk: safetensors with one JSON header. Nothing pickled is ever read.

`save_generator` writes what inference needs. `save_state` writes what training needs to go on:
every tensor of the networks and optimizers, and the rest as JSON.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fontgen.errors import CheckpointError, WorkspaceError
from fontgen.files import atomic_path
from fontgen.zi2zi.device import resolve_device
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.header import (
    FORMAT,
    FORMAT_VERSION,
    HEADER_KEY,
    CheckpointHeader,
    Precision,
    read_header,
    read_metadata,
)


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
    # safetensors keeps no strides, and refuses tensors that share memory.
    packed = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(packed, temporary, metadata={HEADER_KEY: text})
        except SafetensorError as error:
            raise WorkspaceError(
                f"{path}: cannot be written ({error}); free some space and run the same command again"
            ) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file by name. Raises CheckpointError."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: damaged or cut short ({error}); train again, or use another checkpoint of this run"
        ) from error


def load_weights(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill a network strictly. Raises CheckpointError when names or shapes differ."""
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its weights are not those of the network it describes "
            f"({' '.join(str(error).split())[:160]}); train again, or use another checkpoint"
        ) from error


def save_generator(path: Path, generator: Generator, header: CheckpointHeader) -> None:
    """Write a generator and its header, atomically, in the precision that the header names."""
    tensors = generator.state_dict()
    if header.precision == "fp16":
        tensors = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    _save(path, tensors, header.to_json())


def load_generator(path: Path, device: str | torch.device) -> tuple[Generator, CheckpointHeader]:
    """The generator in evaluation mode on `device`, in fp32 however it is stored, and its header.

    Raises CheckpointError.
    """
    header = read_header(path)
    generator = Generator(header.network, header.canvas.size_px)
    load_weights(generator, read_tensors(path), path)
    return generator.eval().to(resolve_device(device)), header


def export_generator(path: Path, output: Path, precision: Precision = "fp16") -> CheckpointHeader:
    """Write the generator of a checkpoint to `output` in a precision, and return the new header.

    Half precision halves the file; weights are rounded to 11 significant bits, and drawn glyphs change
    by about a grey level. Raises CheckpointError.
    """
    generator, header = load_generator(path, "cpu")
    header = replace(header, precision=precision)
    save_generator(output, generator, header)
    return header


def save_state(path: Path, groups: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> None:
    """Write named groups of tensors and a JSON-able state, atomically."""
    tensors = {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
    _save(path, tensors, {"format": FORMAT, "version": FORMAT_VERSION, "trainer": state})


def load_state(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """What `save_state` wrote. Raises CheckpointError."""
    metadata = read_metadata(path)
    if "trainer" not in metadata:
        raise CheckpointError(f"{path}: a generator without the trainer's state; training cannot resume from it")
    groups: dict[str, dict[str, Tensor]] = {}
    for full, tensor in read_tensors(path).items():
        group, _, name = full.partition("/")
        groups.setdefault(group, {})[name] = tensor
    return groups, metadata["trainer"]


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's moments, by `<parameter number>.<moment>`; learning rates come from the settings."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, moments in state.items() for name, value in moments.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take over what `optimizer_tensors` gave.

    Moments get the memory layout of their weights: fused kernels take it for granted.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for full, tensor in tensors.items():
        index, _, name = full.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for weight, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == weight.shape and value.stride() != weight.stride():
                moments[name] = torch.empty_like(weight).copy_(value)
