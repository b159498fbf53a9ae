"""Files of weights that others trained: where they lie, and reading them without running pickled code.

Nothing is ever downloaded. torch is imported only to read a file.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from fontgen.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

VGG16 = "vgg16-397923af.pth"
"""torchvision's names of its ImageNet weights: https://pytorch.org/vision/stable/models.html"""

ALEXNET = "alexnet-owt-7be5be79.pth"

INCEPTION_V3 = "weights-inception-2015-12-05-6726825d.pth"
"""torch-fidelity's conversion of the network that FID is defined with (arXiv 1706.08500)."""


def hub_cache() -> Path:
    """The folder of torch's hub cache that holds weights: $TORCH_HOME, else $XDG_CACHE_HOME/torch, else ~/.cache/torch.

    As torch.hub.get_dir says, without importing torch.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def read_tensors(path: Path, wanted: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a state dict that torch saved, by name.

    Pickled code is never run. Raises CheckpointError, which says that `wanted` is what should lie there.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor for name, tensor in dict(found).items() if isinstance(tensor, torch.Tensor)}
    except (
        OSError, EOFError, RuntimeError, TypeError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile,
        SafetensorError,
    ) as error:  # fmt: skip
        reason = str(error).split(". ")[0].splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: damaged, or no file of tensors ({reason[:120]}); use {wanted}") from error
