"""Contours that cross themselves or each other, found on the integer grid of a font.

Segments whose boxes meet are compared chord by chord; touching is no crossing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Ints

_CHORDS = 8

Segment = tuple[complex, complex, complex, complex]
"""Start, two control points, end; a line has its control points at its ends."""


def crossing_pairs(segments: Complexes, contour: Ints, glyph: Ints) -> tuple[Ints, Ints]:
    """Pairs of segments that cross, or one segment twice.

    `segments`: (4, n) start, control points and end of cubics (lines: control points at the ends), whose contours
    follow each other. `contour`, `glyph`: (n,) what each belongs to, both ascending.
    """
    if not contour.size:
        return contour, contour
    following = np.arange(1, contour.size + 1)
    ends = np.flatnonzero(np.diff(contour, append=-1))
    following[ends] = np.concatenate([[0], ends[:-1] + 1])
    one, two = _near(segments, glyph)
    # A curve meets itself only when its handles together are longer than its chord.
    handles = np.abs(segments[1] - segments[0]) + np.abs(segments[3] - segments[2])
    looped = np.flatnonzero(handles > np.abs(segments[3] - segments[0]))
    one, two = np.concatenate([one, looped]), np.concatenate([two, looped])
    line = (segments[1] == segments[0]) & (segments[2] == segments[3])
    straight = line[one].astype(np.int64) + line[two]
    # Lines first, so that the three kinds of pairs need as few chords as they can.
    one, two = np.where(line[one], one, two), np.where(line[one], two, one)
    found = []
    for lines in range(3):
        pair = straight == lines
        first, second = one[pair], two[pair]
        path = segments[::3, first] if lines else _path(segments[:, first])
        other = segments[::3, second] if lines == 2 else _path(segments[:, second])
        crossed = _cross(path, other, first, second, following)
        found.append((first[crossed], second[crossed]))
    ones, twos = zip(*found, strict=True)
    return np.concatenate(ones), np.concatenate(twos)


def _near(segments: Complexes, glyph: Ints) -> tuple[Ints, Ints]:
    """Pairs of segments of one glyph whose boxes overlap; neighbours' boxes may touch."""
    left, right = segments.real.min(axis=0), segments.real.max(axis=0)
    bottom, top = segments.imag.min(axis=0), segments.imag.max(axis=0)
    ones, twos = [], []
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(glyph)) + 1, [glyph.size]]).tolist()
    for first, end in pairwise(bounds):
        mine = slice(first, end)
        meet = (left[mine, None] < right[mine]) & (bottom[mine, None] < top[mine])
        one, two = np.nonzero(meet & meet.T)
        later = two > one
        ones.append(one[later] + first)
        twos.append(two[later] + first)
    return np.concatenate(ones), np.concatenate(twos)


def _path(segments: Complexes) -> Complexes:
    """(_CHORDS + 1, n) points of cubics, the ends exactly."""
    t = np.linspace(0.0, 1.0, _CHORDS + 1)[:, None]
    p0, p1, p2, p3 = segments
    path: Complexes = (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t * t * p2 + t**3 * p3
    return path


def _cross(paths: Complexes, others: Complexes, one: Ints, two: Ints, following: Ints) -> NDArray[np.bool_]:
    """(pairs,) whether any chord of the one path crosses one of the other; chords that share an end are left out."""
    a, b = paths[:-1, None], paths[1:, None]
    c, d = others[None, :-1], others[None, 1:]

    def side(start: Complexes, end: Complexes, point: Complexes) -> NDArray[np.float64]:
        along, to = end - start, point - start
        result: NDArray[np.float64] = along.real * to.imag - along.imag * to.real
        return result

    cross = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    cross[-1, 0] &= following[one] != two
    cross[0, -1] &= following[two] != one
    if len(paths) == len(others) > 2:
        chord = np.arange(len(paths) - 1)
        neighbours = np.abs(chord[:, None] - chord) <= 1
        cross &= ~(neighbours[:, :, None] & (one == two))
    crossed: NDArray[np.bool_] = np.asarray(cross.any(axis=(0, 1)))
    return crossed


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
