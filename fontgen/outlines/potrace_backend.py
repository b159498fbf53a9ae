"""Outlines from potrace on the enlarged, thresholded image (P. Selinger, "Potrace", 2003)."""

from __future__ import annotations

from typing import Any

import numpy as np
import potrace
from numpy.typing import NDArray
from scipy import ndimage

from fontgen.outlines.outline import Contour, Segment
from fontgen.outlines.settings import TraceSettings

_ENLARGED_PX = 768
"""Above this the gain per pixel is spent (0.992 of IoU at 768 px, 0.994 at 1152 px on a bold font)."""

# Two packages bring the module `potrace`: pypotrace, and potracer, which names the constants as in C.
_IS_POTRACER = not hasattr(potrace, "TURNPOLICY_MINORITY")
_MINORITY = potrace.POTRACE_TURNPOLICY_MINORITY if _IS_POTRACER else potrace.TURNPOLICY_MINORITY

# genre: (alphamax, opttolerance): the settings that practice found for each.
_CURVES = {
    "auto": (1.0, 0.4),
    "round": (1.2, 0.4),
    "sans": (1.0, 0.4),
    "serif": (0.8, 0.2),
    "brush": (0.8, 0.2),
    "decorative": (0.9, 0.2),
    "pixel": (0.0, 0.0),
}


def potrace_contours(ink: NDArray[np.float32], settings: TraceSettings, *, px_per_em: float) -> list[Contour]:
    """Contours in pixels (col, row) at pixel edges, in potrace's own direction."""
    factor = settings.enlargement or max(1, min(4, round(_ENLARGED_PX / ink.shape[0])))
    bitmap = enlarge(ink, factor) >= 0.5
    alphamax, opttolerance = _CURVES[settings.genre]
    speckle_px = int(settings.speckle_em2 * (px_per_em * factor) ** 2)
    path = _bitmap(bitmap).trace(
        turdsize=max(2, speckle_px),
        turnpolicy=_MINORITY,
        alphamax=alphamax,
        opticurve=int(opttolerance > 0),
        opttolerance=opttolerance,
    )
    return [_contour(curve, 1.0 / factor) for curve in path]


def _bitmap(ink: NDArray[np.bool_]) -> potrace.Bitmap:
    """potracer takes True for paper, as in a PIL image; pypotrace takes 1 for ink."""
    return potrace.Bitmap(~ink if _IS_POTRACER else np.ascontiguousarray(ink).astype(np.uint8))


def enlarge(ink: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Cubic spline enlargement by a whole factor, pixel edges staying where they are.

    The new centres lie at (k + 1/2) / factor - 1/2 of the old grid; scipy's `grid_mode` does just that,
    so that nothing moves by half a pixel.
    """
    if factor == 1:
        return ink
    enlarged: NDArray[np.float32] = ndimage.zoom(ink, factor, order=3, mode="grid-constant", grid_mode=True)
    return enlarged


def _xy(point: Any) -> tuple[float, float]:
    """potracer has points with `x` and `y`, pypotrace pairs."""
    return (point.x, point.y) if _IS_POTRACER else point


def _contour(curve: potrace.Curve, scale: float) -> Contour:
    segments: list[Segment] = []
    for part in curve.segments:
        points = (part.c, part.end_point) if part.is_corner else (part.c1, part.c2, part.end_point)
        scaled = tuple((float(x) * scale, float(y) * scale) for x, y in map(_xy, points))
        segments += [(point,) for point in scaled] if part.is_corner else [scaled]
    return tuple(segments)
