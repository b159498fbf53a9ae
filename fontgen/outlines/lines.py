"""Straight runs of the edge: which stretches are lines, and exactly which lines."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Floats, Ints
from fontgen.outlines.features import NARROW, WIDE, Features

_EIGHTHS = 8
_TRIMS = np.array([(a, b) for a in range(6) for b in range(6) if a + b <= 6])  # eighths taken off either end

_SURE_AXIS_PX, _SURE_PX = 11.0, 30.0
_SURE_RMS_PX = 0.015
_TOUCHING = 2  # points between runs


class StraightRun(NamedTuple):
    """The points first..last lie on the line through `middle` along `direction`."""

    first: int
    last: int
    middle: complex
    direction: complex
    sure: bool
    """Long, and straighter than any gentle curve would be."""
    head: complex
    """Where the line begins: the foot of its first point."""
    tail: complex

    def foot(self, z: complex) -> complex:
        """The point of the line nearest to z."""
        return self.middle + self.direction * ((z - self.middle) * self.direction.conjugate()).real


@dataclass
class _Run:
    first: int
    last: int
    span: int
    sure: bool
    crowded: bool = False


def find_lines(
    features: Features, bounds: Ints, rms_px: Floats, snap_degrees: float, half_unit_px: float
) -> list[StraightRun]:
    """Straight runs in order; none passes one of `bounds` (corners and ends of loops).

    A run is straight when the rms distance of its points from its line is at most `rms_px` (a value for each
    point). Lines that lie within `snap_degrees` of an axis, or within `half_unit_px` over their length, are put
    exactly on it, and those of one glyph that lie within `half_unit_px` of each other on the same coordinate.
    """
    first, last = _candidates(features, bounds, rms_px)
    first, last = _joined(features, first, last, bounds, rms_px)
    if not first.size:
        return []
    lines = features.moments.lines(first, last)
    chord = features.points[last] - features.points[first]
    direction = lines.direction * np.where((chord * np.conj(lines.direction)).real < 0, -1.0, 1.0)
    length = (last - first) * features.step_px[first]
    slack = np.maximum(sin(radians(snap_degrees)), 2 * half_unit_px / np.maximum(length, 1.0))
    level, upright = np.abs(direction.imag) < slack, np.abs(direction.real) < slack
    upright &= ~level
    direction = np.where(level, np.sign(direction.real), np.where(upright, 1j * np.sign(direction.imag), direction))
    middle = lines.middle
    if snap_degrees > 0:
        # Edges that face each other, however near, are no neighbours.
        side = 2 * features.glyph[features.loop[first]] + (direction.real + direction.imag > 0)
        middle.imag[level] = _aligned(middle.imag[level], length[level], side[level], half_unit_px)
        middle.real[upright] = _aligned(middle.real[upright], length[upright], side[upright], half_unit_px)
    sure = length >= np.where(level | upright, _SURE_AXIS_PX, _SURE_PX)
    sure &= lines.rms < _sure_rms_px(features.noise_px[first])
    feet = (middle + direction * ((features.points[at] - middle) * np.conj(direction)).real for at in (first, last))
    columns = (first, last, middle, direction, sure, *feet)
    return [StraightRun(*run) for run in zip(*(column.tolist() for column in columns), strict=True)]


def _aligned(at: Floats, weight: Floats, side: Ints, slack_px: float) -> Floats:
    """Coordinates of one side of a glyph's strokes that nearly agree made one: their weighted mean.

    A chain of neighbours that reaches further than twice the slack is left as it is.
    """
    if at.size < 2:
        return at
    order = np.lexsort((at, side))
    sorted_at, sorted_side = at[order], side[order]
    apart = (np.diff(sorted_at) > slack_px) | (np.diff(sorted_side) != 0)
    begin = np.concatenate([[0], np.flatnonzero(apart) + 1])
    counts = np.diff(begin, append=at.size)
    weights = weight[order]
    mean = np.add.reduceat(sorted_at * weights, begin) / np.add.reduceat(weights, begin)
    reach = np.maximum.reduceat(sorted_at, begin) - sorted_at[begin]
    together = np.repeat(np.where(reach <= 2 * slack_px, mean, np.nan), counts)
    aligned = np.empty_like(at)
    aligned[order] = np.where(np.isnan(together), sorted_at, together)
    return aligned


def _sure_rms_px(noise_px: Floats) -> Floats:
    """What a line may stray by when it is beyond doubt: strokes wobble by some five times their tremble."""
    return _SURE_RMS_PX + 5 * noise_px


def _candidates(features: Features, bounds: Ints, rms_px: Floats) -> tuple[Ints, Ints]:
    """Whole stretches between corners that are straight, and straight runs within the others."""
    begin, end = bounds[:-1], bounds[1:]
    inner = end - begin >= 4  # the step from one loop to the next is not a stretch
    begin, end = begin[inner], end[inner]
    cut = features.cut[begin]
    cut = np.where(end - begin >= 5 * cut, cut, 1)
    low, high = begin + cut, end - cut
    sharp = features.corner[begin] & features.corner[end]
    whole = sharp & (features.moments.rms(low, high) < rms_px[low])
    edges = (begin[~whole], low[~whole], high[~whole])
    sure_first, sure_last = _trimmed(features, *_runs(features.very_straight, WIDE, *edges))
    taken = np.zeros(features.points.size + 1, np.int8)
    taken[sure_first] += 1
    taken[sure_last + 1] -= 1
    first, last = _runs(features.straight & (np.cumsum(taken[:-1]) == 0), NARROW, *edges)
    keep = last - first >= 2 * NARROW - 2
    first, last = first[keep], last[keep]
    keep = features.moments.rms(first, last) < rms_px[first]
    first = np.concatenate([low[whole], sure_first, first[keep]])
    last = np.concatenate([high[whole], sure_last, last[keep]])
    order = np.argsort(first, kind="stable")
    return first[order], last[order]


def _runs(straight: NDArray[np.bool_], half: int, begin: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Runs of straight points with the points that these vouch for, kept within the stretches low..high."""
    change = np.diff(straight.astype(np.int8), prepend=0, append=0)
    first, last = np.nonzero(change == 1)[0], np.nonzero(change == -1)[0] - 1
    if not begin.size:
        return first[:0], last[:0]
    span = np.maximum(np.searchsorted(begin, first, "right") - 1, 0)
    within = (first >= low[span]) & (last <= high[span])
    first, last, span = first[within], last[within], span[within]
    return np.maximum(first - half, low[span]), np.minimum(last + half, high[span])


def _trimmed(features: Features, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """The longest part of each run that is a line beyond doubt: a line may bend away ever so slowly."""
    if not first.size:
        return first, last
    length = (last - first)[:, None]
    low = first[:, None] + length * _TRIMS[:, 0] // _EIGHTHS
    high = last[:, None] - length * _TRIMS[:, 1] // _EIGHTHS
    good = features.moments.rms(low, high) < _sure_rms_px(features.noise_px[first])[:, None]
    good &= high - low >= 2 * WIDE
    best = np.argmax(np.where(good, high - low, -1), axis=1)
    rows = np.nonzero(good.any(axis=1))[0]
    return low[rows, best[rows]], high[rows, best[rows]]


def _joined(features: Features, first: Ints, last: Ints, bounds: Ints, rms_px: Floats) -> tuple[Ints, Ints]:
    """Runs that continue each other made one, and short runs that touch others left to the curves.

    Nothing is added to a line beyond doubt that would make it doubtful. A run of short straight pieces, each
    at a small angle to the next, is what a curve looks like.
    """
    if first.size < 2:
        return first, last
    sure_px = _sure_rms_px(features.noise_px[first])
    sure = (features.moments.rms(first, last) < sure_px) & (last - first >= 2 * WIDE)
    spans = np.searchsorted(bounds, first, "right")
    together = np.full(first.size, np.inf)
    close = np.flatnonzero((spans[1:] == spans[:-1]) & (first[1:] - last[:-1] < 2 * NARROW)) + 1
    together[close] = features.moments.rms(first[close - 1], last[close])
    columns = (first, last, spans, sure, together, sure_px, rms_px[first])
    runs: list[_Run] = []
    for a, b, span, certain, rms, sure_limit, doubtful_limit in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        if runs and runs[-1].span == span:
            previous = runs[-1]
            limit = sure_limit if certain or previous.sure else doubtful_limit
            if rms < limit:
                # Neighbours along a gentle curve would join one by one: the whole must be straight.
                whole = features.moments.rms(np.array([previous.first]), np.array([b]))
                if whole[0] < limit:
                    previous.last, previous.sure = b, certain or previous.sure
                    continue
            if a <= previous.last + _TOUCHING:
                previous.crowded = True
                split = previous.last if previous.sure else a - 1 if certain else (a + previous.last) // 2
                previous.last = min(previous.last, split)
                runs.append(_Run(max(a, split + 1), b, span, certain, crowded=True))
                continue
        runs.append(_Run(a, b, span, certain))
    kept = [run for run in runs if run.last > run.first and (run.sure or not run.crowded)]
    return np.array([run.first for run in kept], np.int64), np.array([run.last for run in kept], np.int64)
