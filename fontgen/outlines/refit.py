"""From edge points to few lines and curves.

Corners divide a loop into stretches. Straight runs become lines (exactly upright or level where they nearly
are); corners lie where their sides meet; what is left between lines are curves, divided at extrema, tangent
to the lines they join, and halved only where one cubic strays too far.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fontgen.outlines.edge import Floats
from fontgen.outlines.extremes import cubic_at_extremes, spline_at_extremes
from fontgen.outlines.features import Features
from fontgen.outlines.fit import SAMPLES, Stretches, fit_cubics
from fontgen.outlines.lines import find_lines
from fontgen.outlines.pieces import Assembler, Piece, find_bounds
from fontgen.outlines.spline import Spline, fit_splines

_FURTHEST_PX = 0.7  # what lies further off the edge than this is a mistake
_CHORD = 3  # points
_SHORTEST = 6  # points; a shorter curve is not divided
_ROUNDS = 6
_BEYOND = 2.5  # half units: handles that stand out further beyond a curve's ends than rounding makes them

ComplexContour = list[tuple[complex, ...]]


@dataclass
class Refitted:
    """One loop as lines and curves of both kinds, each fitted to the edge, in the coordinates of the features."""

    cubic: ComplexContour
    """(end,) and (control, control, end) segments."""
    points: list[complex]
    """The same with quadratic splines: on-curve and off-curve points, beginning where `cubic` does."""
    on_curve: list[bool]


@dataclass(frozen=True)
class FitLimits:
    tolerance_px: Floats
    """(loops,) how far a curve may stray."""
    snap_degrees: float
    half_unit_px: float
    blunt: bool = False
    """Whether corners stay on the edge, which cuts them short, instead of lying where their sides meet."""


def refit(features: Features, limits: FitLimits) -> list[Refitted]:
    """A contour for each loop."""
    bounds = find_bounds(features)
    tolerance_px = limits.tolerance_px[features.loop]
    runs = find_lines(features, bounds, _LINE_RMS * tolerance_px, limits.snap_degrees, limits.half_unit_px)
    assembler = Assembler(features, bounds, runs, blunt=limits.blunt)
    loops = [
        assembler.loop_pieces(begin, end)
        for begin, end in zip(features.starts[:-1].tolist(), (features.starts[1:] - 1).tolist(), strict=True)
    ]
    curves = [piece for loop in loops for piece in loop if not piece.line]
    curves += [piece for curve in curves for piece in curve.other if not piece.line]
    _fit(features, curves, tolerance_px)
    chosen = [[part for piece in loop for part in piece.chosen()] for loop in loops]
    _measure_lines(features, [piece for loop in chosen for piece in loop if piece.line])
    splines = _splines(features, [piece for loop in chosen for piece in loop if not piece.line], tolerance_px)
    furthest_px = np.maximum(_FURTHEST_PX, 3 * limits.tolerance_px)
    return [
        _refitted(features, pieces, splines, furthest, _BEYOND * limits.half_unit_px)
        for pieces, furthest in zip(chosen, furthest_px.tolist(), strict=True)
    ]


_LINE_RMS = 0.3
"""Of the tolerance: the largest rms distance of a line from its points."""


def _fit(features: Features, curves: list[Piece], tolerance_px: Floats) -> None:
    """Fit all curves at once; halve those that stray too far, and so on."""
    pending = curves
    for left in reversed(range(_ROUNDS)):
        if not pending:
            return
        stretches = stretches_of(pending)
        first, last = stretches.first, stretches.last
        tolerance = tolerance_px[first.astype(np.int64)]
        fitted = fit_cubics(features.points, stretches, tolerance=tolerance)
        astray = fitted.error > tolerance
        columns = (fitted.p1, fitted.p2, fitted.error, astray)
        for curve, *found in zip(pending, *(column.tolist() for column in columns), strict=True):
            curve.p1, curve.p2, curve.off_px, curve.astray = found
        if not left:
            return
        divided = np.flatnonzero(astray & (last - first > _SHORTEST))
        share = np.minimum(0.8, np.maximum(0.2, fitted.worst[divided]))
        whole = np.floor(first[divided])
        at = np.rint(first[divided] - whole + (last - first)[divided] * share).astype(np.int64) + whole.astype(np.int64)
        halved, pending = [pending[k] for k in divided.tolist()], []
        for curve, place, z, direction in zip(
            halved, at.tolist(), features.smooth[at].tolist(), features.tangent[at].tolist(), strict=True
        ):
            curve.parts = [
                Piece(curve.p0, z, False, curve.first, float(place), curve.t0, direction),
                Piece(z, curve.p3, False, float(place), curve.last, direction, curve.t3),
            ]
            pending += curve.parts
            curve.astray = False


def stretches_of(curves: list[Piece]) -> Stretches:
    first, last, p0, p3, t0, t3 = zip(*((c.first, c.last, c.p0, c.p3, c.t0, c.t3) for c in curves), strict=True)
    return Stretches(*map(np.array, (first, last, p0, p3, t0, t3)))


def _splines(features: Features, curves: list[Piece], tolerance_px: Floats) -> dict[int, Spline]:
    """A quadratic spline for each curve, by the identity of the piece.

    Where the largest spline strays too far, the parts that the cubics are made of have one each.
    """
    fitted: dict[int, Spline] = {}
    pending = curves
    while pending:
        for curve in pending:
            # Directions that were not given are those that the edge itself told the cubics.
            leaves = curve.parts_fitted()
            if curve.t0 != curve.t0:
                curve.t0 = _direction(leaves[0].p1 - leaves[0].p0, leaves[0])
            if curve.t3 != curve.t3:
                curve.t3 = _direction(leaves[-1].p3 - leaves[-1].p2, leaves[-1])
        stretches = stretches_of(pending)
        tolerance = tolerance_px[stretches.first.astype(np.int64)]
        divided: list[Piece] = []
        for curve, spline, allowed in zip(
            pending, fit_splines(features.points, stretches, tolerance=tolerance), tolerance.tolist(), strict=True
        ):
            if spline.error > allowed and curve.parts:
                divided += curve.parts_fitted()
            else:
                fitted[id(curve)] = spline
        pending = divided
    return fitted


def _direction(handle: complex, curve: Piece) -> complex:
    along = handle if abs(handle) > 1e-9 else curve.p3 - curve.p0
    return along / max(abs(along), 1e-12)


def _refitted(
    features: Features, pieces: Iterable[Piece], splines: dict[int, Spline], furthest_px: float, least_px: float
) -> Refitted:
    """The segments of a loop, with points at extremes; a piece that lies off the edge gives way to chords along it."""

    def chords(piece: Piece) -> list[complex]:
        begin, end = piece.reach if piece.line else (piece.first, piece.last)
        inner: list[complex] = features.smooth[int(begin) + _CHORD : int(end) - 1 : _CHORD].tolist()
        return [*inner, piece.p3]

    result = Refitted([], [], [])

    def add(points: list[complex], on_curve: list[bool] | None = None) -> None:
        result.points += points
        result.on_curve += on_curve or [True] * len(points)

    def add_spline(piece: Piece) -> None:
        spline = splines.get(id(piece))
        if spline is None:
            for part in piece.parts:
                add_spline(part)
        elif spline.error > furthest_px:
            add(chords(piece))
        else:
            add(*spline_at_extremes(piece.p0, list(spline.off_curve), piece.p3, least_px))

    for piece in pieces:
        if piece.line:
            corners = chords(piece) if piece.off_px > furthest_px else [piece.p3]
            result.cubic += [(z,) for z in corners]
            add(corners)
            continue
        for leaf in piece.parts_fitted():
            if leaf.off_px > furthest_px:
                result.cubic += [(z,) for z in chords(leaf)]
            else:
                result.cubic += cubic_at_extremes(leaf.p0, leaf.p1, leaf.p2, leaf.p3, least_px)
        add_spline(piece)
    return result


def _measure_lines(features: Features, lines: list[Piece]) -> None:
    """Lines were prolonged to their corners on trust; see whether the edge went there too."""
    if not lines:
        return
    p0, p3 = (np.array([getattr(line, name) for line in lines]) for name in ("p0", "p3"))
    first, last = np.array([line.reach for line in lines]).T
    share = np.linspace(0.0, 1.0, SAMPLES)
    inset = np.minimum(features.cut[first.astype(np.int64)], (last - first) / 4)
    at = np.rint((first + inset)[:, None] + (last - first - 2 * inset)[:, None] * share).astype(np.int64)
    along = (p3 - p0) / np.maximum(np.abs(p3 - p0), 1e-9)
    away = ((features.points[at] - p0[:, None]) * np.conj(along)[:, None]).imag
    for line, distance in zip(lines, np.abs(away).max(axis=1).tolist(), strict=True):
        line.off_px = distance if line.reach[1] > line.reach[0] else 0.0
