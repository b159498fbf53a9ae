"""Arithmetic of single cubics, without arrays: extent, and quadratic splines close to them."""

from __future__ import annotations

from math import sqrt
from typing import TypeAlias

from fontTools.cu2qu import curve_to_quadratic
from fontTools.cu2qu.errors import ApproxNotFoundError

Point: TypeAlias = tuple[float, float]


def cubic_bounds(p0: Point, p1: Point, p2: Point, p3: Point) -> tuple[float, float, float, float]:
    """(x_min, y_min, x_max, y_max) of the curve, not of its control points."""
    x_min, x_max = _extent(p0[0], p1[0], p2[0], p3[0])
    y_min, y_max = _extent(p0[1], p1[1], p2[1], p3[1])
    return x_min, y_min, x_max, y_max


def _extent(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    low, high = min(a, d), max(a, d)
    if low <= min(b, c) and high >= max(b, c):
        return low, high
    for t in _unit_roots(3 * (d - a) + 9 * (b - c), 6 * (a - 2 * b + c), 3 * (b - a)):
        s = 1 - t
        value = s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d
        low, high = min(low, value), max(high, value)
    return low, high


def _unit_roots(a: float, b: float, c: float) -> list[float]:
    """Roots of a t^2 + b t + c strictly between 0 and 1."""
    if abs(a) < 1e-12:
        roots = [-c / b] if abs(b) > 1e-12 else []
    else:
        discriminant = b * b - 4 * a * c
        if discriminant < 0:
            return []
        root = sqrt(discriminant)
        roots = [(-b - root) / (2 * a), (-b + root) / (2 * a)]
    return [t for t in roots if 0 < t < 1]


def cubic_to_splines(p0: Point, p1: Point, p2: Point, p3: Point, *, tolerance: float) -> list[tuple[Point, ...]]:
    """Quadratic splines (off-curve points, then the end) within `tolerance` of the cubic.

    One spline nearly always; a cubic that no single spline follows is halved.
    """
    try:
        spline = curve_to_quadratic((p0, p1, p2, p3), tolerance)
    except ApproxNotFoundError:
        q0 = _middle(p0, p1)
        q1 = _middle(p1, p2)
        q2 = _middle(p2, p3)
        r0, r1 = _middle(q0, q1), _middle(q1, q2)
        centre = _middle(r0, r1)
        left = cubic_to_splines(p0, q0, r0, centre, tolerance=tolerance)
        return left + cubic_to_splines(centre, r1, q2, p3, tolerance=tolerance)
    return [tuple((float(x), float(y)) for x, y in spline[1:])]


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
