"""The pieces that a contour is made of, before any curve is fitted: where lines, curves and their nodes lie."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fontgen.outlines.edge import Ints
from fontgen.outlines.features import Features
from fontgen.outlines.lines import StraightRun

_NAN = complex("nan")
_NEAR = 3
"""A line that ends this few points before what a corner cuts reaches the corner."""

_FURTHEST_CORNER_PX = 2.0
_MIN_TURN = 0.12  # radians between an extremum and the ends of its curve: less is a wobble
_HOPELESS = 100
_BEVEL = 6  # points between a line and a blunt corner that are a line too
_FRACTIONS = 1024
"""Places between two points are counted in these: exact numbers however many glyphs lie before them."""


@dataclass(slots=True)
class Piece:
    """A line, or a curve over the points first..last.

    A curve may come to be divided: into `parts` of halves, or replaced by the `other` way, with lines, to
    travel the same stretch.
    """

    p0: complex
    p3: complex
    line: bool
    first: float = 0.0
    last: float = 0.0
    t0: complex = _NAN
    t3: complex = _NAN
    p1: complex = 0j
    p2: complex = 0j
    node: bool = False
    """It ends at an extremum, or is a line beyond doubt."""
    astray: bool = False
    """It strays further than it may and is not divided."""
    off_px: float = 0.0
    """How far it strays from the edge."""
    reach: tuple[float, float] = (0.0, 0.0)
    """Of a line: the points that it covers once prolonged to its corners."""
    parts: list[Piece] = field(default_factory=list)
    other: list[Piece] = field(default_factory=list)

    def parts_fitted(self) -> list[Piece]:
        """A curve's own parts, halved as often as it took; itself when it was never divided."""
        return [leaf for part in self.parts for leaf in part.parts_fitted()] if self.parts else [self]

    def chosen(self) -> list[Piece]:
        """The lines and curves that travel its stretch: itself, or the other way if that takes fewer points."""
        if not self.other:
            return [self]
        own = self.parts_fitted()
        other = [leaf for piece in self.other for leaf in piece.parts_fitted()]
        return [self] if _cost(own) < _cost(other) else self.other


def _cost(leaves: list[Piece]) -> float:
    """Points, lines that bend into each other without a corner counting double: they approximate a curve."""
    points = sum(1 if leaf.line else _HOPELESS if leaf.astray else 3 for leaf in leaves)
    return points + sum(one.line and two.line for one, two in pairwise(leaves))


def find_bounds(features: Features) -> Ints:
    """Points that divide the loops: their ends and all corners."""
    marks = features.corner.copy()
    marks[features.starts[:-1]] = True
    marks[features.starts[1:] - 1] = True
    return np.flatnonzero(marks)


class Extremum(NamedTuple):
    at: float
    z: complex
    direction: complex


def find_extrema(features: Features) -> list[Extremum]:
    """Where the direction of travel passes an axis, to a fraction of a point, in order."""
    tangent, smooth = features.tangent, features.smooth
    columns = []
    for level in (False, True):
        values = tangent.imag if level else tangent.real
        at = np.flatnonzero(np.diff(values < 0) | (values[:-1] == 0))
        a, b = values[at], values[at + 1]
        passes = (a * b < 0) | ((a == 0) & (b != 0))
        at, a, b = at[passes], a[passes], b[passes]
        share = np.rint(a / (a - b) * _FRACTIONS) / _FRACTIONS
        z = smooth[at] + share * (smooth[at + 1] - smooth[at])
        along = tangent[at] + tangent[at + 1]
        columns.append((at + share, z, np.sign(along.real) + 0j if level else 1j * np.sign(along.imag)))
    places, points, directions = (np.concatenate(pair) for pair in zip(*columns, strict=True))
    order = np.argsort(places, kind="stable")
    found = zip(places[order].tolist(), points[order].tolist(), directions[order].tolist(), strict=True)
    return [Extremum(*each) for each in found]


class _Node(NamedTuple):
    """A corner, or the extremum that a loop without corners begins at."""

    at: int
    sharp: bool
    z: complex
    smooth: complex
    tangent: complex
    before: tuple[complex, complex]
    after: tuple[complex, complex]
    cut: int
    step_px: float


class _Place(NamedTuple):
    at: int
    z: complex
    sharp: bool
    cut: int
    """Points next to it that say nothing of its sides: none where it is not sharp."""
    leave: complex = _NAN
    arrive: complex = _NAN


class Assembler:
    """Lines and yet unfitted curves from what was found on the edge."""

    def __init__(self, features: Features, bounds: Ints, runs: list[StraightRun], *, blunt: bool) -> None:
        """`blunt`: corners lie on the edge itself, not where their sides would meet."""
        self._features = features
        self._blunt = blunt
        self._runs = runs
        self._run_starts = [run.first for run in runs]
        self._extrema = find_extrema(features)
        self._extremum_places = [extremum.at for extremum in self._extrema]
        # How many points up to each turn visibly away from the horizontal and from the vertical.
        self._turned_level, self._turned_upright = (
            np.concatenate([[0], np.cumsum(np.abs(away) > _MIN_TURN)])
            for away in (features.tangent.imag, features.tangent.real)
        )
        columns = (
            bounds,
            features.corner[bounds],
            features.points[bounds],
            features.smooth[bounds],
            features.tangent[bounds],
            *(part[features.side[bounds]] for part in (*features.before, *features.after)),
            features.cut[bounds],
            features.step_px[bounds],
        )
        self._nodes = [
            _Node(at, sharp, z, smooth, tangent, (p, u), (q, v), cut, step)
            for at, sharp, z, smooth, tangent, p, u, q, v, cut, step in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]
        self._bounds: list[int] = bounds.tolist()

    def loop_pieces(self, begin: int, end: int) -> list[Piece]:
        """The pieces of the loop from point `begin` to its closing point `end`, joined end to end."""
        nodes = self._nodes[bisect_left(self._bounds, begin) : bisect_right(self._bounds, end)]
        spans = [(one.at, two.at) for one, two in pairwise(nodes)]
        runs_of = [
            self._runs[bisect_left(self._run_starts, first) : bisect_left(self._run_starts, last)]
            for first, last in spans
        ]
        places = [
            _Place(nodes[k].at, nodes[k].z, False, 0)
            if self._blunt and nodes[k].sharp
            else _corner_place(nodes[k], runs_of[k - 1], runs_of[k], spans[k - 1][1])
            for k in range(len(spans))
        ]
        pieces: list[Piece] = []
        for k, (_, last) in enumerate(spans):
            end_place = places[k + 1] if k + 1 < len(spans) else places[0]._replace(at=last)
            pieces += self._alternatives(places[k], end_place, runs_of[k])
        return pieces

    def _alternatives(self, start: _Place, end: _Place, runs: list[StraightRun]) -> list[Piece]:
        """The pieces between two corners, and where they run smoothly into each other also without lines.

        A gentle curve looks straight in places. Between two nodes that stay in either case, one curve through
        all competes with lines and curves.
        """
        pieces = self._span(start, end, runs)
        if len(pieces) < 2 or not runs:
            return pieces
        grouped: list[Piece] = []
        group: list[Piece] = []
        for piece in pieces:
            if piece.line and piece.node:
                grouped += [*_with_other(group), piece]
                group = []
                continue
            group.append(piece)
            if piece.node:
                grouped += _with_other(group)
                group = []
        return grouped + _with_other(group)

    def _span(self, start: _Place, end: _Place, runs: list[StraightRun]) -> list[Piece]:
        """The pieces between two neighbouring corners."""
        pieces: list[Piece] = []
        z, at, direction = start.z, float(start.at + start.cut), start.leave
        for k, run in enumerate(runs):
            head = run.head
            if k == 0 and run.first <= start.at + start.cut + _NEAR and start.sharp:
                head = z
            elif k > 0 and (joint := self._joint(runs[k - 1], run)) is not None:
                pieces[-1].p3 = head = joint
            else:
                pieces += self._curves(at, float(run.first), z, head, direction, run.direction)
            begins = float(start.at) if head == start.z else float(run.first)
            pieces.append(
                Piece(
                    head,
                    run.tail,
                    True,
                    float(run.first),
                    float(run.last),
                    run.direction,
                    run.direction,
                    node=run.sure,
                    reach=(begins, float(run.last)),
                )
            )
            z, at, direction = run.tail, float(run.last), run.direction
        if pieces and pieces[-1].line and end.sharp and at >= end.at - end.cut - _NEAR:
            pieces[-1].p3, pieces[-1].reach = end.z, (pieces[-1].reach[0], float(end.at))
        else:
            pieces += self._curves(at, float(end.at - end.cut), z, end.z, direction, end.arrive)
        return pieces

    def _joint(self, one: StraightRun, two: StraightRun) -> complex | None:
        """Where two straight runs that follow each other at once meet; None where a curve lies between."""
        if two.first - one.last > 4:
            return None
        middle = complex(self._features.points[(one.last + two.first) // 2])
        if abs((one.direction.conjugate() * two.direction).imag) > 0.02:
            meeting = _meet(one.middle, one.direction, two.middle, two.direction)
            if abs(meeting - middle) < 1.5:
                return meeting
        if two.first > one.last:
            return None
        return (one.foot(middle) + two.foot(middle)) / 2

    def _curves(self, first: float, last: float, p0: complex, p3: complex, t0: complex, t3: complex) -> list[Piece]:
        """A curve, divided at its extrema."""
        if last - first < (_BEVEL if self._blunt else 2):
            return [Piece(p0, p3, True, first, last)] if abs(p3 - p0) > 1e-9 else []
        pieces: list[Piece] = []
        low = bisect_right(self._extremum_places, first + 2)
        high = bisect_left(self._extremum_places, last - 2)
        came = t0
        from_at = first
        for extremum in self._extrema[low:high]:
            if not (
                self._turned(from_at, extremum.at, extremum.direction)
                and self._turned(extremum.at, last, extremum.direction)
            ):
                continue
            pieces.append(Piece(p0, extremum.z, False, from_at, extremum.at, came, extremum.direction, node=True))
            p0, from_at, came = extremum.z, extremum.at, extremum.direction
        pieces.append(Piece(p0, p3, False, from_at, last, came, t3))
        return pieces

    def _turned(self, first: float, last: float, direction: complex) -> bool:
        """Whether the edge between two places turns visibly away from `direction`, which is that of an axis."""
        if last - first < 3:
            return False
        turned = self._turned_level if direction.imag == 0 else self._turned_upright
        return bool(turned[int(last)] > turned[int(first) + 1])


def _corner_place(node: _Node, before: list[StraightRun], after: list[StraightRun], last_of: int) -> _Place:
    """Where a corner lies: where its sides meet, a side being a straight run that reaches it or the near edge.

    `last_of`: the corner's number where it ends the stretch before it.
    """
    if not node.sharp:
        along = node.tangent
        level = abs(along.real) > abs(along.imag)
        direction = complex(np.sign(along.real)) if level else complex(0, np.sign(along.imag))
        return _Place(node.at, node.smooth, False, 0, direction, direction)
    (p, u), (q, v) = node.before, node.after
    if before and before[-1].last >= last_of - node.cut - _NEAR:
        p, u = before[-1].middle, before[-1].direction
    if after and after[0].first <= node.at + node.cut + _NEAR:
        q, v = after[0].middle, after[0].direction
    if abs((u.conjugate() * v).imag) > 0.15:
        meeting = _meet(p, u, q, v)
        if abs(meeting - node.z) < _FURTHEST_CORNER_PX + node.cut * node.step_px:
            return _Place(node.at, meeting, True, node.cut)
    return _Place(node.at, node.z, True, node.cut)


def _meet(p: complex, u: complex, q: complex, v: complex) -> complex:
    """Where the line through p along u meets the line through q along v, which must not be parallel."""
    return p + u * (((q - p).conjugate() * v).imag / (u.conjugate() * v).imag)


def _with_other(group: list[Piece]) -> list[Piece]:
    if len(group) < 2 or not any(piece.line for piece in group):
        return group
    one, two = group[0], group[-1]
    # A doubtful line's direction is doubtful too.
    t0 = _NAN if one.line else one.t0
    t3 = _NAN if two.line else two.t3
    return [Piece(one.p0, two.p3, False, one.first, two.last, t0, t3, other=group)]
