"""What the edge of a glyph is made of: sharp corners, straight runs, extrema.

Everything is measured at every point at once, with windows of a few pixels to either side. Windows are
counted in points, so that they widen with the step that a noisy edge is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints, Loops
from fontgen.outlines.windows import Moments, Windows, savitzky_golay

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


@dataclass(frozen=True)
class Features:
    """Edge points; every loop begins at a corner or extremum and ends with its first point again."""

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
    before: tuple[Complexes, Complexes]
    """Position and unit direction at each point, extrapolated from the edge before it."""
    after: tuple[Complexes, Complexes]
    """The same from the edge after it."""
    moments: Moments
    noise_px: float
    step_px: float
    corner_cut: int
    """Points this near a corner say nothing of its sides."""


def find_features(windows: Windows, *, corner_radius_px: float, corner_ease: float = 1.0) -> Features:
    """Measure every point of the loops.

    A bend is a corner where its sides, prolonged, meet no further from the edge than an arc of
    `corner_radius_px` would leave them, beyond `corner_ease` times what pixels and blur cut off anyway.
    A point is straight where its surroundings stray from a line by no more than the noise explains.
    """
    loops = windows.loops
    counts = np.diff(loops.starts)
    # An arc of 90 degrees reaches 0.8 of its radius to either side of its middle.
    cut = min(_LARGEST_CUT, _CUT + round(0.8 * corner_radius_px / loops.step_px))
    ahead_position, ahead_direction = _side_kernels(cut)
    slope = np.arange(-_DIRECTION, _DIRECTION + 1.0)
    smooth, along, after_place, after_slope, before_place, before_slope = windows.weighted(
        savitzky_golay(_DIRECTION),
        slope,
        ahead_position,
        ahead_direction,
        ahead_position[::-1],
        -ahead_direction[::-1],
    )
    tangent = _unit(along)
    rms, wide_rms = windows.line_rms(NARROW), windows.line_rms(WIDE)
    after, before = (after_place, _unit(after_slope)), (before_place, _unit(before_slope))
    cut_px = corner_ease * (_PIXEL_CUT_PX + _BLUR_CUT * loops.blur_px)
    least_turn = _MIN_TURN + _TURN_PER_NOISE * loops.noise_px
    corner = _corners(loops, before, after, corner_radius_px, cut_px, least_turn)
    # A loop begins at its first corner, else at the extremum where it bends most.
    extremum = _turns(tangent, loops, counts)
    rank = np.where(corner, 1e6, np.where(extremum, 1e3, 0.0) + np.minimum(rms, 100.0))
    order = _rolled(rank, loops.starts, counts)
    ends = loops.starts[1:] + np.arange(1, counts.size + 1)
    points = loops.points[order]
    straight = rms[order] < _STRAIGHT_RMS_PX + 4 * loops.noise_px
    very_straight = wide_rms[order] < _VERY_STRAIGHT_RMS_PX + 5 * loops.noise_px
    for mask in (straight, very_straight):
        mask[ends - 1] = mask[np.concatenate([[0], ends[:-1]])] = False
    return Features(
        points=points,
        starts=np.concatenate([[0], ends]),
        corner=corner[order],
        straight=straight,
        very_straight=very_straight,
        smooth=smooth[order],
        tangent=tangent[order],
        before=(before[0][order], before[1][order]),
        after=(after[0][order], after[1][order]),
        moments=Moments.of(points),
        noise_px=loops.noise_px,
        step_px=loops.step_px,
        corner_cut=cut,
    )


def _next(starts: Ints, counts: Ints) -> Ints:
    following = np.arange(1, starts[-1] + 1)
    following[starts[1:] - 1] = starts[:-1]
    return following


def _turns(tangent: Complexes, loops: Loops, counts: Ints) -> NDArray[np.bool_]:
    """Where the direction of travel passes the horizontal or the vertical before the next point."""
    following = tangent[_next(loops.starts, counts)]
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


@cache
def _side_kernels(cut: int) -> tuple[Floats, Floats]:
    """Weights of the points around one that extrapolate its position and derivative from those cut and more ahead."""
    side = cut + _SIDE
    k = np.arange(cut, side + 1.0)
    inverse = np.linalg.pinv(np.stack([np.ones_like(k), k], axis=1))
    position, direction = np.zeros(2 * side + 1), np.zeros(2 * side + 1)
    position[side + cut :] = inverse[0]
    direction[side + cut :] = inverse[1]
    return position, direction


def _unit(z: Complexes) -> Complexes:
    return z / np.maximum(np.abs(z), 1e-12)


def intersect(
    p: NDArray[np.complex128], u: NDArray[np.complex128], q: NDArray[np.complex128], v: NDArray[np.complex128]
) -> Complexes:
    """Where the line through p along u meets the line through q along v; far away where they are parallel."""
    cross = (np.conj(u) * v).imag
    cross = np.where(np.abs(cross) < 1e-9, 1e-9, cross)
    meeting: Complexes = p + u * ((np.conj(q - p) * v).imag / cross)
    return meeting


def _corners(
    loops: Loops,
    before: tuple[Complexes, Complexes],
    after: tuple[Complexes, Complexes],
    radius_px: float,
    cut_px: float,
    least_turn: float,
) -> NDArray[np.bool_]:
    points, starts, counts = loops.points, loops.starts, np.diff(loops.starts)
    turn = np.abs(np.angle(after[1] * np.conj(before[1])))
    meeting = intersect(before[0], before[1], after[0], after[1])
    half = np.minimum(turn, 2.8) / 2
    secant = 1 / np.cos(half)
    limit = radius_px * (secant - 1) + cut_px * np.minimum(secant * np.sin(half), 3.0)
    gap = np.abs(meeting - points)
    inward = _unit(after[1] - before[1])
    depth = np.abs(((meeting - points) * np.conj(inward)).real)
    candidate = (turn > least_turn) & (depth < limit) & (gap < limit + 1.0)
    # Of neighbouring candidates the one that lies nearest to where its sides meet.
    rivals = np.nonzero(candidate)[0]
    score = np.full(points.size, np.inf)
    score[rivals] = gap[rivals] - turn[rivals]
    loop = np.searchsorted(starts, rivals, "right") - 1
    base, size = starts[loop], counts[loop]
    best = score[rivals]
    for offset in (-3, -2, -1, 1, 2, 3):
        best = np.minimum(best, score[base + (rivals - base + offset) % size])
    corner = np.zeros(points.size, bool)
    corner[rivals[score[rivals] <= best]] = True
    return corner
