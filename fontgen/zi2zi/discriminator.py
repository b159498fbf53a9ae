"""The zi2zi discriminator: sees (source, image) and says whether it is true and which style it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from fontgen.zi2zi.blocks import LEAK, initialise, make_norm, norm_wants_bias, normalise_spectra
from fontgen.zi2zi.network_settings import NetworkSettings

_KERNEL = 5
_PADDING = 2


class Verdict(NamedTuple):
    """What the discriminator says."""

    truth_B1: Tensor
    """Logit of being a true pair."""
    style_BS: Tensor
    """Logit of each style."""
    maps: list[Tensor]
    """Activated inner maps (B, C, H, W), for feature matching."""


class Discriminator(nn.Module):
    """PatchGAN with two heads: 5x5 convolutions to a map of 1/8 of the canvas, then two linear layers."""

    def __init__(self, settings: NetworkSettings, size_px: int) -> None:
        super().__init__()
        ndf = settings.ndf
        widths = [ndf, 2 * ndf, 4 * ndf, 8 * ndf]
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        inputs = 2
        map_px = size_px
        for level, width in enumerate(widths):
            norm = settings.discriminator_norm if level else "none"
            stride = 2 if level < 3 else 1
            bias = norm_wants_bias(norm)
            self.convs.append(nn.Conv2d(inputs, width, _KERNEL, stride=stride, padding=_PADDING, bias=bias))
            self.norms.append(make_norm(norm, width))
            inputs = width
            map_px = -(-map_px // stride)
        self.map = nn.Conv2d(inputs, 1, _KERNEL, padding=_PADDING)
        self.truth = nn.Linear(map_px * map_px, 1)
        self.style = nn.Linear(map_px * map_px, settings.embedding_num)
        initialise(self)
        if settings.spectral_norm:
            normalise_spectra(self)

    def forward(self, source_B1HW: Tensor, image_B1HW: Tensor) -> Verdict:
        x_BCHW = torch.cat([source_B1HW, image_B1HW], 1)
        maps = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            # In place: what it was before is not needed again, and would be a second map to keep.
            x_BCHW = functional.leaky_relu(norm(conv(x_BCHW)), LEAK, inplace=True)
            maps.append(x_BCHW)
        flat_BN = self.map(x_BCHW).flatten(1)
        return Verdict(self.truth(flat_BN), self.style(flat_BN), maps)
