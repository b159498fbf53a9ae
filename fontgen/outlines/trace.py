"""A grey glyph image becomes an outline in em."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.outlines.outline import Contour, Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.winding import wind_by_nesting

_SPECKLE_PX2 = 2.0


def trace_ink(ink8: NDArray[np.uint8], canvas: Canvas, settings: TraceSettings | None = None) -> Outline:
    """Trace (row, col) uint8 ink, 255 = ink, on `canvas`. Polarity is taken as given, never guessed.

    The edge is where the coverage is one half. Ink that touches the border of the image is closed along
    it. Returns an empty outline when nothing but specks is there.

    Raises ImageError when the image is not of the canvas's size.
    """
    settings = settings or TraceSettings()
    if ink8.shape != (canvas.size_px, canvas.size_px) or ink8.dtype != np.uint8:
        raise ImageError(
            f"image of {ink8.shape} {ink8.dtype} where ({canvas.size_px}, {canvas.size_px}) uint8 is needed; "
            "render it on the same canvas"
        )
    if int(ink8.max(initial=0)) < 128:
        return Outline()
    from fontgen.outlines.potrace_backend import potrace_contours

    contours = potrace_contours(ink8.astype(np.float32) / np.float32(255), settings, px_per_em=canvas.px_per_em)
    return Outline(tuple(wind_by_nesting([_to_em(contour, canvas) for contour in contours])))


def _to_em(contour: Contour, canvas: Canvas) -> Contour:
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * col + x0, yy * row + y0) for col, row in segment) for segment in contour)
