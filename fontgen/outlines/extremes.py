"""Curves divided where they turn past an axis, so that a point stands at their extreme.

Fitting divides where the edge visibly turns; what a fitted curve then does beyond its ends by itself, its handles tell.
The divided curve is the same curve.
"""

from __future__ import annotations

from itertools import pairwise

from fontTools.misc.bezierTools import solveQuadratic, splitCubicAtTC

Cubic = tuple[complex, complex, complex]

_SHORTEST = 4
"""Times `least`: no part gets a shorter chord, for a point so near to another is worse than none."""


def cubic_at_extremes(p0: complex, p1: complex, p2: complex, p3: complex, least: float) -> list[Cubic]:
    """(control, control, end) of the parts of a cubic; `least`: how far handles must stand out beyond its ends."""
    across = _stands_out(p0.real, p1.real, p3.real, least) or _stands_out(p0.real, p2.real, p3.real, least)
    along = _stands_out(p0.imag, p1.imag, p3.imag, least) or _stands_out(p0.imag, p2.imag, p3.imag, least)
    if not (across or along):  # nearly always
        return [(p1, p2, p3)]
    found: dict[float, bool] = {}
    if across:
        found |= dict.fromkeys(_turns(p0.real, p1.real, p2.real, p3.real), True)
    if along:
        found |= dict.fromkeys(_turns(p0.imag, p1.imag, p2.imag, p3.imag), False)
    if not found:
        return [(p1, p2, p3)]
    times = sorted(found)
    parts = list(splitCubicAtTC(p0, p1, p2, p3, *times))
    if any(abs(part[3] - part[0]) < _SHORTEST * least for part in parts):
        return [(p1, p2, p3)]
    cubics: list[Cubic] = [part[1:] for part in parts]
    for k, t in enumerate(times):
        (first, before, extreme), (after, last, end) = cubics[k : k + 2]
        cubics[k] = (first, _in_line(before, extreme, found[t]), extreme)
        cubics[k + 1] = (_in_line(after, extreme, found[t]), last, end)
    return cubics


def _stands_out(start: float, handle: float, end: float, least: float) -> bool:
    if start < end:
        return handle < start - least or handle > end + least
    return handle < end - least or handle > start + least


def _turns(a: float, b: float, c: float, d: float) -> list[float]:
    """Where between its ends a cubic turns back along one axis."""
    return [t for t in solveQuadratic(d - a + 3 * (b - c), 2 * (a - 2 * b + c), b - a) if 0.0 < t < 1.0]


def spline_at_extremes(
    start: complex, off_curve: list[complex], end: complex, least: float
) -> tuple[list[complex], list[bool]]:
    """The points after `start` of a quadratic spline, and which lie on the curve.

    On-curve points between off-curve ones are implied, but for those beside a division.
    """
    joints = [(a + b) / 2 for a, b in pairwise(off_curve)]
    if not any(
        _stands_out(here.real, control.real, there.real, least)
        or _stands_out(here.imag, control.imag, there.imag, least)
        for control, here, there in zip(off_curve, [start, *joints], [*joints, end], strict=True)
    ):  # nearly always
        return [*off_curve, end], [False] * len(off_curve) + [True]
    points: list[complex] = []
    on_curve: list[bool] = []
    divided_before = False
    for control, (here, there) in zip(off_curve, pairwise([start, *joints, end]), strict=True):
        parts = _quadratic_at_extreme(here, control, there, least)
        if points and (len(parts) > 1 or divided_before):
            points.append(here)
            on_curve.append(True)
        divided_before = len(parts) > 1
        points += [z for part in parts for z in part][:-1]
        on_curve += ([False, True] * len(parts))[:-1]
    return [*points, end], [*on_curve, True]


def _quadratic_at_extreme(
    start: complex, control: complex, end: complex, least: float
) -> list[tuple[complex, complex]]:
    """(control, end) of the parts: two where the control point stands out along one axis."""
    if _stands_out(start.real, control.real, end.real, least):
        t = (start.real - control.real) / (start.real - 2 * control.real + end.real)
    elif _stands_out(start.imag, control.imag, end.imag, least):
        t = (start.imag - control.imag) / (start.imag - 2 * control.imag + end.imag)
    else:
        return [(control, end)]
    one, two = start + (control - start) * t, control + (end - control) * t
    middle = one + (two - one) * t
    if min(abs(middle - start), abs(end - middle)) < _SHORTEST * least:
        return [(control, end)]
    upright = _stands_out(start.real, control.real, end.real, least)
    return [(_in_line(one, middle, upright), middle), (_in_line(two, middle, upright), end)]


def _in_line(handle: complex, extreme: complex, upright: bool) -> complex:
    """The handle exactly above, below or beside its extreme, whatever the arithmetic left."""
    return complex(extreme.real, handle.imag) if upright else complex(handle.real, extreme.imag)
