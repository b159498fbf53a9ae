"""How a set of images is registered; light to import."""

from __future__ import annotations

from pydantic import Field

from fontgen.settings import Settings


class RegisterSettings(Settings):
    """The shift of a whole set of images against their calibrated source glyphs."""

    max_shift_em: float = Field(default=0.05, gt=0.0, le=0.25)
    """Shifts beyond this (em) are not looked for."""

    sample_glyphs: int = Field(default=400, ge=1)
    """At most this many glyphs, spread over the set, are measured."""

    significance: float = Field(default=2.0, ge=0.0)
    """A shift smaller than this many standard errors is left alone; 0 always corrects."""

    scale: bool = False
    """Measure how much too large or small the set is drawn as well, and undo that too where it is significant."""

    drift_px: float = Field(default=2.0, gt=0.0)
    """Glyphs this far (px) from the common shift, beyond three times the usual spread, are reported."""

    correct_drift: bool = False
    """Put these glyphs back one by one; every glyph is then measured, not a sample."""
