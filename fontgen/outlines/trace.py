"""A grey glyph image becomes an outline in em."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.outlines.edge import edge_loops, enclosed_areas, pixel_loops
from fontgen.outlines.features import find_features
from fontgen.outlines.noise import STEP_PX, settle
from fontgen.outlines.outline import Contour, Outline, signed_area
from fontgen.outlines.refit import FitLimits, refit
from fontgen.outlines.settings import PRESETS, TraceSettings
from fontgen.outlines.winding import wind_by_nesting

_SPECKLE_PX2 = 2.0
_FINEST_PX = 0.1  # what the edge of a perfect image can be trusted to


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
    smallest_px2 = max(_SPECKLE_PX2, settings.speckle_em2 * px_per_em * px_per_em)
    if settings.genre == "pixel":
        return [
            _contour([(z,) for z in loop.tolist()], canvas) for loop in pixel_loops(ink8, smallest_px2=smallest_px2)
        ]
    loops = edge_loops(ink8, step_px=STEP_PX, smallest_px2=smallest_px2)
    if loops.starts.size < 2:
        return []
    preset = PRESETS[settings.genre]
    radius_em = preset.corner_radius_em if settings.corner_radius_em is None else settings.corner_radius_em
    features = find_features(settle(loops), corner_radius_px=radius_em * px_per_em, corner_ease=preset.corner_ease)
    # A rough edge says less than the tolerance asked for: ten times its tremble is what strokes wobble by.
    tolerance_px = max(settings.tolerance_em * px_per_em, _FINEST_PX + 10 * features.noise_px)
    limits = FitLimits(
        tolerance_px=tolerance_px,
        line_rms_px=0.3 * tolerance_px,
        snap_degrees=settings.snap_degrees,
        half_unit_px=0.0005 * px_per_em,
    )
    areas_em2 = enclosed_areas(features.points, features.starts) / px_per_em**2
    contours: list[Contour] = []
    for index, (fitted, area_em2) in enumerate(zip(refit(features, limits), areas_em2.tolist(), strict=True)):
        contour = _contour(fitted, canvas)
        if not contour or not _alike(signed_area(contour), area_em2, px_per_em):
            points = features.points[features.starts[index] : features.starts[index + 1] - 1]
            contour = _contour([(z,) for z in points.tolist()], canvas)
        contours.append(contour)
    return contours


def _alike(area_em2: float, true_em2: float, px_per_em: float) -> bool:
    """Whether a fitted contour encloses what its loop does; a twist would turn ink into paper."""
    return abs(area_em2 - true_em2) <= 0.1 * abs(true_em2) + 2.0 / px_per_em**2 and area_em2 * true_em2 > 0


def _contour(segments: Sequence[tuple[complex, ...]], canvas: Canvas) -> Contour:
    """From edge coordinates (y up, pixels) to em."""
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * z.real + x0, -yy * z.imag + y0) for z in segment) for segment in segments)


def _to_em(contour: Contour, canvas: Canvas) -> Contour:
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * col + x0, yy * row + y0) for col, row in segment) for segment in contour)
