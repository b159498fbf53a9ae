"""For tests: networks with the names, shapes and order of layers that zi2zi-pytorch published."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    def __init__(self, channels: int, *, scaled: bool) -> None:
        super().__init__()
        self.scaled = scaled
        self.query_conv = nn.Conv2d(channels, channels // 8, 1)
        self.key_conv = nn.Conv2d(channels, channels // 8, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (conv(x).flatten(2) for conv in (self.query_conv, self.key_conv, self.value_conv))
        scores = query.transpose(1, 2) @ key
        if self.scaled:
            scores = scores / math.sqrt(query.shape[1])
        return self.gamma * (value @ scores.softmax(2).transpose(1, 2)).view(x.shape) + x


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


class Block(nn.Module):
    """`way`: where attention applies: "down" (since 3/2026), "both" (12/2025 to 3/2026), "up" (12/2025)."""

    def __init__(
        self,
        outer: int,
        inner: int,
        *,
        submodule: Block | None,
        outermost: bool = False,
        norm: str,
        pixelshuffle: bool,
        residual: bool,
        style: int,
        attention: bool,
        way: str,
    ) -> None:
        super().__init__()
        bias = norm == "instance"
        self.outermost, self.residual, self.way = outermost, residual, way
        self.submodule = submodule
        down: list[nn.Module] = [nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)]
        if not outermost:
            down.insert(0, nn.LeakyReLU(0.2, inplace=True))
        if submodule is not None and not outermost:
            down.append(_norm(norm, inner))
        inputs = inner + style if submodule is None else inner if residual else 2 * inner
        up: list[nn.Module] = [nn.ReLU(inplace=True)]
        if pixelshuffle:
            up += [nn.Conv2d(inputs, 4 * outer, 3, padding=1, bias=bias or outermost), nn.PixelShuffle(2)]
        else:
            up.append(nn.ConvTranspose2d(inputs, outer, 4, 2, 1, bias=bias or outermost))
        up.append(nn.Tanh() if outermost else _norm(norm, outer))
        self.att = Attention(outer if way == "up" else inner, scaled=way != "up") if attention else None
        self.down = nn.Sequential(*down)
        self.up = nn.Sequential(*up)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        encoded = self.down(x)
        if self.att is not None and self.way != "up":
            encoded = self.att(encoded)
        if self.submodule is None:
            wide = style[:, :, None, None].expand(-1, -1, *encoded.shape[2:])
            drawn = self.up(torch.cat([wide, encoded], 1))
        else:
            drawn = self.up(self.submodule(encoded, style))
            if self.att is not None and self.way != "down":
                drawn = self.att(drawn)
        if self.outermost:
            return drawn
        # `x` is what the LeakyReLU in place has made of it.
        return x + drawn if self.residual else torch.cat([x, drawn], 1)


class UNet(nn.Module):
    """The generator; `attention` names levels, outermost 0."""

    def __init__(
        self,
        *,
        ngf: int = 8,
        downs: int = 5,
        images: int = 1,
        styles: int = 5,
        style_dim: int = 6,
        norm: str = "instance",
        pixelshuffle: bool = True,
        residual: bool = True,
        attention: Iterable[int] = (),
        way: str = "down",
    ) -> None:
        super().__init__()
        self.embedder = nn.Embedding(styles, style_dim)
        channels = [images] + [min(ngf << level, 8 * ngf) for level in range(downs)]
        block: Block | None = None
        for level in reversed(range(downs)):
            block = Block(
                channels[level],
                channels[level + 1],
                submodule=block,
                outermost=level == 0,
                norm=norm,
                pixelshuffle=pixelshuffle,
                residual=residual,
                style=style_dim,
                attention=level in set(attention),
                way=way,
            )
        self.model = block

    def forward(self, x: Tensor, style_index: Tensor) -> Tensor:
        assert self.model is not None
        drawn: Tensor = self.model(x, self.embedder(style_index))
        return drawn


class PatchGan(nn.Module):
    """The discriminator."""

    def __init__(
        self, *, ndf: int = 8, images: int = 1, styles: int = 5, size_px: int = 64, norm: str = "batch", kernel: int = 5
    ) -> None:
        super().__init__()
        pad = kernel // 2 if kernel == 5 else 1
        layers: list[nn.Module] = [nn.Conv2d(2 * images, ndf, kernel, 2, pad), nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [nn.Conv2d(inputs * ndf, outputs * ndf, kernel, stride, pad, bias=norm != "batch")]
            layers += [_norm(norm, outputs * ndf), nn.LeakyReLU(0.2, inplace=True)]
        layers.append(nn.Conv2d(8 * ndf, 1, kernel, 1, pad))
        self.model = nn.Sequential(*layers)
        cells = self.model(torch.zeros(1, 2 * images, size_px, size_px)).numel()
        self.binary = nn.Linear(cells, 1)
        self.catagory = nn.Linear(cells, styles)

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        flat = self.model(pair).flatten(1)
        return self.binary(flat), self.catagory(flat)


def trained(network: nn.Module, seed: int = 0) -> Any:
    """The network with weights and running statistics as after a training, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if not tensor.is_floating_point():
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(noise.abs() + 0.5)
            elif name.endswith("gamma"):
                tensor.fill_(0.8)
            elif tensor.dim() > 1:
                tensor.copy_(noise / math.sqrt(tensor[0].numel()))
            else:
                tensor.add_(0.1 * noise)
    return network.eval()
