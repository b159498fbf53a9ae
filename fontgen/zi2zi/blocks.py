"""What both networks are made of. Shapes: B batch, C channels, H rows, W columns, N = H * W."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

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


class SelfAttention(nn.Module):
    """Every place of a map looks at every other one; starts as the identity (gamma 0)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.query = nn.Conv2d(channels, narrow, 1)
        self.key = nn.Conv2d(channels, narrow, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        query_B1NK, key_B1NK, value_B1NC = (
            layer(x_BCHW).flatten(2).transpose(1, 2).unsqueeze(1) for layer in (self.query, self.key, self.value)
        )
        seen_B1NC = functional.scaled_dot_product_attention(query_B1NK, key_B1NK, value_B1NC)
        return x_BCHW + self.gamma * seen_B1NC.squeeze(1).transpose(1, 2).reshape(x_BCHW.shape)


def initialise(network: nn.Module) -> None:
    """Fresh weights from torch's global random state."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, _INITIAL_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
