"""A grey glyph image becomes an outline in em."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.outlines.edge import Complexes, Ints, Loops, edge_loops, enclosed_areas, joined, pixel_loops
from fontgen.outlines.features import Features, find_features
from fontgen.outlines.noise import STEP_PX, settle
from fontgen.outlines.outline import Contour, Outline
from fontgen.outlines.refit import FitLimits, Refitted, cubic_area, refit, spline_area
from fontgen.outlines.settings import PRESETS, TraceSettings
from fontgen.outlines.truetype import SplineContours
from fontgen.outlines.untangle import untangled
from fontgen.outlines.winding import wind_by_nesting

_SPECKLE_PX2 = 2.0
_UNITS_PER_EM = 1000  # the coarsest grid that fonts with curves of either kind are drawn on
_FINEST_PX = 0.1  # what the edge of a perfect image can be trusted to


def trace_ink(ink8: NDArray[np.uint8], canvas: Canvas, settings: TraceSettings | None = None) -> Outline:
    """Trace (row, col) uint8 ink, 255 = ink, on `canvas`. Polarity is taken as given, never guessed.

    The edge is where the coverage is one half. Ink that touches the border of the image is closed along
    it. Returns an empty outline when nothing but specks is there.

    Raises ImageError when the image is not of the canvas's size.
    """
    return trace_inks([ink8], canvas, settings)[0]


def trace_inks(
    inks: Sequence[NDArray[np.uint8]], canvas: Canvas, settings: TraceSettings | None = None
) -> list[Outline]:
    """Trace several images at once: the same outlines, in less time. Raises ImageError as `trace_ink` does."""
    settings = settings or TraceSettings()
    if not inks:
        return []
    for ink8 in inks:
        if ink8.shape != (canvas.size_px, canvas.size_px) or ink8.dtype != np.uint8:
            raise ImageError(
                f"image of {ink8.shape} {ink8.dtype} where ({canvas.size_px}, {canvas.size_px}) uint8 is needed; "
                "render it on the same canvas"
            )
    if settings.method == "potrace":
        return [_potraced(ink8, canvas, settings) for ink8 in inks]
    smallest_px2 = max(_SPECKLE_PX2, settings.speckle_em2 * canvas.px_per_em**2)
    if settings.genre == "pixel":
        return [
            Outline(
                tuple(
                    _contour([(z,) for z in loop.tolist()], canvas)
                    for loop in pixel_loops(ink8, smallest_px2=smallest_px2)
                )
            )
            for ink8 in inks
        ]
    loops = joined([edge_loops(ink8, step_px=STEP_PX, smallest_px2=smallest_px2) for ink8 in inks])
    outlines = [Outline()] * len(inks)
    if loops.glyph.size:
        glyph, fitted = _fitted(loops, canvas, settings)
        for index in np.unique(glyph).tolist():
            first, end = np.searchsorted(glyph, (index, index + 1)).tolist()
            outlines[index] = _outline(fitted[first:end], canvas)
    return outlines


def _potraced(ink8: NDArray[np.uint8], canvas: Canvas, settings: TraceSettings) -> Outline:
    from fontgen.outlines.potrace_backend import potrace_contours

    if int(ink8.max(initial=0)) < 128:
        return Outline()
    contours = potrace_contours(ink8.astype(np.float32) / np.float32(255), settings, px_per_em=canvas.px_per_em)
    return Outline(tuple(wind_by_nesting([_to_em(contour, canvas) for contour in contours])))


def _fitted(loops: Loops, canvas: Canvas, settings: TraceSettings) -> tuple[Ints, list[Refitted]]:
    """A contour for each loop, and which image it comes from."""
    px_per_em = canvas.px_per_em
    preset = PRESETS[settings.genre]
    radius_em = preset.corner_radius_em if settings.corner_radius_em is None else settings.corner_radius_em
    windows = settle(loops)
    features = find_features(windows, corner_radius_px=radius_em * px_per_em, corner_ease=preset.corner_ease)
    # A rough edge says less than the tolerance asked for: ten times its tremble is what strokes wobble by.
    limits = FitLimits(
        tolerance_px=np.maximum(settings.tolerance_em * px_per_em, _FINEST_PX + 10 * windows.loops.noise_px),
        snap_degrees=settings.snap_degrees,
        half_unit_px=0.0005 * px_per_em,
    )
    fitted = refit(features, limits)
    _mend_twists(fitted, features)

    def grid(z: Complexes) -> Complexes:
        em = _on_grid(z, canvas)
        units: Complexes = np.floor(em.real * _UNITS_PER_EM + 0.5) + 1j * np.floor(em.imag * _UNITS_PER_EM + 0.5)
        return units

    crossing = untangled(fitted, features.glyph, grid)
    if crossing.size:
        # Closer to the edge, with corners on it; in the end the edge itself.
        chosen = np.isin(np.arange(features.glyph.size), crossing)
        some = features.only(chosen)
        again = refit(some, replace(limits, tolerance_px=_CLOSER * limits.tolerance_px[chosen], blunt=True))
        _mend_twists(again, some)
        for index, contour in zip(crossing.tolist(), again, strict=True):
            fitted[index] = contour
        for index in untangled(fitted, features.glyph, grid).tolist():
            fitted[index] = _polygon(features, index)
    return features.glyph, fitted


_CLOSER = 0.4
"""Of the tolerance: what is left to contours that came to cross."""


def _mend_twists(fitted: list[Refitted], features: Features) -> None:
    """Contours that do not enclose what their loops do give way to the loops."""
    areas_px2 = enclosed_areas(features.points, features.starts).tolist()
    for index, (contour, area_px2) in enumerate(zip(fitted, areas_px2, strict=True)):
        if not (_alike(cubic_area(contour.cubic), area_px2) and _alike(spline_area(contour), area_px2)):
            fitted[index] = _polygon(features, index)


def _polygon(features: Features, index: int) -> Refitted:
    """Every other point of a loop."""
    points = features.points[features.starts[index] : features.starts[index + 1] - 1 : 2].tolist()
    return Refitted([(z,) for z in points], points, [True] * len(points))


def _alike(area: float, true: float) -> bool:
    """Whether a fitted contour encloses what its loop does (px squared); a twist would turn ink into paper."""
    return abs(area - true) <= 0.1 * abs(true) + 2.0 and area * true > 0


_GRID = 1e5
"""Places to the em: coordinates are rounded to a hundredth of a unit, so that an SVG file states them exactly."""


def _outline(contours: Sequence[Refitted], canvas: Canvas) -> Outline:
    """From edge coordinates (y up, pixels) to em."""
    flat = [z for contour in contours for segment in contour.cubic for z in segment]
    splines = [z for contour in contours for z in contour.points]
    em = _on_grid(np.array([*flat, *splines]), canvas)
    pairs = iter(zip(em.real[: len(flat)].tolist(), em.imag[: len(flat)].tolist(), strict=True))
    cubics = tuple(tuple(tuple(islice(pairs, len(segment))) for segment in contour.cubic) for contour in contours)
    # Splines end where they begin; arrays begin there.
    starts = np.cumsum([0, *(len(contour.points) for contour in contours)])
    order = np.arange(len(splines)) - 1
    order[starts[:-1]] = starts[1:] - 1
    on_curve = np.array([on for contour in contours for on in contour.on_curve], bool)
    return Outline(cubics, SplineContours(em[len(flat) :][order], on_curve[order], starts))


def _on_grid(z: Complexes, canvas: Canvas) -> Complexes:
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    em = np.empty_like(z)
    em.real = np.rint((xx * z.real + x0) * _GRID) / _GRID
    em.imag = np.rint((y0 - yy * z.imag) * _GRID) / _GRID
    return em


def _contour(segments: Sequence[tuple[complex, ...]], canvas: Canvas) -> Contour:
    """From edge coordinates (y up, pixels) to em."""
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * z.real + x0, -yy * z.imag + y0) for z in segment) for segment in segments)


def _to_em(contour: Contour, canvas: Canvas) -> Contour:
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * col + x0, yy * row + y0) for col, row in segment) for segment in contour)
