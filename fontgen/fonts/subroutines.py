"""Repeated strokes of CFF outlines written once: the subroutines of an .otf."""

from __future__ import annotations

from io import BytesIO

import cffsubr
from fontTools.ttLib import TTFont

from fontgen.errors import FontError
from fontgen.fonts.base import font_bytes

__all__ = ["subroutinized"]


def subroutinized(data: bytes) -> bytes:
    """A plain CFF font with subroutines chosen anew by Adobe's `tx`; outlines and hints stay the same.

    Raises FontError when tx refuses the outlines.
    """
    font = TTFont(BytesIO(data), recalcBBoxes=False, recalcTimestamp=False)
    try:
        cffsubr.subroutinize(font)
    except (cffsubr.Error, OSError) as error:
        raise FontError(
            f"the CFF outlines cannot be subroutinized ({str(error).strip() or type(error).__name__}); "
            "set subroutinize = false in [font]"
        ) from error
    return font_bytes(font)
