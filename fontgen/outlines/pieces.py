"""The pieces that a contour is made of, before any curve is fitted: where lines, curves and their nodes lie."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from fontgen.outlines.features import Features
from fontgen.outlines.lines import StraightRun

_NAN = complex("nan")
_NEAR = 3
"""A line that ends this few points before what a corner cuts reaches the corner."""

_FURTHEST_CORNER_PX = 2.0
_MIN_TURN = 0.12  # radians between an extremum and the ends of its curve: less is a wobble
_HOPELESS = 100


@dataclass
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

    def leaves(self) -> list[Piece]:
        """The lines and curves that it comes down to: the fewer points, the better."""
        own = [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]
        if not self.other:
            return own
        other = [leaf for piece in self.other for leaf in piece.leaves()]
        return own if _cost(own) < _cost(other) else other


def _cost(leaves: list[Piece]) -> float:
    """Points, lines that bend into each other without a corner counting double: they approximate a curve."""
    points = sum(1 if leaf.line else _HOPELESS if leaf.astray else 3 for leaf in leaves)
    return points + sum(one.line and two.line for one, two in pairwise(leaves))


def find_bounds(features: Features) -> list[int]:
    """Points that divide the loops: their ends and all corners."""
    marks = features.corner.copy()
    marks[features.starts[:-1]] = True
    marks[features.starts[1:] - 1] = True
    found: list[int] = np.nonzero(marks)[0].tolist()
    return found


@dataclass(frozen=True)
class Extremum:
    at: float
    z: complex
    direction: complex


def find_extrema(features: Features) -> list[Extremum]:
    """Where the direction of travel passes an axis, to a fraction of a point, in order."""
    here, following = features.tangent[:-1], features.tangent[1:]
    found = []
    for level in (False, True):
        a, b = (here.imag, following.imag) if level else (here.real, following.real)
        at = np.nonzero((a * b < 0) | ((a == 0) & (b != 0)))[0]
        share = a[at] / (a[at] - b[at])
        z = features.smooth[at] + share * (features.smooth[at + 1] - features.smooth[at])
        along = (here[at] + following[at]).real if level else (here[at] + following[at]).imag
        direction = np.sign(along) * (1.0 if level else 1.0j)
        found += [Extremum(*each) for each in zip((at + share).tolist(), z.tolist(), direction.tolist(), strict=True)]
    return sorted(found, key=lambda extremum: extremum.at)


def loop_pieces(features: Features, nodes: list[int], runs: list[StraightRun], extrema: list[Extremum]) -> list[Piece]:
    """Lines and yet unfitted curves of one loop, joined end to end."""
    spans = list(pairwise(nodes))
    runs_of = [[run for run in runs if first <= run.first and run.last <= last] for first, last in spans]
    places = [
        _corner_place(features, nodes[k], runs_of[k - 1] if runs_of[k - 1] else [], runs_of[k], last_of=spans[k - 1][1])
        for k in range(len(spans))
    ]
    pieces: list[Piece] = []
    for k, (first, last) in enumerate(spans):
        start, end = places[k], places[(k + 1) % len(spans)]
        pieces += _alternatives(features, first, last, start, end, runs_of[k], extrema)
    return pieces


@dataclass(frozen=True)
class _Place:
    z: complex
    sharp: bool
    leave: complex = _NAN
    arrive: complex = _NAN


def _corner_place(
    features: Features, at: int, before: list[StraightRun], after: list[StraightRun], *, last_of: int
) -> _Place:
    """Where a corner lies: where its sides meet, a side being a straight run that reaches it or the near edge."""
    if not features.corner[at]:
        direction = complex(features.tangent[at])
        direction = (
            complex(np.sign(direction.real))
            if abs(direction.real) > abs(direction.imag)
            else complex(0, np.sign(direction.imag))
        )
        return _Place(complex(features.smooth[at]), False, direction, direction)
    p, u = complex(features.before[0][at]), complex(features.before[1][at])
    q, v = complex(features.after[0][at]), complex(features.after[1][at])
    if before and before[-1].last >= last_of - features.corner_cut - _NEAR:
        p, u = before[-1].middle, before[-1].direction
    if after and after[0].first <= at + features.corner_cut + _NEAR:
        q, v = after[0].middle, after[0].direction
    here = complex(features.points[at])
    if abs((u.conjugate() * v).imag) > 0.15:
        meeting = _meet(p, u, q, v)
        if abs(meeting - here) < _FURTHEST_CORNER_PX + features.corner_cut * features.step_px:
            return _Place(meeting, True)
    return _Place(here, True)


def _meet(p: complex, u: complex, q: complex, v: complex) -> complex:
    """Where the line through p along u meets the line through q along v, which must not be parallel."""
    return p + u * (((q - p).conjugate() * v).imag / (u.conjugate() * v).imag)


def _span(
    features: Features,
    first: int,
    last: int,
    start: _Place,
    end: _Place,
    runs: list[StraightRun],
    extrema: list[Extremum],
) -> list[Piece]:
    """The pieces between two neighbouring corners."""
    pieces: list[Piece] = []
    z, at, direction, corner = start.z, float(first), start.leave, start.sharp
    for k, run in enumerate(runs):
        head = run.foot(complex(features.points[run.first]))
        if k == 0 and run.first <= first + features.corner_cut + _NEAR and start.sharp:
            head = z
        elif k > 0 and (joint := _joint(features, runs[k - 1], run)) is not None:
            pieces[-1].p3 = head = joint
        else:
            pieces += _curves(
                features,
                at + features.corner_cut * corner,
                float(run.first),
                z,
                head,
                direction,
                run.direction,
                extrema,
            )
        tail = run.foot(complex(features.points[run.last]))
        begins = float(first) if head == start.z else float(run.first)
        pieces.append(
            Piece(
                head,
                tail,
                True,
                float(run.first),
                float(run.last),
                run.direction,
                run.direction,
                node=run.sure,
                reach=(begins, float(run.last)),
            )
        )
        z, at, corner = tail, float(run.last), False
    if pieces and pieces[-1].line and end.sharp and at >= last - features.corner_cut - _NEAR:
        pieces[-1].p3, pieces[-1].reach = end.z, (pieces[-1].reach[0], float(last))
    else:
        pieces += _curves(
            features,
            at + features.corner_cut * corner,
            float(last - features.corner_cut * end.sharp),
            z,
            end.z,
            direction,
            end.arrive,
            extrema,
        )
    return pieces


def _alternatives(
    features: Features,
    first: int,
    last: int,
    start: _Place,
    end: _Place,
    runs: list[StraightRun],
    extrema: list[Extremum],
) -> list[Piece]:
    """The pieces between two corners, and where they run smoothly into each other also without lines.

    A gentle curve looks straight in places. Between two nodes that stay in either case, one curve through
    all competes with lines and curves.
    """
    pieces = _span(features, first, last, start, end, runs, extrema)
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


def _with_other(group: list[Piece]) -> list[Piece]:
    if len(group) < 2 or not any(piece.line for piece in group):
        return group
    one, two = group[0], group[-1]
    # A doubtful line's direction is doubtful too.
    t0 = _NAN if one.line else one.t0
    t3 = _NAN if two.line else two.t3
    return [Piece(one.p0, two.p3, False, one.first, two.last, t0, t3, other=group)]


def _joint(features: Features, one: StraightRun, two: StraightRun) -> complex | None:
    """Where two straight runs that follow each other at once meet; None where a curve lies between."""
    if two.first - one.last > 4:
        return None
    middle = complex(features.points[(one.last + two.first) // 2])
    if abs((one.direction.conjugate() * two.direction).imag) > 0.02:
        meeting = _meet(one.middle, one.direction, two.middle, two.direction)
        if abs(meeting - middle) < 1.5:
            return meeting
    if two.first > one.last:
        return None
    return (one.foot(middle) + two.foot(middle)) / 2


def _curves(
    features: Features,
    first: float,
    last: float,
    p0: complex,
    p3: complex,
    t0: complex,
    t3: complex,
    extrema: list[Extremum],
) -> list[Piece]:
    """A curve, divided at its extrema."""
    if last - first < 2:
        return [Piece(p0, p3, line=True)] if abs(p3 - p0) > 1e-9 else []
    pieces: list[Piece] = []
    low = bisect_right(extrema, first + 2, key=lambda extremum: extremum.at)
    high = bisect_left(extrema, last - 2, key=lambda extremum: extremum.at)
    came = t0
    from_at = first
    for extremum in extrema[low:high]:
        if not (
            _turned(features, from_at, extremum.at, extremum.direction, came)
            and _turned(features, extremum.at, last, extremum.direction, t3)
        ):
            continue
        pieces.append(Piece(p0, extremum.z, False, from_at, extremum.at, came, extremum.direction, node=True))
        p0, from_at, came = extremum.z, extremum.at, extremum.direction
    pieces.append(Piece(p0, p3, False, from_at, last, came, t3))
    return pieces


def _turned(features: Features, first: float, last: float, direction: complex, end: complex) -> bool:
    """Whether the edge between two places turns visibly away from `direction`."""
    if last - first < 3:
        return False
    away = np.abs((features.tangent[int(first) + 1 : int(last)] * direction.conjugate()).imag)
    return bool(away.max(initial=0.0) > _MIN_TURN)
