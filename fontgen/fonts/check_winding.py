"""Winding from nesting: does the non-zero rule fill what the contours mean?

TrueType fills to the right of the direction of travel (outer contours clockwise), PostScript to the left.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Fault = Literal["reversed", "filled"]
"""A contour that turns the wrong way where nothing is around it; a counter that turns like its surroundings."""

_STEPS = 8
"""Chords a segment."""

_ALONG = (0.0, 0.25, 0.5, 0.75)
"""Where sides are tested for what is around them: a bar between two stems has all its corners inside them."""

_SIDES_ASKED = 8
"""Sides of a contour that say whether it lies within others: all of them where it does, but for touching points."""

_ON_CURVE, _CUBIC = 1, 2
_MIN_AREA_EM2 = 1e-5
"""Smaller contours (3 by 3 units of 1000) are specks whose rounded direction means nothing."""


def winding_fault(
    points: NDArray[np.float64], tags: NDArray[np.uint8], ends: NDArray[np.int64], *, clockwise: bool, units_per_em: int
) -> Fault | None:
    """What is wrong with the winding of one outline, None when nothing is.

    `points` (n, 2) in font units with FreeType's point `tags` (bit 0 on-curve, bit 1 cubic), `ends` (m,) the
    last point of each contour. `clockwise`: outer contours turn clockwise (TrueType). Contours that merely
    overlap are no fault.
    """
    if not len(ends):
        return None
    # The control polygon settles nearly every glyph; only doubtful ones are worth their true curves.
    if _fault(points, ends, clockwise=clockwise, least_area=_MIN_AREA_EM2 * units_per_em**2) is None:
        return None
    curves, curve_ends = flatten(points, tags, ends)
    return _fault(curves, curve_ends, clockwise=clockwise, least_area=_MIN_AREA_EM2 * units_per_em**2)


def _fault(points: NDArray[np.float64], ends: NDArray[np.int64], *, clockwise: bool, least_area: float) -> Fault | None:
    starts = np.concatenate([[0], ends[:-1] + 1])
    following = _following(len(points), ends)
    x0, y0 = points[:, 0], points[:, 1]
    x1, y1 = x0[following], y0[following]
    areas = np.add.reduceat(x0 * y1 - x1 * y0, starts) / 2 * (-1 if clockwise else 1)
    solid = np.abs(areas) >= least_area
    if len(ends) == 1:
        return "reversed" if solid[0] and areas[0] < 0 else None
    around = _winding_around(points[starts], x0, y0, x1, y1, starts) * (-1 if clockwise else 1)

    def depths(contour: int, most_sides: int | None = None) -> NDArray[np.int64]:
        """How deep each tested point along a contour lies in the others, on all its sides or some."""
        count = int(ends[contour] + 1 - starts[contour])
        own = slice(starts[contour], ends[contour] + 1, 1 if most_sides is None else -(-count // most_sides))
        along = [points[own] * (1 - t) + points[following[own]] * t for t in _ALONG]
        tests = np.concatenate(along)
        return _winding_around(tests, x0, y0, x1, y1, starts, skip=int(contour)) * (-1 if clockwise else 1)

    # One point may lie on its neighbour, where a counter touches the edge around it: most must agree.
    if any(
        (depths(c, _SIDES_ASKED) <= 0).mean() > 0.5
        for c in np.flatnonzero(solid & (areas < 0) & (around <= 0)).tolist()
    ):
        return "reversed"
    if any((depths(c) > 0).all() for c in np.flatnonzero(solid & (areas > 0) & (around > 0)).tolist()):
        return "filled"
    return None


def _winding_around(
    tests: NDArray[np.float64],
    x0: NDArray[np.float64],
    y0: NDArray[np.float64],
    x1: NDArray[np.float64],
    y1: NDArray[np.float64],
    starts: NDArray[np.int64],
    skip: int | None = None,
) -> NDArray[np.int64]:
    """Winding number of all other contours at each test point (contour `i` is left out of test `i`, or `skip`)."""
    tx, ty = tests[:, 0, None], tests[:, 1, None]
    up, down = (y0 <= ty) & (y1 > ty), (y0 > ty) & (y1 <= ty)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x0 + (ty - y0) * (x1 - x0) / (y1 - y0)
    crossing = (up.astype(np.int64) - down) * (at > tx)
    by_contour = np.add.reduceat(crossing, starts, axis=1)
    if skip is None:
        np.fill_diagonal(by_contour, 0)
    else:
        by_contour[:, skip] = 0
    total: NDArray[np.int64] = by_contour.sum(axis=1)
    return total


def flatten(
    points: NDArray[np.float64], tags: NDArray[np.uint8], ends: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Polygons along the true curves, `_STEPS` chords a segment; same form as the outline's points and ends."""
    points, on_curve, ends = _with_implied_points(points, tags, ends)
    following = _following(len(points), ends)
    starts = np.flatnonzero(on_curve)
    first = following[starts]
    second = np.where(on_curve[first], first, following[first])
    third = np.where(on_curve[second], second, following[second])
    start, end = points[starts], points[third]
    # Every segment as a cubic: a line, a raised quadratic, or what it is.
    control = np.where((first == third)[:, None], start, points[first])
    other = np.where((first == third)[:, None], end, points[second])
    is_quadratic = ((first != third) & (second == third))[:, None]
    control, other = (
        np.where(is_quadratic, start + (control - start) * 2 / 3, control),
        np.where(is_quadratic, end + (control - end) * 2 / 3, other),
    )
    t = np.arange(_STEPS)[None, :, None] / _STEPS
    u = 1 - t
    curves = u**3 * start[:, None] + 3 * u**2 * t * control[:, None] + 3 * u * t**2 * other[:, None]
    curves = curves + t**3 * end[:, None]
    counts = np.add.reduceat(on_curve.astype(np.int64), np.concatenate([[0], ends[:-1] + 1]))
    return curves.reshape(-1, 2), np.cumsum(counts * _STEPS) - 1


def _with_implied_points(
    points: NDArray[np.float64], tags: NDArray[np.uint8], ends: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Put the on-curve points in place that TrueType implies between two off-curve ones."""
    off = tags & (_ON_CURVE | _CUBIC) == 0
    before = np.empty(len(points), dtype=np.int64)
    before[_following(len(points), ends)] = np.arange(len(points))
    implied = np.flatnonzero(off & off[before])
    middles = (points[implied] + points[before[implied]]) / 2
    full = np.insert(points, implied, middles, axis=0)
    on_curve = np.insert(tags & _ON_CURVE == _ON_CURVE, implied, True)
    return full, on_curve, ends + np.searchsorted(implied, ends, side="right")


def _following(count: int, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the next point on the same closed contour."""
    following = np.arange(1, count + 1)
    following[ends] = np.concatenate([[0], ends[:-1] + 1])
    return following
