"""The zi2zi generator: a U-Net that carries a style embedding at its bottleneck.

Shapes: B batch, C channels, H rows, W columns. Images are (B, 1, size, size) in -1..1, ink = -1
(dark) and background = +1, as zi2zi has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fontgen.zi2zi.attention import make_attention
from fontgen.zi2zi.blocks import (
    LEAK,
    Join,
    initialise,
    make_norm,
    make_upsampling,
    norm_wants_bias,
    normalise_spectra,
)
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.recompute import recomputed


@dataclass
class Encoding:
    """What the encoder saw."""

    skips: list[Tensor]
    """Activated maps (B, C, H, W) of the levels above the deepest, outermost first."""
    deepest_BCHW: Tensor
    """The bottleneck, before its activation."""


class Down(nn.Module):
    """One level down: (LeakyReLU,) Conv 4x4 stride 2, norm, attention. The activation is the caller's."""

    def __init__(self, inputs: int, outputs: int, *, norm: str, attention: nn.Module | None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=norm_wants_bias(norm))
        self.norm = make_norm(norm, outputs)
        self.attention = attention
        self.contiguous = False
        """Whether maps are laid out so before the convolution (fontgen.zi2zi.layout)."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.norm(self.conv(x_BCHW.contiguous() if self.contiguous else x_BCHW))
        return x_BCHW if self.attention is None else self.attention(x_BCHW)


class Up(nn.Module):
    """One level up: (ReLU,) a convolution that doubles the map, norm, dropout, attention. The activation is the
    caller's."""

    def __init__(
        self, inputs: int, outputs: int, *, upsampling: str, norm: str, dropout: float, attention: nn.Module | None
    ) -> None:
        super().__init__()
        self.conv = make_upsampling(upsampling, inputs, outputs, bias=norm_wants_bias(norm))
        self.norm = make_norm(norm, outputs)
        self.dropout = nn.Dropout(dropout)
        self.attention = attention
        self.contiguous = False
        """As in `Down`."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.dropout(self.norm(self.conv(x_BCHW.contiguous() if self.contiguous else x_BCHW)))
        return x_BCHW if self.attention is None else self.attention(x_BCHW)


class Generator(nn.Module):
    """Draws a glyph in a style from its source image.

    `checkpoint_activations` saves memory in training and changes no result: the maps inside a level are computed
    again in the backward pass instead of being kept. Raises RecipeError when settings and size do not fit.
    """

    def __init__(self, settings: NetworkSettings, size_px: int, *, checkpoint_activations: bool = False) -> None:
        super().__init__()
        self.settings = settings
        self.size_px = size_px
        self.checkpoint_activations = checkpoint_activations
        channels = settings.channels_for(size_px)
        deepest = len(channels) - 1
        self.embedding = nn.Embedding(settings.embedding_num, settings.embedding_dim)
        self.downs = nn.ModuleList()
        self.ups = nn.ModuleList()
        self.joins = nn.ModuleList()
        """By level, outermost first: how the map of that level meets what comes up from below it."""
        for level, width in enumerate(channels):
            outer = channels[level - 1] if level else settings.image_channels
            width_px = size_px >> (level + 1)
            # The first map and the bottleneck are not normalised: the one is the drawing itself,
            # the other may be a single pixel.
            down_norm = "none" if level in {0, deepest} else settings.norm
            attention = self._attention(width) if width_px in settings.attention else None
            self.downs.append(Down(outer, width, norm=down_norm, attention=attention))
            if level == deepest:
                inputs = width + settings.embedding_dim
            else:
                self.joins.append(join := Join(width, settings, width_px))
                inputs = join.outputs
            inner = 0 < level < deepest and outer == width
            self.ups.append(
                Up(
                    inputs,
                    outer,
                    upsampling=settings.upsampling,
                    norm=settings.norm if level else "none",
                    dropout=settings.dropout if inner else 0.0,
                    attention=self._attention(outer) if level and 2 * width_px in settings.attention_up else None,
                )
            )
        initialise(self)
        if settings.spectral_norm_generator:
            normalise_spectra(self)

    def _attention(self, channels: int) -> nn.Module:
        return make_attention(channels, self.settings.attention_layers, residual=self.settings.attention_residual)

    def _through(self, level: nn.Module, x_BCHW: Tensor) -> Tensor:
        if self.checkpoint_activations:
            return recomputed(level, x_BCHW)
        through: Tensor = level(x_BCHW)
        return through

    def levels_up_to(self, width_px: int) -> Iterator[tuple[Down, Up]]:
        """The levels whose inner map is at most so wide, outermost first."""
        for number, (down, up) in enumerate(zip(self.downs, self.ups, strict=True), 1):
            if self.size_px >> number <= width_px:
                assert isinstance(down, Down)
                assert isinstance(up, Up)
                yield down, up

    def freeze_encoder(self) -> None:
        """Keep the encoder as it is: no gradient, and no statistics of a normalisation move."""
        self.downs.requires_grad_(False).eval()

    def encoder(self, image_B1HW: Tensor) -> Encoding:
        skips: list[Tensor] = []
        x_BCHW = self._through(self.downs[0], image_B1HW.expand(-1, self.settings.image_channels, -1, -1))
        for down in self.downs[1:]:
            # In place: what it was before is not needed again, and would be a second map to keep.
            x_BCHW = functional.leaky_relu(x_BCHW, LEAK, inplace=True)
            skips.append(x_BCHW)
            x_BCHW = self._through(down, x_BCHW)
        return Encoding(skips, x_BCHW)

    def decoder(self, encoding: Encoding, style_BE: Tensor, source_B1HW: Tensor) -> Tensor:
        """The image (B, 1, size, size); `source_B1HW` matters with `source_residual` alone."""
        deepest_BCHW = encoding.deepest_BCHW
        style_BEHW = style_BE[:, :, None, None].expand(-1, -1, *deepest_BCHW.shape[2:])
        x_BCHW = torch.cat([style_BEHW.to(deepest_BCHW.dtype), deepest_BCHW], 1)
        for level in range(len(self.ups) - 1, 0, -1):
            x_BCHW = self.joins[level - 1](self._up(level, x_BCHW), encoding.skips[level - 1])
        change_BCHW = self._up(0, x_BCHW)
        if self.settings.source_residual:
            change_BCHW = change_BCHW + self.settings.source_residual * source_B1HW
        image_BCHW = torch.tanh(change_BCHW)
        return image_BCHW if self.settings.image_channels == 1 else image_BCHW.mean(1, keepdim=True)

    def _up(self, level: int, x_BCHW: Tensor) -> Tensor:
        # In place, as in the encoder.
        return self._through(self.ups[level], functional.relu(x_BCHW, inplace=True))

    def draw(self, source_B1HW: Tensor, style_index_B: Tensor) -> tuple[Tensor, Encoding]:
        """The image and the encoding it was drawn from."""
        encoding = self.encoder(source_B1HW)
        return self.decoder(encoding, self.embedding(style_index_B), source_B1HW), encoding

    def forward(self, source_B1HW: Tensor, style_index_B: Tensor) -> Tensor:
        return self.draw(source_B1HW, style_index_B)[0]
