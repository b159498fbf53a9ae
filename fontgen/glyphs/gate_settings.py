"""How strictly generated glyphs are judged; light to import."""

from __future__ import annotations

from pydantic import Field

from fontgen.settings import Settings


class GateSettings(Settings):
    """Which share of genuine glyphs the gate lets pass, and what it may learn from."""

    pass_rate: float = Field(default=0.97, gt=0.5, lt=1.0)
    """Share of genuine glyphs that pass; the rest is the price for catching broken ones."""

    max_pairs: int = Field(default=600, ge=20)
    """At most this many genuine pairs, spread over the set, calibrate the gate."""

    outlier_spread: float = Field(default=3.5, gt=0.0)
    """Robust standard deviations from the median from which a glyph is suspect: of the generator's uncertainty (where
    it drew with `passes` above 1), and, without genuine pairs, of the score itself."""

    retries: int = Field(default=0, ge=0, le=6)
    """Draw a suspect again by other means at most so often, and keep what scores best; 0: do not."""

    seed: int = 0
    """Seed of the made-up mistakes that the gate is trained on."""
