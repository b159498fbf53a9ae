"""Fitted contours that cross, or no longer enclose what their loops do, are found on the integer grid of a font.

Where two cross the shorter curve becomes its chord: nearly all crossings are hooks of a unit or two where a short
curve runs into a corner. What chords cannot mend, or spoil, is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeAlias

import numpy as np

from fontgen.canvas import Canvas
from fontgen.outlines.crossing import Segment, crossing_pairs, cubic_segments, spline_segments
from fontgen.outlines.edge import Complexes, Floats, Ints
from fontgen.outlines.refit import Refitted
from fontgen.outlines.truetype import Bools, goes_without_saying, neighbours
from fontgen.outlines.winding import turned_wrongly

_ROUNDS = 3
_HUNDREDTHS = 1e5
"""Places to the em: coordinates are rounded to a hundredth of a unit, so that an SVG file states them exactly."""


@dataclass(frozen=True)
class Grid:
    """From edge coordinates (y up, pixels) to em, and to the integers of a font."""

    canvas: Canvas
    units_per_em: int

    def em(self, z: Complexes) -> Complexes:
        (xx, _, x0), (_, yy, y0) = self.canvas.px_to_em.tolist()
        em = np.empty_like(z)
        em.real = np.rint((xx * z.real + x0) * _HUNDREDTHS) / _HUNDREDTHS
        em.imag = np.rint((y0 - yy * z.imag) * _HUNDREDTHS) / _HUNDREDTHS
        return em

    def units(self, z: Complexes) -> Complexes:
        em = self.em(z) * self.units_per_em
        units: Complexes = np.floor(em.real + 0.5) + 1j * np.floor(em.imag + 0.5)
        return units

    @property
    def px2_per_unit2(self) -> float:
        """Square pixels to the square unit."""
        return float(self.canvas.px_to_em[0, 0] * self.units_per_em) ** -2


def untangled(
    contours: Sequence[Refitted], glyph: Ints, areas_px2: Floats, grid: Grid, among: Ints | None = None
) -> Ints:
    """Mend contours in place; numbers of those that are faulty all the same.

    Faulty are contours that cross, themselves or another of their glyph, that do not enclose what their loops do,
    and in glyphs with any such fault also those that do not turn as their nesting asks.
    `glyph`: (contours,) which glyph each belongs to, ascending. `areas_px2`: (contours,) what the loops enclose.
    `among`: glyphs that were mended before; no others are looked at.
    """
    suspects = np.arange(len(contours)) if among is None else np.flatnonzero(np.isin(glyph, among))
    doubted = among is not None
    for left in reversed(range(_ROUNDS)):
        faulty: set[int] = set()
        changed = False
        for kind in (_cubics, _splines):
            shapes = _Shapes(kind([contours[index] for index in suspects.tolist()], grid), suspects, glyph)
            twisted = ~_alike(shapes.areas() * grid.px2_per_unit2, areas_px2[suspects])
            one, two = crossing_pairs(shapes.segments, shapes.contour, glyph[shapes.contour])
            wrong = {*suspects[twisted].tolist(), *shapes.contour[one].tolist(), *shapes.contour[two].tolist()}
            if doubted:
                wrong |= shapes.turned_wrongly(wrong)
            faulty |= wrong
            if left:
                # To straighten what crosses a twisted contour would be the wrong contour's cure.
                whole = ~np.isin(shapes.contour, suspects[twisted])
                sound = whole[one] & whole[two]
                for index, numbers in shapes.shorter(one[sound], two[sound]).items():
                    changed |= _straighten(contours[index], kind is _splines, numbers)
        if not faulty or not changed:
            break
        # What is faulty now is at most what belongs to the glyphs that were before.
        suspects, doubted = np.flatnonzero(np.isin(glyph, glyph[sorted(faulty)])), True
    return np.array(sorted(faulty), np.int64)


def _alike(areas: Floats, true: Floats) -> Bools:
    """Which contours enclose what their loops do (px squared); a twist would turn ink into paper."""
    alike: Bools = np.abs(areas - true) <= 0.1 * np.abs(true) + np.minimum(2.0, 0.5 * np.abs(true))
    return alike


_Parts: TypeAlias = list[tuple[list[Segment], list[int]]]
"""For each contour its segments, and the number of the curve or line that each is part of."""


def _cubics(contours: Sequence[Refitted], grid: Grid) -> _Parts:
    flat = [z for contour in contours for segment in contour.cubic for z in segment]
    rounded = iter(grid.units(np.array(flat)).tolist())
    return [cubic_segments([tuple(islice(rounded, len(segment))) for segment in contour.cubic]) for contour in contours]


def _splines(contours: Sequence[Refitted], grid: Grid) -> _Parts:
    z = grid.units(np.array([z for contour in contours for z in contour.points]))
    on_curve = np.array([on for contour in contours for on in contour.on_curve], bool)
    starts = np.cumsum([0, *(len(contour.points) for contour in contours)])
    before, after = neighbours(starts)
    # As a font holds them: on-curve points that are left out are where their neighbours imply them.
    implied = goes_without_saying(z.real, z.imag, on_curve, before, after)
    implied[starts[1:] - 1] = False
    z[implied] = (z[before[implied]] + z[after[implied]]) / 2
    rounded = iter(z.tolist())
    return [spline_segments(list(islice(rounded, len(contour.points))), contour.on_curve) for contour in contours]


class _Shapes:
    """The segments of some contours, as a font holds them."""

    def __init__(self, parts: _Parts, numbers: Ints, glyph: Ints) -> None:
        """`numbers`: which contours these are, ascending."""
        counts = [len(segments) for segments, _ in parts]
        self.segments: Complexes = np.array(list(chain.from_iterable(segments for segments, _ in parts))).T
        self.contour: Ints = np.repeat(numbers, counts)
        self._curve = np.array(list(chain.from_iterable(curves for _, curves in parts)))
        self._numbers, self._starts, self._glyph = numbers, np.cumsum([0, *counts]), glyph

    def areas(self) -> Floats:
        """What each contour encloses, positive when counter-clockwise (Green's theorem on the Bernstein form)."""
        p0, p1, p2, p3 = self.segments
        weighed = np.conj(p0) * (6 * p1 + 3 * p2 + p3) + np.conj(p1) * (3 * p2 + 3 * p3) + 6 * np.conj(p2) * p3
        areas: Floats = np.add.reduceat(weighed.imag, self._starts[:-1]) / 20
        return areas

    def shorter(self, one: Ints, two: Ints) -> dict[int, set[int]]:
        """Of pairs of segments that cross, the contours and curves that should become chords."""
        segments = self.segments
        length = np.abs(segments[3] - segments[0])
        length[(segments[0] == segments[1]) & (segments[2] == segments[3])] = np.inf  # lines are chords already
        shorter = np.where(length[one] <= length[two], one, two)
        shorter = shorter[np.isfinite(length[shorter])]
        chords: dict[int, set[int]] = {}
        for index, number in zip(self.contour[shorter].tolist(), self._curve[shorter].tolist(), strict=True):
            chords.setdefault(index, set()).add(number)
        return chords

    def turned_wrongly(self, besides: set[int]) -> set[int]:
        """Contours that do not turn as their nesting asks, in glyphs that have none of those faults `besides`."""
        faulty = np.unique(self._glyph[sorted(besides)]) if besides else np.empty(0, np.int64)
        mine = self._glyph[self._numbers]
        found: set[int] = set()
        for glyph in np.setdiff1d(mine, faulty).tolist():
            first, end = np.searchsorted(mine, (glyph, glyph + 1)).tolist()
            starts = self._starts[first : end + 1]
            wrong = turned_wrongly(self.segments[:, starts[0] : starts[-1]], starts - starts[0])
            found |= set(self._numbers[first:end][wrong].tolist())
        return found


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
