"""The perceptual loss: how far two images lie apart in the first layers of VGG16.

Shapes: B batch, C channels, H rows, W columns. Images are (B, 1, H, W) in -1..1, ink = -1.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.vgg import make_layers

from fontgen.errors import CheckpointError
from fontgen.zi2zi.weight_files import VGG16, hub_cache, read_tensors

_LAYERS: list[str | int] = [64, 64, "M", 128, 128]
"""VGG16's first two blocks (arXiv 1409.1556, configuration D), its `features` 0 to 8."""

_TAPS = (3, 8)
"""relu1_2 and relu2_2 in `features`. Deeper layers know photographs, not strokes."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels (red, green, blue), as torchvision's VGG16 was trained."""


class Perceptual(nn.Module):
    """The distance in VGG16's relu1_2 and relu2_2, the mean of both. Its weights are never trained.

    Feature distances for images: arXiv 1603.08155; with the absolute difference, as here: arXiv 1711.11585.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        """Read `weights` (see `find_weights`). Raises CheckpointError when they are not VGG16's."""
        super().__init__()
        self.features: nn.Sequential = make_layers(_LAYERS, batch_norm=False)
        _fill(self.features, weights)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(_STD)[:, None, None])
        self.eval().requires_grad_(False)

    def forward(self, fake_B1HW: Tensor, true_B1HW: Tensor) -> Tensor:
        """Mean absolute difference of the maps; the true side gives no gradient."""
        with torch.no_grad():
            known = self.maps(true_B1HW)
        drawn = self.maps(fake_B1HW)
        return torch.stack([functional.l1_loss(a, b) for a, b in zip(drawn, known, strict=True)]).mean()

    def maps(self, image_B1HW: Tensor) -> list[Tensor]:
        """(B, 64, H, W) and (B, 128, H/2, W/2), after their ReLU."""
        grey_B1HW = 0.5 + 0.5 * image_B1HW
        x_BCHW = (grey_B1HW.expand(-1, 3, -1, -1) - self.mean) / self.std
        found = []
        for number, layer in enumerate(self.features):
            x_BCHW = layer(x_BCHW)
            if number in _TAPS:
                found.append(x_BCHW)
        return found


def find_weights(given: Path | None) -> Path:
    """VGG16's weights: the file that is given, else the one in torch's hub cache. Nothing is ever downloaded.

    Raises CheckpointError when there is none.
    """
    if given is not None:
        if given.is_file():
            return given
        raise CheckpointError(
            f"{given}: no such file of VGG16 weights; correct perceptual_weights in [train.losses], "
            "or switch the perceptual loss off with perceptual = 0"
        )
    cached = hub_cache() / VGG16
    if cached.is_file():
        return cached
    raise CheckpointError(
        f"the perceptual loss needs VGG16's weights, and {cached} is not there; put torchvision's {VGG16} there, "
        "give its path as perceptual_weights in [train.losses], or switch the loss off with perceptual = 0"
    )


def _fill(features: nn.Module, path: Path) -> None:
    tensors = read_tensors(path, "torchvision's vgg16 weights")
    try:
        features.load_state_dict({name: tensors[f"features.{name}"] for name in features.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: not the weights of VGG16 as torchvision names them ({' '.join(str(error).split())[:120]}); "
            "use its vgg16 file, without batch normalisation"
        ) from error
