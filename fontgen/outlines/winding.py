"""Winding from nesting: outer contours counter-clockwise, counters clockwise, islands again counter-clockwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Ints
from fontgen.outlines.outline import Contour, reversed_contour, signed_area
from fontgen.outlines.truetype import Bools

_CHORDS = 8  # a curve
_SIDES_ASKED = 8
"""Sides that say whether a contour lies within others, where the first of them finds it wrong: one may just touch."""


def wind_by_nesting(contours: Sequence[Contour]) -> list[Contour]:
    """Turn every contour so that its depth of nesting, not the even-odd rule, says what is ink.

    Contours must not cross each other.
    """
    polygons = [flatten(contour) for contour in contours]
    wound: list[Contour] = []
    for index, contour in enumerate(contours):
        depth = sum(other != index and _contains(polygon, polygons[index][0]) for other, polygon in enumerate(polygons))
        wanted_positive = depth % 2 == 0
        wound.append(contour if (signed_area(contour) > 0) == wanted_positive else reversed_contour(contour))
    return wound


def flatten(contour: Contour, steps: int = 8) -> NDArray[np.float64]:
    """(n, 2) polygon along the contour, `steps` chords a cubic."""
    t = np.arange(1, steps + 1) / steps
    weights = np.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], axis=1)
    parts: list[NDArray[np.float64]] = []
    start = contour[-1][-1]
    for segment in contour:
        points = np.array([start, *segment])
        parts.append(weights @ points if len(segment) == 3 else points[1:])
        start = segment[-1]
    return np.concatenate(parts)


def _contains(polygon: NDArray[np.float64], point: NDArray[np.float64]) -> bool:
    """Whether a ray from `point` to the right crosses the polygon an odd number of times."""
    x, y = point
    x0, y0 = polygon[:, 0], polygon[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    crosses = (y0 > y) != (y1 > y)
    if not crosses.any():
        return False
    at = x0[crosses] + (y - y0[crosses]) / (y1[crosses] - y0[crosses]) * (x1[crosses] - x0[crosses])
    return bool(np.count_nonzero(at > x) % 2)


def turned_wrongly(segments: Complexes, starts: Ints) -> Bools:
    """(contours,) which contours of a glyph do not turn as their nesting asks. They must not cross.

    `segments`: (4, n) start, control points and end of cubics; `starts`: (contours + 1,) where each contour begins.
    """
    t = np.arange(_CHORDS)[:, None] / _CHORDS
    p0, p1, p2, p3 = segments
    curves = (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t * t * p2 + t**3 * p3
    start, end = curves.T.ravel(), np.concatenate([curves[1:], p3[None]]).T.ravel()
    first = starts * _CHORDS
    outer = np.add.reduceat((np.conj(start) * end).imag, first[:-1]) > 0

    def misplaced(sides: Ints, contour: Ints) -> Bools:
        """Whether the middles of some sides lie within others of the glyph where they should not, or the reverse."""
        around = _winding((start[sides] + end[sides]) / 2, start, end, first[:-1])
        around[np.arange(contour.size), contour] = 0
        wrong: Bools = around.sum(axis=1) != np.where(outer[contour], 0, 1)
        return wrong

    wrong = misplaced(first[:-1], np.arange(outer.size))
    for contour in np.flatnonzero(wrong).tolist():
        sides = np.linspace(first[contour], first[contour + 1] - 1, _SIDES_ASKED).astype(np.int64)
        wrong[contour] = misplaced(sides, np.full(sides.size, contour)).mean() > 0.5
    return wrong


def _winding(tests: Complexes, start: Complexes, end: Complexes, first: Ints) -> Ints:
    """(tests, contours) how often each contour winds about each point; its sides begin at `first`."""
    y = tests.imag[:, None]
    up, down = (start.imag <= y) & (end.imag > y), (start.imag > y) & (end.imag <= y)
    along, to = end - start, tests[:, None] - start
    left = along.real * to.imag - along.imag * to.real
    around: Ints = np.add.reduceat((up & (left > 0)).astype(np.int64) - (down & (left < 0)), first, axis=1)
    return around
