"""From edge points to few lines and cubics.

Corners divide a loop into stretches. Straight runs become lines (exactly upright or level where they nearly
are); corners lie where their sides meet; what is left between lines are curves, divided at extrema, tangent
to the lines they join, and halved only where one cubic strays too far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fontgen.outlines.features import Features
from fontgen.outlines.fit import SAMPLES, fit_cubics
from fontgen.outlines.lines import find_lines
from fontgen.outlines.pieces import Piece, find_bounds, find_extrema, loop_pieces

_FURTHEST_PX = 0.7  # what lies further off the edge than this is a mistake
_CHORD = 3  # points
_SHORTEST = 6  # points; a shorter curve is not divided
_ROUNDS = 6

ComplexContour = list[tuple[complex, ...]]


@dataclass(frozen=True)
class FitLimits:
    tolerance_px: float
    line_rms_px: float
    snap_degrees: float
    half_unit_px: float


def refit(features: Features, limits: FitLimits) -> list[ComplexContour]:
    """Contours of (end,) and (control, control, end) segments, in the coordinates of the features."""
    bounds = find_bounds(features)
    runs = find_lines(features, bounds, limits.line_rms_px, limits.snap_degrees, limits.half_unit_px)
    extrema = find_extrema(features)
    loops: list[list[Piece]] = []
    at = 0
    for begin, end in zip(features.starts[:-1].tolist(), (features.starts[1:] - 1).tolist(), strict=True):
        nodes = [b for b in bounds if begin <= b <= end]
        mine = []
        while at < len(runs) and runs[at].last <= end:
            mine.append(runs[at])
            at += 1
        loops.append(loop_pieces(features, nodes, mine, extrema))
    curves = [piece for loop in loops for piece in loop if not piece.line]
    curves += [piece for curve in curves for piece in curve.other if not piece.line]
    furthest_px = max(_FURTHEST_PX, 3 * limits.tolerance_px)
    _fit(features, curves, limits.tolerance_px)
    return _contours(features, loops, furthest_px)


def _fit(features: Features, curves: list[Piece], tolerance_px: float) -> None:
    """Fit all curves at once; halve those that stray too far, and so on."""
    pending = curves
    for left in reversed(range(_ROUNDS)):
        if not pending:
            return
        p0, p3, t0, t3 = (np.array([getattr(c, name) for c in pending]) for name in ("p0", "p3", "t0", "t3"))
        first, last = (np.array([getattr(c, name) for c in pending]) for name in ("first", "last"))
        fitted = fit_cubics(features.points, first, last, p0, p3, t0, t3, tolerance=tolerance_px)
        following: list[Piece] = []
        for k, curve in enumerate(pending):
            curve.p1, curve.p2 = complex(fitted.p1[k]), complex(fitted.p2[k])
            length = curve.last - curve.first
            curve.astray = bool(fitted.error[k] > tolerance_px)
            curve.off_px = float(fitted.error[k])
            if left and curve.astray and length > _SHORTEST:
                at = round(curve.first + length * min(0.8, max(0.2, float(fitted.worst[k]))))
                z, direction = complex(features.smooth[at]), complex(features.tangent[at])
                curve.parts = [
                    Piece(curve.p0, z, False, curve.first, float(at), curve.t0, direction),
                    Piece(z, curve.p3, False, float(at), curve.last, direction, curve.t3),
                ]
                following += curve.parts
                curve.astray = False
        pending = following


def _contours(features: Features, loops: list[list[Piece]], furthest_px: float) -> list[ComplexContour]:
    """The segments of every loop; a piece that lies off the edge gives way to chords along it."""
    chosen = [[leaf for piece in loop for leaf in piece.leaves()] for loop in loops]
    _measure_lines(features, [leaf for loop in chosen for leaf in loop if leaf.line])
    contours: list[ComplexContour] = []
    for loop in chosen:
        contour: ComplexContour = []
        for leaf in loop:
            off = leaf.off_px > furthest_px
            if off:
                begin, end = leaf.reach if leaf.line else (leaf.first, leaf.last)
                inner = range(int(begin) + _CHORD, int(end) - 1, _CHORD)
                contour += [(z,) for z in features.smooth[inner].tolist()]
            contour.append((leaf.p3,) if leaf.line or off else (leaf.p1, leaf.p2, leaf.p3))
        contours.append(contour)
    return contours


def _measure_lines(features: Features, lines: list[Piece]) -> None:
    """Lines were prolonged to their corners on trust; see whether the edge went there too."""
    if not lines:
        return
    p0, p3 = (np.array([getattr(line, name) for line in lines]) for name in ("p0", "p3"))
    first, last = np.array([line.reach for line in lines]).T
    share = np.linspace(0.0, 1.0, SAMPLES)
    inset = np.minimum(features.corner_cut, (last - first) / 4)
    at = np.rint((first + inset)[:, None] + (last - first - 2 * inset)[:, None] * share).astype(np.int64)
    along = (p3 - p0) / np.maximum(np.abs(p3 - p0), 1e-9)
    away = ((features.points[at] - p0[:, None]) * np.conj(along)[:, None]).imag
    for line, distance in zip(lines, np.abs(away).max(axis=1).tolist(), strict=True):
        line.off_px = distance if line.reach[1] > line.reach[0] else 0.0
