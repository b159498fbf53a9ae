"""What both networks are made of. Shapes: B batch, C channels, H rows, W columns."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.norms import InstanceNorm

LEAK = 0.2
"""Slope of every LeakyReLU of zi2zi."""

_INITIAL_STD = 0.02
"""Standard deviation of fresh convolution weights (DCGAN, pix2pix, zi2zi)."""


def make_norm(kind: str, channels: int) -> nn.Module:
    """The normalisation called `kind`; InstanceNorm carries no affine parameters."""
    if kind == "instance":
        return InstanceNorm(channels)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(math.gcd(channels, 8), channels)
    return nn.Identity()


def norm_wants_bias(kind: str) -> bool:
    """Whether a convolution before this normalisation has a bias (BatchNorm and GroupNorm add their own)."""
    return kind in {"instance", "none"}


def make_upsampling(kind: str, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    """The convolution that doubles a map: (B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
    if kind == "upsample":
        return _Doubled(inputs, outputs, 3, padding=1, bias=bias)
    return _Shuffled(inputs, 4 * outputs, 3, padding=1, bias=bias)


class _Doubled(nn.Conv2d):
    """Every pixel becomes 2x2 of them, then a convolution: no checkerboard (Odena et al. 2016)."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return super().forward(functional.interpolate(x_BCHW, scale_factor=2.0, mode="nearest"))


class _Shuffled(nn.Conv2d):
    """A convolution to four times the channels, which become 2x2 pixels."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.pixel_shuffle(super().forward(x_BCHW), 2)


class Join(nn.Module):
    """Where a skip meets the decoder: added, concatenated (skip first) or left out, after it was weakened."""

    def __init__(self, channels: int, settings: NetworkSettings, width_px: int) -> None:
        super().__init__()
        self.concat = settings.skip == "concat"
        self.removed = width_px in settings.skip_remove
        self.rate = settings.skip_dropout_rate if width_px in settings.skip_dropout else 0.0
        self.conv: nn.Module | None = None
        if width_px in settings.skip_conv:
            self.conv = nn.Sequential(
                nn.Conv2d(channels, channels, 1, bias=norm_wants_bias(settings.norm)),
                make_norm(settings.norm, channels),
            )
        self.outputs = 2 * channels if self.concat and not self.removed else channels
        """Channels after the join."""

    def forward(self, x_BCHW: Tensor, skip_BCHW: Tensor) -> Tensor:
        if self.removed:
            return x_BCHW
        if self.conv is not None:
            skip_BCHW = self.conv(skip_BCHW)
        if self.rate:
            skip_BCHW = functional.dropout(skip_BCHW, self.rate, self.training)
        return torch.cat([skip_BCHW, x_BCHW], 1) if self.concat else skip_BCHW + x_BCHW


def initialise(network: nn.Module) -> None:
    """Fresh weights from torch's global random state."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, _INITIAL_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def normalise_spectra(network: nn.Module) -> None:
    """Divide the weight of every convolution and linear layer by its largest singular value (Miyato et al. 2018)."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            parametrizations.spectral_norm(module)


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
