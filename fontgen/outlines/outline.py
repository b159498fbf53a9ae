"""Closed contours of lines and cubics in em space, and their way into pens.

Em space as everywhere: 1.0 is the font's units per em, y up. Winding is PostScript's: ink lies to the
left of the direction of travel, so outer contours run counter-clockwise and counters clockwise.
TrueType's contours come out turned round, since it fills to the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import hypot
from typing import Any, Protocol, TypeAlias

import numpy as np

from fontgen.canvas import Placement
from fontgen.outlines.cubic import Point, cubic_bounds, cubic_to_splines
from fontgen.outlines.truetype import GlyfPoints, SplineContours, glyf_points

Segment: TypeAlias = tuple[Point, ...]
"""(end,) is a straight line, (control, control, end) a cubic; it starts where the one before ended."""

Contour: TypeAlias = tuple[Segment, ...]
"""A closed run of segments: the first starts at the end of the last."""

QUADRATIC_TOLERANCE_EM = 0.0005
"""Half a unit at 1000 units per em: what rounding to integers costs anyway (Cu2QuPen advises 0.001)."""


class SegmentPen(Protocol):
    """The part of fontTools' pen protocol that outlines use."""

    def moveTo(self, pt: Any) -> None: ...
    def lineTo(self, pt: Any) -> None: ...
    def curveTo(self, *points: Any) -> None: ...
    def qCurveTo(self, *points: Any) -> None: ...
    def closePath(self) -> None: ...


@dataclass(frozen=True)
class Outline:
    """The immutable outline of one glyph."""

    contours: tuple[Contour, ...] = ()
    splines: SplineContours | None = None
    """The same glyph as quadratic splines where these were fitted too; else they come from the cubics."""

    @property
    def is_empty(self) -> bool:
        return not self.contours

    def point_count(self) -> int:
        """On-curve and off-curve points of the cubic outline."""
        return sum(len(segment) for contour in self.contours for segment in contour)

    @cached_property
    def _bounds(self) -> tuple[float, float, float, float] | None:
        boxes = [
            cubic_bounds(start, *segment) if len(segment) == 3 else (*segment[0], *segment[0])
            for contour in self.contours
            for start, segment in _with_starts(contour)
        ]
        if not boxes:
            return None
        left, bottom, right, top = zip(*boxes, strict=True)
        return min(left), min(bottom), max(right), max(top)

    def bounds_em(self) -> tuple[float, float, float, float] | None:
        """(x_min, y_min, x_max, y_max) of the curves themselves, in em; None when empty."""
        return self._bounds

    def placed(self, placement: Placement) -> Outline:
        """The outline moved and scaled in em space."""
        (a, b, tx), (c, d, ty) = placement.matrix.tolist()
        contours = tuple(
            tuple(tuple((a * x + b * y + tx, c * x + d * y + ty) for x, y in segment) for segment in contour)
            for contour in self.contours
        )
        return Outline(contours, None if self.splines is None else self.splines.moved(placement.matrix))

    def draw(self, pen: SegmentPen, *, units_per_em: int) -> None:
        """Draw lines and cubics, in integer font units, wound for PostScript (CFF)."""
        for contour in self.contours:
            rounded = _rounded(contour, units_per_em)
            if not rounded:
                continue
            pen.moveTo(rounded[-1][-1])
            for index, segment in enumerate(rounded):
                if len(segment) == 3:
                    pen.curveTo(*segment)
                elif index < len(rounded) - 1:  # closePath draws a last straight line
                    pen.lineTo(segment[0])
            pen.closePath()

    def truetype(self, *, units_per_em: int) -> GlyfPoints:
        """The points of a simple TrueType glyph, in integer font units.

        Without splines of its own, those within `QUADRATIC_TOLERANCE_EM` of the cubics.
        """
        return glyf_points(self.splines or _converted(self.contours), units_per_em)

    def draw_quadratic(self, pen: SegmentPen, *, units_per_em: int) -> None:
        """Draw lines and quadratic splines, in integer font units, wound for TrueType."""
        glyph = self.truetype(units_per_em=units_per_em)
        points = list(zip(zip(glyph.x.tolist(), glyph.y.tolist(), strict=True), glyph.on_curve.tolist(), strict=True))
        first = 0
        for last in glyph.ends.tolist():
            pen.moveTo(points[first][0])
            off_curve: list[tuple[int, int]] = []
            for point, on_curve in [*points[first + 1 : last + 1], points[first]]:
                if not on_curve:
                    off_curve.append(point)
                elif off_curve:
                    pen.qCurveTo(*off_curve, point)
                    off_curve = []
                elif point != points[first][0]:  # closePath draws a last straight line
                    pen.lineTo(point)
            pen.closePath()
            first = last + 1


def _converted(contours: Iterable[Contour]) -> SplineContours:
    """Quadratic splines close to cubics."""
    points: list[Point] = []
    on_curve: list[bool] = []
    starts = [0]
    for contour in contours:
        for start, segment in _with_starts(contour):
            splines = (
                cubic_to_splines(start, *segment, tolerance=QUADRATIC_TOLERANCE_EM) if len(segment) == 3 else [segment]
            )
            for spline in splines:
                points += spline
                on_curve += [False] * (len(spline) - 1) + [True]
        starts.append(len(points))
    xy = np.array(points, np.float64).reshape(-1, 2)
    # Contours begin with the on-curve point that they end at.
    order = np.arange(len(points))
    for first, end in pairwise(starts):
        order[first:end] = np.roll(order[first:end], 1)
    return SplineContours((xy[:, 0] + 1j * xy[:, 1])[order], np.array(on_curve, bool)[order], np.array(starts))


def signed_area(contour: Contour) -> float:
    """Area enclosed (em squared), positive when counter-clockwise. Exact for lines and cubics."""
    twice = 0.0
    for (x0, y0), segment in _with_starts(contour):
        if len(segment) == 3:
            (x1, y1), (x2, y2), (x3, y3) = segment
            # Green's theorem on the Bernstein form.
            twice += (
                6 * (x0 * y1 - x1 * y0)
                + 3 * (x0 * y2 - x2 * y0)
                + (x0 * y3 - x3 * y0)
                + 3 * (x1 * y2 - x2 * y1)
                + 3 * (x1 * y3 - x3 * y1)
                + 6 * (x2 * y3 - x3 * y2)
            ) / 10
        else:
            x1, y1 = segment[0]
            twice += x0 * y1 - x1 * y0
    return twice / 2


def reversed_contour(contour: Contour) -> Contour:
    """The same curve travelled the other way."""
    return tuple(_reversed(contour))


def _with_starts(contour: Sequence[Segment]) -> Iterable[tuple[Point, Segment]]:
    start = contour[-1][-1]
    for segment in contour:
        yield start, segment
        start = segment[-1]


def _reversed(contour: Sequence[Segment]) -> list[Segment]:
    pairs = list(_with_starts(contour))
    return [(*segment[-2::-1], start) for start, segment in reversed(pairs)]


def _rounded(contour: Sequence[Segment], units_per_em: int) -> list[Segment]:
    """Integer coordinates, without segments of no length and points on a straight line."""
    segments: list[Segment] = []
    previous = _round_point(contour[-1][-1], units_per_em)
    for segment in contour:
        points = tuple(_round_point(point, units_per_em) for point in segment)
        end = points[-1]
        if len(points) > 1 and all(_on_chord(point, previous, end) for point in points[:-1]):
            points = (end,)
        if len(points) == 1 and end == previous:
            continue
        segments.append(points)
        previous = end
    return _without_collinear(segments)


def _round_point(point: Point, units_per_em: int) -> Point:
    # floor(x + 1/2), as fontTools' otRound: a tie goes the same way on both sides of the origin.
    return (point[0] * units_per_em + 0.5) // 1, (point[1] * units_per_em + 0.5) // 1


def _on_chord(point: Point, start: Point, end: Point) -> bool:
    """Whether an integer point lies on the straight line from `start` to `end`, ends included."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = point[0] - start[0], point[1] - start[1]
    if dx == 0 == dy:
        return px == 0 == py
    return dx * py == dy * px and 0 <= px * dx + py * dy <= dx * dx + dy * dy


def _without_collinear(segments: list[Segment]) -> list[Segment]:
    """Join straight lines that continue each other; a contour without area vanishes."""
    joined: list[Segment] = []
    start = segments[-1][-1] if segments else (0.0, 0.0)
    starts: list[Point] = []
    for segment in segments:
        if joined and len(segment) == 1 == len(joined[-1]) and _straight_on(starts[-1], joined[-1][0], segment[0]):
            joined[-1] = segment
        else:
            joined.append(segment)
            starts.append(start)
        start = segment[-1]
    # The seam: a last and a first line that continue each other become one.
    if len(joined) > 2 and len(joined[0]) == 1 == len(joined[-1]) and _straight_on(starts[-1], start, joined[0][0]):
        joined[0] = (joined[0][0],)
        joined.pop()
        joined = [*joined[1:], joined[0]]
    if all(len(segment) == 1 for segment in joined) and len(joined) < 3:
        return []
    return [tuple((int(x), int(y)) for x, y in segment) for segment in joined]


def _straight_on(first: Point, middle: Point, last: Point) -> bool:
    return _on_chord(middle, first, last) and hypot(last[0] - first[0], last[1] - first[1]) > 0
