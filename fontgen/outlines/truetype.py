"""Contours of lines and quadratic splines as arrays of points, and as the integers that a glyf table holds.

An off-curve point between two others implies an on-curve point half-way between them, as in TrueType.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints

Bools = NDArray[np.bool_]

_LONG = 12  # units between the off-curve points to either side of an on-curve one


@dataclass(frozen=True, eq=False)
class SplineContours:
    """Closed contours in em, wound for PostScript as all outlines are; each begins with an on-curve point."""

    points: Complexes
    """(n,) x + iy."""
    on_curve: Bools
    """(n,)"""
    starts: Ints
    """(contours + 1,) where each contour begins, and n."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SplineContours) and all(
            np.array_equal(mine, theirs)
            for mine, theirs in (
                (self.points, other.points),
                (self.on_curve, other.on_curve),
                (self.starts, other.starts),
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def moved(self, matrix: NDArray[np.float64]) -> SplineContours:
        """Through a (2, 3) affine map of em space."""
        (a, b, tx), (c, d, ty) = matrix.tolist()
        x, y = self.points.real, self.points.imag
        return SplineContours(a * x + b * y + tx + 1j * (c * x + d * y + ty), self.on_curve, self.starts)


@dataclass(frozen=True)
class GlyfPoints:
    """What a simple glyph of a glyf table consists of, wound for TrueType: outer contours clockwise."""

    x: Ints
    y: Ints
    on_curve: Bools
    ends: Ints
    """Number of the last point of each contour."""


def glyf_points(contours: SplineContours, units_per_em: int) -> GlyfPoints:
    """Integer points without duplicates, needless points on straight lines, and on-curve points that go without saying.

    A contour without area vanishes.
    """
    # floor(x + 1/2), as fontTools' otRound: a tie goes the same way on both sides of the origin.
    x = np.floor(contours.points.real * units_per_em + 0.5).astype(np.int64)
    y = np.floor(contours.points.imag * units_per_em + 0.5).astype(np.int64)
    x, y, on_curve, starts = _without_needless(x, y, contours.on_curve, contours.starts)
    if not x.size:
        return GlyfPoints(x, y, on_curve, np.empty(0, np.int64))
    before, after = neighbours(starts)
    implied = goes_without_saying(x, y, on_curve, before, after)
    implied[starts[:-1]] = False
    if implied.any():
        keep = ~implied
        x, y, on_curve = x[keep], y[keep], on_curve[keep]
        starts = np.concatenate([[0], np.cumsum(keep)[starts[1:] - 1]])
    # TrueType fills to the right: the first point stays, the others follow backwards.
    counts = np.diff(starts)
    own = np.repeat(starts[:-1], counts)
    turned = own + (own - np.arange(x.size)) % np.repeat(counts, counts)
    return GlyfPoints(x[turned], y[turned], on_curve[turned], starts[1:] - 1)


def goes_without_saying(x: Ints | Floats, y: Ints | Floats, on_curve: Bools, before: Ints, after: Ints) -> Bools:
    """Which on-curve points are implied by the off-curve points around them.

    Within half a unit of their middle, which is what rounding costs anyway; between short handles it shows.
    """
    off = np.maximum(np.abs(x[before] + x[after] - 2 * x), np.abs(y[before] + y[after] - 2 * y))
    long = np.abs(x[after] - x[before]) + np.abs(y[after] - y[before]) >= _LONG
    implied: Bools = on_curve & ~on_curve[before] & ~on_curve[after] & ((off == 0) | ((off == 1) & long))
    return implied


def neighbours(starts: Ints) -> tuple[Ints, Ints]:
    """For every point the number of the one before it and of the one after it on its contour."""
    number = np.arange(starts[-1])
    before, after = number - 1, number + 1
    before[starts[:-1]] = starts[1:] - 1
    after[starts[1:] - 1] = starts[:-1]
    return before, after


def _without_needless(x: Ints, y: Ints, on_curve: Bools, starts: Ints) -> tuple[Ints, Ints, Bools, Ints]:
    """Drop duplicate points and those that a straight line passes anyway; most contours have none."""
    if not x.size:
        return x, y, on_curve, starts
    before, after = neighbours(starts)
    x0, y0, x1, y1 = x - x[before], y - y[before], x[after] - x, y[after] - y
    doubtful = (x0 * y1 == x1 * y0) & (on_curve[before] | on_curve[after])
    # A curve that leaves a line smoothly has its on-curve point in line with its neighbours, and needs it.
    doubtful &= ~(on_curve & (on_curve[before] != on_curve[after])) | ((x0 == 0) & (y0 == 0)) | ((x1 == 0) & (y1 == 0))
    if not doubtful.any():
        return x, y, on_curve, starts
    touched = np.logical_or.reduceat(doubtful, starts[:-1]).tolist()
    points = list(zip(x.tolist(), y.tolist(), on_curve.tolist(), strict=True))
    kept: list[_Point] = []
    ends: list[int] = []
    for index, (first, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        kept += _cleaned(points[first:end]) if touched[index] else points[first:end]
        if len(kept) > (ends[-1] if ends else 0):
            ends.append(len(kept))
    columns = np.array(kept, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2].astype(bool), np.array([0, *ends], np.int64)


_Point: TypeAlias = tuple[int, int, bool]


def _cleaned(points: list[_Point]) -> list[_Point]:
    """One contour, in runs from on-curve point to on-curve point."""
    runs: list[list[_Point]] = []  # each: off-curve points, then the on-curve point that it ends at
    start = points[0]
    run: list[_Point] = []
    for point in [*points[1:], points[0]]:
        run.append(point)
        if not point[2]:
            continue
        # A handle of no length says nothing; a curve along its own chord is a line.
        off_curve = run[:-1]
        while off_curve and off_curve[0][:2] == start[:2]:
            off_curve = off_curve[1:]
        while off_curve and off_curve[-1][:2] == point[:2]:
            off_curve = off_curve[:-1]
        if all(_between(each, start, point) for each in off_curve):
            off_curve = []
        if off_curve or point[:2] != start[:2]:
            runs.append([*off_curve, point])
        start, run = point, []
    # Twice round, so that the seam is seen too: lines that continue each other become one.
    joined = runs
    for _ in range(2):
        runs, joined = joined, []
        for run in runs:
            if (
                len(run) == 1
                and len(joined) > 1
                and len(joined[-1]) == 1
                and _on(joined[-1][0], joined[-2][-1], run[0])
            ):
                joined.pop()
            joined.append(run)
        joined = joined[-2:] + joined[:-2]
    if len(joined) < 3 and all(len(run) == 1 for run in joined):
        return []
    flat = [point for run in joined for point in run]
    return [flat[-1], *flat[:-1]]


def _on(middle: _Point, first: _Point, last: _Point) -> bool:
    return first[:2] != last[:2] and _between(middle, first, last)


def _between(point: _Point, start: _Point, end: _Point) -> bool:
    """Whether an integer point lies on the straight line from `start` to `end`, ends included."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = point[0] - start[0], point[1] - start[1]
    if dx == 0 == dy:
        return px == 0 == py
    return dx * py == dy * px and 0 <= px * dx + py * dy <= dx * dx + dy * dy
