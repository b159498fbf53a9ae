"""Contours that cross themselves or each other, found on the integer grid of a font.

Segments whose boxes meet are compared chord by chord, and where chords come close, by finer ones; touching is no
crossing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints

_CHORDS = 8
_APART = 1 << 20  # units, further than any glyph reaches: boxes of two glyphs never meet

_FINER = 6
"""Chords of a chord: they stay within 1/3000 of a curve's second difference, a tenth of a unit for the roundest."""

_TIMES = np.linspace(0.0, 1.0, _CHORDS * _FINER + 1) ** 1.1
"""Where curves are cut. Uneven, so that no cut falls exactly on a line of round coordinates and hides a crossing."""

_LONGEST = float(np.diff(_TIMES[::_FINER]).max())

Segment = tuple[complex, complex, complex, complex]
"""Start, two control points, end; a line has its control points at its ends."""


def crossing_pairs(segments: Complexes, contour: Ints, glyph: Ints) -> tuple[Ints, Ints]:
    """Pairs of segments that cross, or one segment twice.

    `segments`: (4, n) start, control points and end of cubics (lines: control points at the ends), whose contours
    follow each other. `contour`, `glyph`: (n,) what each belongs to, both ascending.
    """
    if not contour.size:
        return contour, contour
    one, two = _near(segments, glyph)
    looped = np.flatnonzero(_may_loop(segments))
    one, two = np.concatenate([one, looped]), np.concatenate([two, looped])
    line = (segments[1] == segments[0]) & (segments[2] == segments[3])
    straight = line[one].astype(np.int64) + line[two]
    # Lines first, so that the three kinds of pairs need as few chords as they can.
    one, two = np.where(line[one], one, two), np.where(line[one], two, one)
    found = []
    for lines in range(3):
        pair = straight == lines
        first, second = one[pair], two[pair]
        crossed = _cross(segments[:, first], lines > 0, segments[:, second], lines == 2)
        found.append((first[crossed], second[crossed]))
    ones, twos = zip(*found, strict=True)
    return np.concatenate(ones), np.concatenate(twos)


def _near(segments: Complexes, glyph: Ints) -> tuple[Ints, Ints]:
    """Pairs of segments of one glyph whose boxes overlap, and that no chord parts; neighbours' boxes may touch."""
    apart = glyph * _APART
    left, right = segments.real.min(axis=0) + apart, segments.real.max(axis=0) + apart
    bottom, top = segments.imag.min(axis=0), segments.imag.max(axis=0)
    order = np.argsort(left, kind="stable")
    left, right, bottom, top = left[order], right[order], bottom[order], top[order]
    # From left to right: a box can meet those that begin before it ends.
    place = np.arange(order.size)
    partners = np.maximum(np.searchsorted(left, right) - place - 1, 0)
    one = np.repeat(place, partners)
    two = one + 1 + np.arange(one.size) - np.repeat(np.cumsum(partners) - partners, partners)
    meet = np.flatnonzero((bottom[one] < top[two]) & (bottom[two] < top[one]) & (left[one] < right[two]))
    one, two = order[one[meet]], order[two[meet]]
    one, two = np.minimum(one, two), np.maximum(one, two)
    first, second = segments[:, one], segments[:, two]
    close = ~(_parted(first, second) | _parted(second, first))
    return one[close], two[close]


def _may_loop(segments: Complexes) -> NDArray[np.bool_]:
    """A curve meets itself only where it turns back from its chord's direction, and with handles longer than that."""
    chord, steps = segments[3] - segments[0], np.diff(segments, axis=0)
    back = (steps.real * chord.real + steps.imag * chord.imag <= 0).any(axis=0)
    loops: NDArray[np.bool_] = back & (np.abs(steps[0]) + np.abs(steps[2]) > np.abs(chord))
    return loops


def _parted(segments: Complexes, others: Complexes) -> NDArray[np.bool_]:
    """(pairs,) whether a line along the chord of the one has all control points of the other on its far side.

    What runs along that line itself may turn back on it, and is left to the closer search.
    """
    across = 1j * (segments[3] - segments[0])
    low, high = _extent(segments, across)
    other_low, other_high = _extent(others, across)
    thick = (high - low > _THIN) & (other_high - other_low > _THIN)
    parted: NDArray[np.bool_] = thick & ((high <= other_low) | (other_high <= low))
    return parted


_THIN = 1e-6  # square units


def _extent(segments: Complexes, along: Complexes) -> tuple[Floats, Floats]:
    """Least and largest places of the control points in a direction, times its length."""
    places = segments.real * along.real + segments.imag * along.imag
    return places.min(axis=0), places.max(axis=0)


def _cross(segments: Complexes, lines: bool, others: Complexes, other_lines: bool) -> NDArray[np.bool_]:
    """(pairs,) whether the one segment, (4, pairs), crosses the other."""
    crossed = np.zeros(segments.shape[1], bool)
    boxes, other_boxes = _chord_boxes(segments, lines), _chord_boxes(others, other_lines)
    low, high = (bound[:, None] for bound in boxes)
    other_low, other_high = (bound[None] for bound in other_boxes)
    meet = (low.real < other_high.real) & (other_low.real < high.real)
    meet &= (low.imag < other_high.imag) & (other_low.imag < high.imag)
    chord, other_chord, pair = np.nonzero(meet)
    path, other = _within(segments[:, pair], lines, chord), _within(others[:, pair], other_lines, other_chord)
    a, b = path[:-1, None], path[1:, None]
    c, d = other[None, :-1], other[None, 1:]
    # Chords that share an end have exactly no area there, and so do not cross.
    cross = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    crossed[pair[cross.any(axis=(0, 1))]] = True
    return crossed


def _chord_boxes(segments: Complexes, lines: bool) -> tuple[Complexes, Complexes]:
    """Lower left and upper right corners, (chords, n), of boxes that hold the curve along each chord."""
    if lines:
        path, slack = segments[::3], np.zeros(segments.shape[1])
    else:
        path = _points(segments, _TIMES[::_FINER, None])
        p0, p1, p2, p3 = segments
        # A chord is off its curve by at most an eighth of the second derivative times the step squared.
        slack = 6 / 8 * _LONGEST**2 * np.maximum(np.abs(p0 - 2 * p1 + p2), np.abs(p1 - 2 * p2 + p3))
    room = slack + 1j * slack
    x, y, next_x, next_y = path.real[:-1], path.imag[:-1], path.real[1:], path.imag[1:]
    low = np.minimum(x, next_x) + 1j * np.minimum(y, next_y) - room
    return low, np.maximum(x, next_x) + 1j * np.maximum(y, next_y) + room


def _within(segments: Complexes, lines: bool, chord: Ints) -> Complexes:
    """(points, n) along one chord of each segment; the ends of segments exactly."""
    if lines:
        return segments[::3]
    return _points(segments, _TIMES[chord * _FINER + np.arange(_FINER + 1)[:, None]])


def _points(segments: Complexes, t: Floats) -> Complexes:
    p0, p1, p2, p3 = segments
    path: Complexes = (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t * t * p2 + t**3 * p3
    return path


def _side(start: Complexes, end: Complexes, point: Complexes) -> Floats:
    """Twice the area of a triangle, positive when `point` lies to the left."""
    along, to = end - start, point - start
    result: Floats = along.real * to.imag - along.imag * to.real
    return result


def line_segment(start: complex, end: complex) -> Segment:
    return start, start, end, end


def spline_segments(points: Sequence[complex], on_curve: Sequence[bool]) -> tuple[list[Segment], list[int]]:
    """A closed contour of lines and quadratic splines that ends at its last point, as cubics.

    With the number of the spline, or line, that each of them is part of.
    """
    segments: list[Segment] = []
    numbers: list[int] = []
    here, control, number = points[-1], None, 0
    for z, on in zip(points, on_curve, strict=True):
        if control is None:
            if on:
                segments.append(line_segment(here, z))
                numbers.append(number)
                number += 1
                here = z
            else:
                control = z
            continue
        end = z if on else (control + z) / 2
        segments.append((here, here + (control - here) * 2 / 3, end + (control - end) * 2 / 3, end))
        numbers.append(number)
        number += on
        here, control = end, None if on else z
    return segments, numbers


def cubic_segments(contour: Sequence[tuple[complex, ...]]) -> tuple[list[Segment], list[int]]:
    """A closed contour of (end,) and (control, control, end), with the number of each."""
    segments: list[Segment] = []
    start = contour[-1][-1]
    for segment in contour:
        if len(segment) == 3:
            segments.append((start, segment[0], segment[1], segment[2]))
        else:
            segments.append(line_segment(start, segment[0]))
        start = segment[-1]
    return segments, list(range(len(segments)))
