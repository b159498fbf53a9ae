"""The zi2zi generator: a U-Net that carries a style embedding at its bottleneck.

Shapes: B batch, C channels, H rows, W columns. Images are (B, 1, size, size) in -1..1, ink = -1
(dark) and background = +1, as zi2zi has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fontgen.zi2zi.blocks import LEAK, SelfAttention, initialise, make_norm, norm_wants_bias
from fontgen.zi2zi.network_settings import NetworkSettings


@dataclass
class Encoding:
    """What the encoder saw."""

    skips: list[Tensor]
    """Activated maps (B, C, H, W) of the levels above the deepest, outermost first."""
    deepest_BCHW: Tensor
    """The bottleneck, before its activation."""


class Down(nn.Module):
    """One level down: (LeakyReLU,) Conv 4x4 stride 2, norm, attention. The activation is the caller's."""

    def __init__(self, inputs: int, outputs: int, *, norm: str, attention: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=norm_wants_bias(norm))
        self.norm = make_norm(norm, outputs)
        self.attention = SelfAttention(outputs) if attention else None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.norm(self.conv(x_BCHW))
        return x_BCHW if self.attention is None else self.attention(x_BCHW)


class Up(nn.Module):
    """One level up: ReLU, Conv 3x3 to 4 times the channels, PixelShuffle 2, norm, dropout."""

    def __init__(self, inputs: int, outputs: int, *, norm: str, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * outputs, 3, padding=1, bias=norm_wants_bias(norm))
        self.norm = make_norm(norm, outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = functional.pixel_shuffle(self.conv(functional.relu(x_BCHW)), 2)
        dropped: Tensor = self.dropout(self.norm(x_BCHW))
        return dropped


class Generator(nn.Module):
    """Draws a glyph in a style from its source image. Raises RecipeError when settings and size do not fit."""

    def __init__(self, settings: NetworkSettings, size_px: int) -> None:
        super().__init__()
        self.settings = settings
        self.size_px = size_px
        channels = settings.channels_for(size_px)
        deepest = len(channels) - 1
        self.embedding = nn.Embedding(settings.embedding_num, settings.embedding_dim)
        self.downs = nn.ModuleList()
        self.ups = nn.ModuleList()
        for level, width in enumerate(channels):
            outer = channels[level - 1] if level else 1
            # The first map and the bottleneck are not normalised: the one is the drawing itself,
            # the other may be a single pixel.
            down_norm = "none" if level in {0, deepest} else settings.norm
            attention = size_px >> (level + 1) in settings.attention
            self.downs.append(Down(outer, width, norm=down_norm, attention=attention))
            if level == deepest:
                inputs = width + settings.embedding_dim
            else:
                inputs = 2 * width if settings.skip == "concat" else width
            inner = 0 < level < deepest and outer == width
            up_norm = settings.norm if level else "none"
            self.ups.append(Up(inputs, outer, norm=up_norm, dropout=settings.dropout if inner else 0.0))
        initialise(self)

    def encoder(self, image_B1HW: Tensor) -> Encoding:
        skips: list[Tensor] = []
        x_BCHW = self.downs[0](image_B1HW)
        for down in self.downs[1:]:
            x_BCHW = functional.leaky_relu(x_BCHW, LEAK)
            skips.append(x_BCHW)
            x_BCHW = down(x_BCHW)
        return Encoding(skips, x_BCHW)

    def decoder(self, encoding: Encoding, style_BE: Tensor, source_B1HW: Tensor) -> Tensor:
        """The image (B, 1, size, size); `source_B1HW` matters with `source_residual` alone."""
        deepest_BCHW = encoding.deepest_BCHW
        style_BEHW = style_BE[:, :, None, None].expand(-1, -1, *deepest_BCHW.shape[2:])
        x_BCHW = torch.cat([style_BEHW.to(deepest_BCHW.dtype), deepest_BCHW], 1)
        for level in range(len(self.ups) - 1, 0, -1):
            x_BCHW = self.ups[level](x_BCHW)
            skip_BCHW = encoding.skips[level - 1]
            x_BCHW = torch.cat([skip_BCHW, x_BCHW], 1) if self.settings.skip == "concat" else skip_BCHW + x_BCHW
        change_B1HW = self.ups[0](x_BCHW)
        if self.settings.source_residual:
            change_B1HW = change_B1HW + self.settings.source_residual * source_B1HW
        return torch.tanh(change_B1HW)

    def draw(self, source_B1HW: Tensor, style_index_B: Tensor) -> tuple[Tensor, Encoding]:
        """The image and the encoding it was drawn from."""
        encoding = self.encoder(source_B1HW)
        return self.decoder(encoding, self.embedding(style_index_B), source_B1HW), encoding

    def forward(self, source_B1HW: Tensor, style_index_B: Tensor) -> Tensor:
        return self.draw(source_B1HW, style_index_B)[0]
