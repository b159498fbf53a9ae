"""What no traced outline may have: contours that turn the wrong way, or cross themselves or each other.

Judged on the outlines as they stand in a font file, flattened finely, independently of the tracer's own search.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.fonts.check_winding import winding_fault

Operations = list[tuple[str, tuple[Any, ...]]]
Polygon = NDArray[np.complex128]

_CHORDS = 32
"""Chords a curve: four times as many as the tracer looks at."""

_ON_CURVE = 1


def polygons(operations: Operations) -> list[Polygon]:
    """Closed polygons (complex, without a repeated end) along contours of lines, cubics and quadratic splines."""
    found: list[Polygon] = []
    points: list[Any] = []
    here = 0j
    for operator, given in operations:
        z = [complex(*point) for point in given if point is not None]
        if operator == "moveTo":
            points, here = [np.array(z)], z[0]
        elif operator == "lineTo":
            points.append(np.array(z))
        elif operator == "curveTo":
            points.append(_curve([here, *z]))
        elif operator == "qCurveTo":
            if given[-1] is None:  # a contour without any on-curve point
                z.append((z[-1] + z[0]) / 2)
                points, here = [np.array(z[-1:])], z[-1]
            start = here
            for k, control in enumerate(z[:-1]):
                end = z[-1] if k == len(z) - 2 else (control + z[k + 1]) / 2
                points.append(_curve([start, control, end]))
                start = end
        if operator in {"closePath", "endPath"} or (operator == "qCurveTo" and given[-1] is None):
            polygon = np.concatenate(points)
            distinct = polygon[polygon != np.roll(polygon, 1)]
            if len(distinct) > 2:
                found.append(distinct)
            points = [np.zeros(0, complex)]
        elif z:
            here = z[-1]
    return found


def _curve(controls: list[complex]) -> Polygon:
    """De Casteljau, the start left out."""
    t = np.arange(1, _CHORDS + 1) / _CHORDS
    levels = [np.full(_CHORDS, control) for control in controls]
    while len(levels) > 1:
        levels = [a * (1 - t) + b * t for a, b in pairwise(levels)]
    levels[0][-1] = controls[-1]
    return levels[0]


def is_miswound(outline: list[Polygon], clockwise: bool, units_per_em: int) -> bool:
    """Whether a contour turns the wrong way for what it encloses."""
    if not outline:
        return False
    flat = np.concatenate(outline)
    points = np.stack([flat.real, flat.imag], axis=1)
    ends = np.cumsum([len(polygon) for polygon in outline]) - 1
    tags = np.full(len(flat), _ON_CURVE, np.uint8)
    return winding_fault(points, tags, ends, clockwise=clockwise, units_per_em=units_per_em) is not None


def crossings(outline: list[Polygon]) -> list[complex]:
    """Where sides of the polygons cross properly: touching and shared ends are no crossing."""
    if not outline:
        return []
    start = np.concatenate(outline)
    end = np.concatenate([np.roll(polygon, -1) for polygon in outline])
    left, right = np.minimum(start.real, end.real), np.maximum(start.real, end.real)
    bottom, top = np.minimum(start.imag, end.imag), np.maximum(start.imag, end.imag)
    order = np.argsort(left, kind="stable")
    # A sweep from left to right: what begins before a side ends can meet it.
    last = np.searchsorted(left[order], right[order], side="right")
    found: list[complex] = []
    for place, side in enumerate(order.tolist()):
        others = order[place + 1 : last[place]]
        others = others[(bottom[others] <= top[side]) & (top[others] >= bottom[side])]
        a, b, c, d = start[side], end[side], start[others], end[others]
        crossed = (_turn(a, b, c) * _turn(a, b, d) < 0) & (_turn(c, d, a) * _turn(c, d, b) < 0)
        if crossed.any():
            c, d = c[crossed], d[crossed]
            share = _turn(c, d, a) / (_turn(c, d, a) - _turn(c, d, b))
            found += (a + share * (b - a)).tolist()
    return found


def _turn(a: Any, b: Any, c: Any) -> Any:
    along, to = b - a, c - a
    return along.real * to.imag - along.imag * to.real
