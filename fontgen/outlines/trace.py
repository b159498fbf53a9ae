"""A grey glyph image becomes an outline in em."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.outlines.edge import edge_loops
from fontgen.outlines.features import find_features
from fontgen.outlines.noise import STEP_PX, settle
from fontgen.outlines.outline import Contour, Outline
from fontgen.outlines.refit import FitLimits, refit
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
    if settings.method == "potrace":
        from fontgen.outlines.potrace_backend import potrace_contours

        contours = potrace_contours(ink8.astype(np.float32) / np.float32(255), settings, px_per_em=canvas.px_per_em)
        return Outline(tuple(wind_by_nesting([_to_em(contour, canvas) for contour in contours])))
    return Outline(tuple(_fitted(ink8, canvas, settings)))


def _fitted(ink8: NDArray[np.uint8], canvas: Canvas, settings: TraceSettings) -> list[Contour]:
    px_per_em = canvas.px_per_em
    loops = edge_loops(
        ink8, step_px=STEP_PX, smallest_px2=max(_SPECKLE_PX2, settings.speckle_em2 * px_per_em * px_per_em)
    )
    if loops.starts.size < 2:
        return []
    radius_em = settings.corner_radius_em if settings.corner_radius_em is not None else 0.0
    features = find_features(settle(loops), corner_radius_px=radius_em * px_per_em)
    tolerance_px = max(settings.tolerance_em * px_per_em, 0.1 + 10 * features.noise_px)
    limits = FitLimits(
        tolerance_px=tolerance_px,
        line_rms_px=0.3 * tolerance_px,
        snap_degrees=settings.snap_degrees,
        half_unit_px=0.0005 * px_per_em,
    )
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return [
        tuple(tuple((xx * z.real + x0, -yy * z.imag + y0) for z in segment) for segment in contour)
        for contour in refit(features, limits)
    ]


def _to_em(contour: Contour, canvas: Canvas) -> Contour:
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * col + x0, yy * row + y0) for col, row in segment) for segment in contour)
