"""Reading checkpoints of other projects: tensors by name, and nothing that a file wants to run."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fontgen.errors import CheckpointError

_NESTED = ("state_dict", "model_state_dict", "netG", "netD", "model")
"""Under these names training scripts keep the weights beside their own state."""

_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""

_FOREIGN_TYPE = re.compile(r"(?:GLOBAL|[Uu]nsupported class) ([\w.]+)")
"""How torch names what it refuses to unpickle."""

_SINGULAR = {
    "weight_orig": ("weight_u", "weight_v"),
    "parametrizations.weight.original": ("parametrizations.weight.0._u", "parametrizations.weight.0._v"),
}
"""Spectral norm in a state dict, old and new way: the weight, and its two singular vectors."""


def read_foreign_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of `torch.save`, by name, on the CPU.

    Takes a state dict, one inside a dict under a usual name, and names with the prefixes of DataParallel and
    torch.compile. Only tensors and plain containers are unpickled. Raises CheckpointError.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; give the path of a .safetensors or .pth file")
    try:
        # Of an open file: given a path, torch goes by the name.
        with path.open("rb") as file:
            data = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, str(error))) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(_damage(path)) from error
    return _unwrapped(_state_dict(data, path))


def _refusal(path: Path, reason: str) -> str:
    asked = _FOREIGN_TYPE.search(reason)
    if asked is None:
        return _damage(path)
    return (
        f"{path}: holds more than tensors ({asked[1]}), and fontgen runs no code from a file; "
        "save the weights alone there: torch.save(net.state_dict(), path)"
    )


def _damage(path: Path) -> str:
    if zipfile.is_zipfile(path):
        return f"{path}: a zip file that is no checkpoint, or a damaged one; give a file that torch.save wrote"
    return f"{path}: damaged, cut short or not a checkpoint; copy it again, or give another one"


def _state_dict(data: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(2):
        if not isinstance(data, dict):
            break
        tensors = {name: value for name, value in data.items() if isinstance(value, Tensor)}
        if tensors and all(isinstance(name, str) for name in tensors):
            return tensors
        data = next((data[name] for name in _NESTED if isinstance(data.get(name), dict)), None)
    raise CheckpointError(
        f"{path}: holds no weights by name; save them alone there: torch.save(net.state_dict(), path)"
    )


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((p for p in _WRAPPERS if all(name.startswith(p) for name in tensors)), None):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def without_spectral_norm(tensors: dict[str, Tensor], path: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors with every spectrally normalised weight divided out, and how many of them there were.

    W / (u^T W v), as the network computes it when it does not train. Raises CheckpointError when u or v is missing.
    """
    plain, count = dict(tensors), 0
    for name in tensors:
        for original, vectors in _SINGULAR.items():
            if not name.endswith(f".{original}"):
                continue
            layer = name.removesuffix(original)
            weight = plain.pop(name).float()
            u, v = (plain.pop(layer + vector, None) for vector in vectors)
            if u is None or v is None:
                raise CheckpointError(
                    f"{path}: {name} lacks the vectors of its spectral norm; save it with a new torch"
                )
            plain[f"{layer}weight"] = weight / _largest_singular(weight, u.float(), v.float(), name, path)
            count += 1
    return plain, count


def _largest_singular(weight: Tensor, u: Tensor, v: Tensor, name: str, path: Path) -> Tensor:
    # The rows of a transposed convolution's matrix are its outputs, which come second in its weight.
    transposed = ".up." in name and weight.dim() == 4 and weight.shape[2] == 4
    matrix = (weight.transpose(0, 1) if transposed else weight).flatten(1)
    if matrix.shape != (u.numel(), v.numel()):
        raise CheckpointError(
            f"{path}: {name} and the vectors of its spectral norm do not fit together; copy the file again"
        )
    return torch.dot(u, matrix @ v)
