"""Fitted contours that cross are mended: the shorter curve of a crossing becomes its chord.

Nearly all crossings are hooks of a unit or two where a short curve runs into a corner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import TypeAlias

import numpy as np

from fontgen.outlines.crossing import Segment, crossing_pairs, cubic_segments, spline_segments
from fontgen.outlines.edge import Complexes, Ints
from fontgen.outlines.refit import Refitted
from fontgen.outlines.truetype import goes_without_saying, neighbours

_ROUNDS = 3

Grid: TypeAlias = Callable[[Complexes], Complexes]
"""From edge coordinates to the integers of a font."""


def untangled(contours: Sequence[Refitted], glyph: Ints, grid: Grid) -> Ints:
    """Mend contours in place; numbers of those that cross, themselves or another of their glyph, all the same.

    `glyph`: (contours,) which glyph each belongs to, ascending.
    """
    suspects = np.arange(len(contours))
    for left in reversed(range(_ROUNDS)):
        crossing: set[int] = set()
        changed = False
        for kind in (_cubics, _splines):
            parts = kind([contours[index] for index in suspects.tolist()], grid)
            found, pairs = _crossing(parts, suspects, glyph)
            crossing |= found
            if left:
                for index, numbers in pairs.items():
                    changed |= _straighten(contours[index], kind is _splines, numbers)
        if not crossing or not changed:
            break
        # What crosses now is at most what belongs to the glyphs that crossed before.
        suspects = np.flatnonzero(np.isin(glyph, glyph[sorted(crossing)]))
    return np.array(sorted(crossing), np.int64)


_Parts: TypeAlias = list[tuple[list[Segment], list[int]]]
"""For each contour its segments, and the number of the curve or line that each is part of."""


def _cubics(contours: Sequence[Refitted], grid: Grid) -> _Parts:
    flat = [z for contour in contours for segment in contour.cubic for z in segment]
    rounded = iter(grid(np.array(flat)).tolist())
    return [cubic_segments([tuple(islice(rounded, len(segment))) for segment in contour.cubic]) for contour in contours]


def _splines(contours: Sequence[Refitted], grid: Grid) -> _Parts:
    z = grid(np.array([z for contour in contours for z in contour.points]))
    on_curve = np.array([on for contour in contours for on in contour.on_curve], bool)
    starts = np.cumsum([0, *(len(contour.points) for contour in contours)])
    before, after = neighbours(starts)
    # As a font holds them: on-curve points that are left out are where their neighbours imply them.
    implied = goes_without_saying(z.real, z.imag, on_curve, before, after)
    implied[starts[1:] - 1] = False
    z[implied] = (z[before[implied]] + z[after[implied]]) / 2
    rounded = iter(z.tolist())
    return [spline_segments(list(islice(rounded, len(contour.points))), contour.on_curve) for contour in contours]


def _crossing(parts: _Parts, suspects: Ints, glyph: Ints) -> tuple[set[int], dict[int, set[int]]]:
    """Contours that cross, and of each contour the curves that should become chords."""
    segments = np.array(list(chain.from_iterable(part[0] for part in parts))).T
    numbers = np.array(list(chain.from_iterable(part[1] for part in parts)))
    contour = np.repeat(suspects, [len(part[0]) for part in parts])
    one, two = crossing_pairs(segments, contour, glyph[contour])
    length = np.abs(segments[3] - segments[0])
    length[(segments[0] == segments[1]) & (segments[2] == segments[3])] = np.inf  # lines are chords already
    shorter = np.where(length[one] <= length[two], one, two)
    shorter = shorter[np.isfinite(length[shorter])]
    chords: dict[int, set[int]] = {}
    for index, number in zip(contour[shorter].tolist(), numbers[shorter].tolist(), strict=True):
        chords.setdefault(index, set()).add(number)
    return {*contour[one].tolist(), *contour[two].tolist()}, chords


def _straighten(contour: Refitted, spline: bool, numbers: set[int]) -> bool:
    """Let the curves of these numbers be lines; whether there was anything to do."""
    if not spline:
        contour.cubic = [segment[-1:] if k in numbers else segment for k, segment in enumerate(contour.cubic)]
        return bool(numbers)
    points, on_curve, number = [], [], 0
    for z, on in zip(contour.points, contour.on_curve, strict=True):
        if on or number not in numbers:
            points.append(z)
            on_curve.append(on)
        number += on
    contour.points, contour.on_curve = points, on_curve
    return bool(numbers)
