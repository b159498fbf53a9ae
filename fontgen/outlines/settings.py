"""How images become outlines. Light to import: commands and recipes read it before any work starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from fontgen.settings import Settings

Genre = Literal["auto", "round", "sans", "serif", "brush", "decorative", "pixel"]
Method = Literal["fit", "potrace"]


@dataclass(frozen=True)
class Preset:
    """What a genre means to the fitter."""

    corner_radius_em: float
    """Bends of a smaller radius are meant as corners."""
    corner_ease: float
    """How far the sides of a corner may meet from the edge, times what pixels and blur cut off."""
    tolerance_em: float = 0.0010
    """How far a curve may stray from the edge: a unit of 1000, which is what rounding costs."""


PRESETS: dict[Genre, Preset] = {
    "auto": Preset(0.0, 1.0),
    "round": Preset(0.0, 0.85),
    "sans": Preset(0.004, 1.2),
    # The modelled ends of its strokes are drawn with few points; a serif's heavy stems bear the difference.
    "serif": Preset(0.002, 1.1, tolerance_em=0.0015),
    "brush": Preset(0.0, 1.0),
    "decorative": Preset(0.002, 1.0),
    "pixel": Preset(0.0, 1.0),
}


class TraceSettings(Settings):
    """The `[trace]` table of a recipe."""

    genre: Genre = "auto"
    """What the strokes look like: how readily a tight bend counts as a sharp corner. `auto` suits any font
    drawn with clean edges; `pixel` follows the borders of the pixels."""

    method: Method = "fit"
    """`fit`: lines and curves fitted to the grey edge. `potrace`: potrace on the enlarged image, three
    times as many points and some ten times slower, for textures that no smooth curve describes."""

    tolerance_em: float | None = Field(default=None, gt=0.0, le=0.05)
    """How far (em) a fitted curve may stray from the edge that the image shows; unset: by genre, 0.001 or, for a
    serif, 0.0015. Where the image itself says less (few pixels, a trembling edge), the tolerance grows by itself."""

    enlargement: int | None = Field(default=None, ge=1, le=8)
    """`potrace` only: how many times the image is enlarged before thresholding; unset: chosen so that it
    comes to about 768 px."""

    speckle_em2: float = Field(default=1.0e-5, ge=0.0, le=0.1)
    """Ink or counters of a smaller area (em squared) are dropped; 1e-5 is a dot 3.2 units across at
    1000 units per em. At least two pixels' worth is always dropped."""

    corner_radius_em: float | None = Field(default=None, ge=0.0, le=0.1)
    """A bend of a smaller radius (em) becomes a sharp corner, as far as 4 px; unset: by genre."""

    snap_degrees: float = Field(default=0.7, ge=0.0, le=10.0)
    """Straight edges within this angle (degrees) of horizontal or vertical are made exactly so; on short
    edges the angle that half a font unit makes counts."""
