"""A picture of one glyph's repairs, for the eye: boxes over the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fontgen.files import atomic_path
from fontgen.glyphs.clean_morphology import Ink8
from fontgen.glyphs.clean_result import CleanResult

_ZOOM = 2
_ADDED, _REMOVED, _BOX = (0, 140, 60), (220, 40, 40), (40, 90, 220)


def write_overlay(path: Path, before8: Ink8, result: CleanResult) -> None:
    """Write an RGB PNG, twice the size of the (n, n) uint8 image: ink added green, ink removed red, boxes blue."""
    after8 = result.ink8
    picture = np.repeat(255 - after8[:, :, None], 3, axis=2)
    picture[after8 > before8] = _ADDED
    picture[after8 < before8] = _REMOVED
    rows, cols = after8.shape
    image = Image.fromarray(picture).resize((cols * _ZOOM, rows * _ZOOM), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    for defect in result.defects:
        top, left, bottom, right = (side * _ZOOM for side in defect.box)
        draw.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=_BOX)
        draw.text((left - 2, max(top - 14, 0)), f"{defect.kind} {defect.confidence:.2f}", fill=_BOX)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")
