"""What can be set about the networks. Imports no torch: recipes and checkpoint headers use it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fontgen.errors import RecipeError
from fontgen.settings import Settings

_RECORD_DOWNS = {128: 5, 256: 8, 384: 7, 512: 8}
"""Depth by canvas size as the field runs it (7 at 384 px, 8 at 256 px); 128 and 512 px end at 4 and 2 px."""

_DEEPEST_PX = 3
"""Other sizes go down while the deepest map keeps at least this width, as it has at 384 px."""


_OF_DECODER = ("attention_up", "skip_conv", "skip_dropout", "skip_remove")

_WIDEST_SCORES_PX = 64
"""Residual scores are held: 64 MiB an image and layer at 64 px, 324 MiB at 96 px."""


class NetworkSettings(Settings):
    """The generator and the discriminator. The defaults are the network of record of zi2zi."""

    ngf: int = Field(default=64, ge=1, le=512)
    """Channels of the generator's first level; each level down doubles them up to `max_channels`."""
    max_channels: int | None = Field(default=None, ge=1)
    """Channels of the deepest levels; by default 8 times `ngf`."""
    num_downs: int | None = Field(default=None, ge=2, le=10)
    """Levels of the U-Net; by default from the canvas: 5 at 128 px, 8 at 256 px, 7 at 384 px, 8 at 512 px."""
    embedding_num: int = Field(default=40, ge=1)
    """Styles (target fonts) the network has room for."""
    embedding_dim: int = Field(default=128, ge=1)
    """Length of a style's embedding."""
    norm: Literal["instance", "batch", "group", "none"] = "instance"
    """Normalisation of the generator; batch only for batches of 16 and more."""
    skip: Literal["residual", "concat"] = "residual"
    """How a level of the encoder reaches the decoder: added, or concatenated (costs more, copies details better)."""
    skip_conv: tuple[int, ...] = ()
    """The skips of maps of these widths in px pass a 1x1 convolution and the norm first, which weakens them:
    against output that copies the source."""
    skip_dropout: tuple[int, ...] = ()
    """The skips of maps of these widths pass a dropout of `skip_dropout_rate`: weakened while it trains."""
    skip_dropout_rate: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Share of the values that `skip_dropout` sets to 0."""
    skip_remove: tuple[int, ...] = ()
    """Maps of these widths have no skip at all."""
    upsampling: Literal["pixelshuffle", "transposed", "upsample"] = "pixelshuffle"
    """How a map doubles on the way up: a convolution to four times the channels that become 2x2 pixels;
    a transposed convolution 4x4; or every pixel doubled and a convolution ."""
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Dropout on the decoder's inner blocks, those that keep the full number of channels. 0: none."""
    attention: tuple[int, ...] = ()
    """Self-attention on the encoder's maps of these widths in px, for instance [24, 48] at 384 px."""
    attention_up: tuple[int, ...] = ()
    """Self-attention on the decoder's maps of these widths in px."""
    attention_layers: int = Field(default=1, ge=1, le=8)
    """Layers of self-attention one after the other, wherever there is attention."""
    attention_residual: bool = True
    """With several layers: each adds the scores of the one before to its own (RealFormer)."""
    source_residual: float = Field(default=0.0, ge=0.0)
    """The network draws tanh(change + this many times the source), so that it only has to learn the
    change. 0 is zi2zi as published; 1 helps when the source resembles the target and the run is short."""
    spectral_norm_generator: bool = False
    """Spectral normalisation on the generator, for training that is unstable or has a batch of 8 and less."""
    image_channels: Literal[1, 3] = 1
    """3 only for imported networks that were trained on colour images: the grey source is given to each
    channel, and the drawing is the mean of the three."""
    ndf: int = Field(default=64, ge=1, le=512)
    """Channels of the discriminator's first level."""
    discriminator_norm: Literal["instance", "batch", "group", "none"] = "instance"
    """Normalisation of the discriminator."""
    spectral_norm: bool = False
    """Spectral normalisation on the discriminator, against a discriminator that wins too easily."""

    def downs_for(self, size_px: int) -> int:
        """Levels for a canvas of `size_px`. Raises RecipeError when canvas and levels cannot go together."""
        downs = self.num_downs or _RECORD_DOWNS.get(size_px) or _usual_downs(size_px)
        if downs < 2 or size_px % 2**downs:
            raise RecipeError(
                f"canvas of {size_px} px and num_downs {downs} do not go together: the canvas must be "
                f"a multiple of {2 ** max(downs, 2)} px; choose 128, 256, 384 or 512 px, or fewer num_downs"
            )
        self._check_widths([size_px >> level for level in range(1, downs + 1)])
        return downs

    def _check_widths(self, widths: list[int]) -> None:
        """Settings that name maps by their width must name maps there are."""
        # The deepest map is the encoder's alone: no skip passes it, and the decoder begins above it.
        named = {"attention": widths} | dict.fromkeys(_OF_DECODER, widths[:-1])
        for name, known in named.items():
            if missing := sorted(set(getattr(self, name)) - set(known)):
                kind = "maps" if name == "attention" else "maps above the deepest"
                raise RecipeError(
                    f"{name} at {missing[0]} px: a canvas of {widths[0] * 2} px has {kind} of {known} px; "
                    "choose from these"
                )
        if both := sorted(set(self.skip_remove) & {*self.skip_conv, *self.skip_dropout}):
            raise RecipeError(
                f"skip_remove at {both[0]} px: that skip is to be weakened as well; leave it out of one of the lists"
            )
        widest = max((*self.attention, *self.attention_up), default=0)
        if self.attention_layers > 1 and self.attention_residual and widest > _WIDEST_SCORES_PX:
            raise RecipeError(
                f"attention at {widest} px in {self.attention_layers} layers with residual scores would hold "
                f"{widest**4 * 4 / 2**20:.0f} MiB of scores an image and layer; stay at {_WIDEST_SCORES_PX} px or "
                "less, or set attention_residual = false"
            )

    def channels_for(self, size_px: int) -> list[int]:
        """Channels of each level, outermost first."""
        most = self.max_channels or 8 * self.ngf
        return [min(self.ngf << level, most) for level in range(self.downs_for(size_px))]


def _usual_downs(size_px: int) -> int:
    downs = 0
    while size_px % 2 == 0 and size_px // 2 >= _DEEPEST_PX and downs < 8:
        size_px //= 2
        downs += 1
    return downs
