"""Glyph images are dark on light; what is not is refused, its file named, and never guessed right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import GlyphError, ImageError
from fontgen.glyphs.store import ImageFolder

Ink8 = NDArray[np.uint8]


def require_dark_on_light(ink8: Ink8) -> None:
    """GlyphError when the border of the image is ink: inverted, or black all over."""
    border = np.concatenate([ink8[0], ink8[-1], ink8[:, 0], ink8[:, -1]])
    if np.count_nonzero(border >= 128) > 0.75 * border.size:
        what = "black all over" if ink8.min(initial=255) >= 128 else "light on dark"
        raise GlyphError(f"the image is {what}; glyph images are dark ink on a light ground")


def read_dark_on_light(folder: ImageFolder, codepoint: int) -> Ink8:
    """(n, n) uint8 ink of an image that is no negative. ImageError, with the file, where it is or cannot be read."""
    ink8 = folder.read(codepoint)
    try:
        require_dark_on_light(ink8)
    except GlyphError as error:
        raise ImageError(f"{folder.files[codepoint]}: {error}") from error
    return ink8
