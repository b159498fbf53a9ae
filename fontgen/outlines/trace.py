"""A grey glyph image becomes an outline in em."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import DEFAULT_UNITS_PER_EM, Canvas
from fontgen.errors import ImageError
from fontgen.outlines.edge import Complexes, Ints, Loops, edge_loops, enclosed_areas, joined, pixel_loops
from fontgen.outlines.features import find_features
from fontgen.outlines.noise import STEP_PX, settle
from fontgen.outlines.outline import Contour, Outline
from fontgen.outlines.refit import FitLimits, Refitted, refit
from fontgen.outlines.settings import PRESETS, TraceSettings
from fontgen.outlines.truetype import SplineContours
from fontgen.outlines.untangle import Grid, untangled
from fontgen.outlines.winding import wind_by_nesting

_SPECKLE_PX2 = 2.0
_FINEST_PX = 0.1  # what the edge of a perfect image can be trusted to


def trace_ink(
    ink8: NDArray[np.uint8],
    canvas: Canvas,
    settings: TraceSettings | None = None,
    *,
    units_per_em: int = DEFAULT_UNITS_PER_EM,
) -> Outline:
    """Trace (row, col) uint8 ink, 255 = ink, on `canvas`. Polarity is taken as given, never guessed.

    The edge is where the coverage is one half. Ink that touches the border of the image is closed along
    it. Returns an empty outline when nothing but specks is there. No contour crosses another or itself, or turns
    the wrong way, once its coordinates are integers of a font with `units_per_em`.

    Raises ImageError when the image is not of the canvas's size.
    """
    return trace_inks([ink8], canvas, settings, units_per_em=units_per_em)[0]


def trace_inks(
    inks: Sequence[NDArray[np.uint8]],
    canvas: Canvas,
    settings: TraceSettings | None = None,
    *,
    units_per_em: int = DEFAULT_UNITS_PER_EM,
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
        return [_stepped(ink8, canvas, smallest_px2) for ink8 in inks]
    grid = Grid(canvas, units_per_em)
    loops = joined([edge_loops(ink8, step_px=STEP_PX, smallest_px2=smallest_px2) for ink8 in inks])
    outlines = [Outline()] * len(inks)
    if loops.glyph.size:
        glyph, fitted, faulty = _fitted(loops, grid, settings)
        for index in np.unique(glyph).tolist():
            first, end = np.searchsorted(glyph, (index, index + 1)).tolist()
            outlines[index] = _outline(fitted[first:end], grid)
        for index in faulty.tolist():
            outlines[index] = _stepped(inks[index], canvas, smallest_px2)
    return outlines


def _stepped(ink8: NDArray[np.uint8], canvas: Canvas, smallest_px2: float) -> Outline:
    """The borders of the pixels. Upright and level lines cannot come to cross on any grid of integers."""
    loops = pixel_loops(ink8, smallest_px2=smallest_px2)
    return Outline(tuple(_contour([(z,) for z in loop.tolist()], canvas) for loop in loops))


def _potraced(ink8: NDArray[np.uint8], canvas: Canvas, settings: TraceSettings) -> Outline:
    from fontgen.outlines.potrace_backend import potrace_contours

    if int(ink8.max(initial=0)) < 128:
        return Outline()
    contours = potrace_contours(ink8.astype(np.float32) / np.float32(255), settings, px_per_em=canvas.px_per_em)
    return Outline(tuple(wind_by_nesting([_to_em(contour, canvas) for contour in contours])))


def _fitted(loops: Loops, grid: Grid, settings: TraceSettings) -> tuple[Ints, list[Refitted], Ints]:
    """The image that each contour comes from, a contour for each loop, and images whose contours are faulty still."""
    px_per_em = grid.canvas.px_per_em
    preset = PRESETS[settings.genre]
    radius_em = preset.corner_radius_em if settings.corner_radius_em is None else settings.corner_radius_em
    tolerance_em = preset.tolerance_em if settings.tolerance_em is None else settings.tolerance_em
    windows = settle(loops)
    features = find_features(windows, corner_radius_px=radius_em * px_per_em, corner_ease=preset.corner_ease)
    # A rough edge says less than the tolerance asked for: ten times its tremble is what strokes wobble by.
    limits = FitLimits(
        tolerance_px=np.maximum(tolerance_em * px_per_em, _FINEST_PX + 10 * windows.loops.noise_px),
        snap_degrees=settings.snap_degrees,
        half_unit_px=0.0005 * px_per_em,
    )

    def closer(faulty: Ints) -> list[Refitted]:
        chosen = np.isin(np.arange(glyph.size), faulty)
        tolerance_px = _CLOSER * limits.tolerance_px[chosen]
        return refit(features.only(chosen), replace(limits, tolerance_px=tolerance_px, blunt=True))

    def settled(faulty: Ints) -> list[Refitted]:
        return [_polygon(features.points[features.starts[k] : features.starts[k + 1] - 1 : 2]) for k in faulty.tolist()]

    def unsettled(faulty: Ints) -> list[Refitted]:
        return [_polygon(loops.points[loops.starts[k] : loops.starts[k + 1]]) for k in faulty.tolist()]

    glyph, areas_px2 = features.glyph, enclosed_areas(features.points, features.starts)
    fitted = refit(features, limits)
    faulty = untangled(fitted, glyph, areas_px2, grid)
    # Closer to the edge, with corners on it; the smoothed edge; in the end all edges of the glyph as they were found.
    for remedy in (closer, settled, unsettled):
        if not faulty.size:
            break
        doubtful = np.unique(glyph[faulty])
        if remedy is unsettled:
            faulty = np.flatnonzero(np.isin(glyph, doubtful))
        for index, contour in zip(faulty.tolist(), remedy(faulty), strict=True):
            fitted[index] = contour
        faulty = untangled(fitted, glyph, areas_px2, grid, doubtful)
    return glyph, fitted, np.unique(glyph[faulty])


_CLOSER = 0.4
"""Of the tolerance: what is left to contours that came to cross."""


def _polygon(loop: Complexes) -> Refitted:
    points = loop.tolist()
    return Refitted([(z,) for z in points], points, [True] * len(points))


def _outline(contours: Sequence[Refitted], grid: Grid) -> Outline:
    """From edge coordinates (y up, pixels) to em."""
    flat = [z for contour in contours for segment in contour.cubic for z in segment]
    splines = [z for contour in contours for z in contour.points]
    em = grid.em(np.array([*flat, *splines]))
    pairs = iter(zip(em.real[: len(flat)].tolist(), em.imag[: len(flat)].tolist(), strict=True))
    cubics = tuple(tuple(tuple(islice(pairs, len(segment))) for segment in contour.cubic) for contour in contours)
    # Splines end where they begin; arrays begin there.
    starts = np.cumsum([0, *(len(contour.points) for contour in contours)])
    order = np.arange(len(splines)) - 1
    order[starts[:-1]] = starts[1:] - 1
    on_curve = np.array([on for contour in contours for on in contour.on_curve], bool)
    return Outline(cubics, SplineContours(em[len(flat) :][order], on_curve[order], starts))


def _contour(segments: Sequence[tuple[complex, ...]], canvas: Canvas) -> Contour:
    """From edge coordinates (y up, pixels) to em."""
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * z.real + x0, -yy * z.imag + y0) for z in segment) for segment in segments)


def _to_em(contour: Contour, canvas: Canvas) -> Contour:
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em.tolist()
    return tuple(tuple((xx * col + x0, yy * row + y0) for col, row in segment) for segment in contour)
