"""What the clean stage repairs and how boldly; light to import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fontgen.settings import Settings

DefectKind = Literal["gap", "pinhole", "speck", "veil", "grey ink", "ragged edge", "bridge", "cut"]


class CleanSettings(Settings):
    """Which defects are repaired. Lengths are in px of a 256 px canvas and follow the canvas size."""

    boldness: float = Field(default=0.5, ge=0.0, le=1.0)
    """0 repairs only what is beyond doubt, 1 also what is likely; 0.5 leaves genuine glyphs as they are."""

    gap_px: float = Field(default=4.0, gt=0.5, le=12.0)
    """White gaps wider than this (px at 256 px, grey flanks included) are never filled."""

    speck_px: float = Field(default=5.0, ge=0.0, le=20.0)
    """Loose ink up to this extent (px at 256 px) may be dust; 0 keeps all."""

    levels: bool = True
    """Clear grey veils from the background and fill grey ink inside strokes."""

    edges: bool = True
    """Smooth edges that are much more ragged than outlines ever are."""

    bridges: bool = True
    """Take away thin links between strokes that the source glyph keeps apart (needs a reference)."""

    cuts: bool = False
    """Join strokes that are severed where the source glyph's are not (needs a reference).

    Off unless asked for: of 400 sound glyphs of a brush hand, whose strokes break where the source's do not,
    5 were changed.
    """
