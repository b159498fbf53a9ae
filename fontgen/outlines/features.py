"""What the edge of a glyph is made of: sharp corners, straight runs, extrema.

Everything is measured at every point at once, with windows of a few pixels to either side. Windows are
counted in points, so that they widen with the step that a noisy edge is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints, Loops, following_points, glyph_starts
from fontgen.outlines.windows import Moments, Sides, Windows, savitzky_golay, unit

_CUT = 2  # points this near a corner are rounded off by the pixels themselves
_LARGEST_CUT = 8
_SIDE = 6  # the side of a corner is judged by this many points and one, beginning where it is not cut
NARROW, WIDE = 6, 11
"""Half widths of the windows for straightness, in points: 6 and 11 px across at the usual step."""

_DIRECTION = 4  # half width of the window for direction
_STRAIGHT_RMS_PX, _VERY_STRAIGHT_RMS_PX = 0.02, 0.012
_MIN_TURN, _TURN_PER_NOISE = 0.17, 8.0  # radians, radians a pixel; flatter bends are left to the curves
_BLUR_CUT = 0.5  # of the blur: how much further it cuts
_PIXEL_CUT_PX = 0.6  # how far area coverage cuts a right-angled corner short


_Side: TypeAlias = tuple[Complexes, Complexes]


@dataclass(frozen=True)
class Features:
    """Edge points; every loop begins at a corner or extremum and ends with its first point again.

    (n,) arrays hold a value for each point, (loops,) arrays one for each loop.
    """

    points: Complexes
    starts: Ints
    """(loops + 1,) where each loop begins; its closing point is the one before the next start."""
    corner: NDArray[np.bool_]
    """At the first and the closing point alike; a loop without corners has none."""
    straight: NDArray[np.bool_]
    """Whether the points NARROW to either side lie on a line."""
    very_straight: NDArray[np.bool_]
    """Whether the points WIDE to either side do, which tells a line from all but the flattest curves."""
    smooth: Complexes
    """Points with their noise averaged over 4 px."""
    tangent: Complexes
    """Unit direction of travel."""
    side: Ints
    """(n,) where in `before` and `after` a corner's sides stand; 0 elsewhere."""
    before: _Side
    """(corners + 1,) position and unit direction at each corner, prolonged from the edge before it."""
    after: _Side
    """The same from the edge after it."""
    moments: Moments
    noise_px: Floats
    """(n,)"""
    step_px: Floats
    """(n,)"""
    cut: Ints
    """(n,) points this near a corner say nothing of its sides."""
    loop: Ints
    """(n,) which loop the point belongs to."""
    glyph: Ints
    """(loops,) which image the loop comes from."""

    def only(self, chosen: NDArray[np.bool_]) -> Features:
        """Some of the loops, by a mask."""
        mine = np.repeat(chosen, np.diff(self.starts))
        loop = np.cumsum(chosen) - 1
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[chosen])])
        points, glyph = self.points[mine], self.glyph[chosen]
        return Features(
            points=points,
            starts=starts,
            corner=self.corner[mine],
            straight=self.straight[mine],
            very_straight=self.very_straight[mine],
            smooth=self.smooth[mine],
            tangent=self.tangent[mine],
            side=self.side[mine],
            before=self.before,
            after=self.after,
            moments=Moments.of(points, glyph_starts(glyph, starts)),
            noise_px=self.noise_px[mine],
            step_px=self.step_px[mine],
            cut=self.cut[mine],
            loop=loop[self.loop[mine]],
            glyph=glyph,
        )


def find_features(windows: Windows, *, corner_radius_px: float, corner_ease: float = 1.0) -> Features:
    """Measure every point of the loops.

    A bend is a corner where its sides, prolonged, meet no further from the edge than an arc of
    `corner_radius_px` would leave them, beyond `corner_ease` times what pixels and blur cut off anyway.
    A point is straight where its surroundings stray from a line by no more than the noise explains.
    """
    loops = windows.loops
    counts = np.diff(loops.starts)
    # An arc of 90 degrees reaches 0.8 of its radius to either side of its middle.
    cut = np.minimum(_LARGEST_CUT, _CUT + np.rint(0.8 * corner_radius_px / loops.step_px).astype(np.int64))
    smooth = windows.weighted(savitzky_golay(_DIRECTION))
    tangent = unit(windows.weighted(np.arange(-_DIRECTION, _DIRECTION + 1.0)))
    sides = windows.sides(_SIDE)
    rms, wide_rms = windows.line_rms(NARROW), windows.line_rms(WIDE)
    cut_px = corner_ease * (_PIXEL_CUT_PX + _BLUR_CUT * loops.blur_px)
    corner, side, before, after = _corners(loops, sides, cut, corner_radius_px, cut_px)
    # A loop begins at its first corner, else at the extremum where it bends most.
    extremum = _turns(tangent, loops)
    rank = np.where(corner, 1e6, np.where(extremum, 1e3, 0.0) + np.minimum(rms, 100.0))
    order = _rolled(rank, loops.starts, counts)
    ends = loops.starts[1:] + np.arange(1, counts.size + 1)
    starts = np.concatenate([[0], ends])
    points = loops.points[order]
    noise_px = np.repeat(loops.noise_px, counts + 1)
    straight = rms[order] < _STRAIGHT_RMS_PX + 4 * noise_px
    very_straight = wide_rms[order] < _VERY_STRAIGHT_RMS_PX + 5 * noise_px
    for mask in (straight, very_straight):
        mask[ends - 1] = mask[np.concatenate([[0], ends[:-1]])] = False
    return Features(
        points=points,
        starts=starts,
        corner=corner[order],
        straight=straight,
        very_straight=very_straight,
        smooth=smooth[order],
        tangent=tangent[order],
        side=side[order],
        before=before,
        after=after,
        moments=Moments.of(points, glyph_starts(loops.glyph, starts)),
        noise_px=noise_px,
        step_px=np.repeat(loops.step_px, counts + 1),
        cut=np.repeat(cut, counts + 1),
        loop=np.repeat(np.arange(counts.size), counts + 1),
        glyph=loops.glyph,
    )


def _turns(tangent: Complexes, loops: Loops) -> NDArray[np.bool_]:
    """Where the direction of travel passes the horizontal or the vertical before the next point."""
    following = tangent[following_points(loops.starts)]
    turns: NDArray[np.bool_] = (tangent.real * following.real <= 0) | (tangent.imag * following.imag <= 0)
    return turns


def _rolled(rank: Floats, starts: Ints, counts: Ints) -> Ints:
    """Order that begins every loop at its first point of highest rank and repeats that point at the end."""
    highest = np.repeat(np.maximum.reduceat(rank, starts[:-1]), counts)
    candidates = np.nonzero(rank == highest)[0]
    first = candidates[np.searchsorted(candidates, starts[:-1])] - starts[:-1]
    longer = counts + 1
    begin = np.concatenate([[0], np.cumsum(longer)[:-1]])
    within = np.arange(longer.sum()) - np.repeat(begin, longer)
    order: Ints = np.repeat(starts[:-1], longer) + (within + np.repeat(first, longer)) % np.repeat(counts, longer)
    return order


def intersect(
    p: NDArray[np.complex128], u: NDArray[np.complex128], q: NDArray[np.complex128], v: NDArray[np.complex128]
) -> Complexes:
    """Where the line through p along u meets the line through q along v; far away where they are parallel."""
    cross = (np.conj(u) * v).imag
    cross = np.where(np.abs(cross) < 1e-9, 1e-9, cross)
    meeting: Complexes = p + u * ((np.conj(q - p) * v).imag / cross)
    return meeting


def _corners(
    loops: Loops, sides: Sides, cut: Ints, radius_px: float, cut_px: Floats
) -> tuple[NDArray[np.bool_], Ints, _Side, _Side]:
    """Which points are corners, the corner's number, from 1, and position and direction as its sides tell.

    `cut`, `cut_px`: (loops,) how far pixels and blur cut a corner short, in points and pixels.
    """
    starts, counts = loops.starts, np.diff(loops.starts)
    coming, leaving = sides.directions(loops.per_point(cut))
    # Few points bend at all; the others need no further thought.
    along = coming.real * leaving.real + coming.imag * leaving.imag
    squares = (coming.real**2 + coming.imag**2) * (leaving.real**2 + leaving.imag**2)
    bent = np.flatnonzero((along < 0) | (along * along < np.cos(_MIN_TURN) ** 2 * squares))
    points = loops.points[bent]
    loop = np.searchsorted(starts, bent, "right") - 1
    p, q = sides.prolonged(bent, cut[loop])
    u, v = unit(coming[bent]), unit(leaving[bent])
    turn = np.abs(np.angle(v * np.conj(u)))
    meeting = intersect(p, u, q, v)
    half = np.minimum(turn, 2.8) / 2
    secant = 1 / np.cos(half)
    limit = radius_px * (secant - 1) + cut_px[loop] * np.minimum(secant * np.sin(half), 3.0)
    gap = np.abs(meeting - points)
    inward = unit(v - u)
    depth = np.abs(((meeting - points) * np.conj(inward)).real)
    least_turn = _MIN_TURN + _TURN_PER_NOISE * loops.noise_px[loop]
    rivals = np.flatnonzero((turn > least_turn) & (depth < limit) & (gap < limit + 1.0))
    # Of neighbouring candidates the one that lies nearest to where its sides meet.
    at, base, size = bent[rivals], starts[loop[rivals]], counts[loop[rivals]]
    score = np.full(loops.points.size, np.inf)
    score[at] = gap[rivals] - turn[rivals]
    best = score[at]
    for offset in (-3, -2, -1, 1, 2, 3):
        best = np.minimum(best, score[base + (at - base + offset) % size])
    kept = score[at] <= best
    at, rivals = at[kept], rivals[kept]
    corner = np.zeros(loops.points.size, bool)
    corner[at] = True
    side = np.zeros(loops.points.size, np.int64)
    side[at] = np.arange(1, at.size + 1)
    p, u, q, v = (np.append(0, values[rivals]) for values in (p, u, q, v))
    return corner, side, (p, u), (q, v)
