"""Take candidates apart where straight lines run through them: crossing hairlines, a hairline on a counter."""

from __future__ import annotations

from math import atan2, cos, hypot, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from fontgen.glyphs.clean_morphology import Mask, Places, label

Floats = NDArray[np.float64]

_ANGLES = np.arange(36) * np.pi / 36
_NORMALS = np.stack([np.cos(_ANGLES), -np.sin(_ANGLES)])
"""(2, 36) unit (row, col) normals of lines every 5 degrees."""

_STRIP_PX = 3.0
"""Width of the strip in which a line's pixels are gathered: the widest hairline."""

_LONG_PX = 9.0
"""A line shorter than this is no evidence of a hairline of its own."""

_SMALLEST_SHARE = 0.2
_LINES = 4


def split_lines(
    rows: Places, cols: Places, members: Places, count: int, weight: Floats, scale: float
) -> tuple[Places, int]:
    """Part the straight lines from components that spread both ways; returns the new members and their count.

    Arrays are per pixel, in the order of rows and columns: its place, the component (from 0) that it belongs to, and
    the depth of the gap there (0..1). Lengths are px times `scale`.
    """
    members = members.copy()
    for number in _crooked(rows, cols, members, count, weight, scale):
        rest = np.flatnonzero(members == number)
        if min(np.ptp(rows[rest]), np.ptp(cols[rest])) + 1 < _LONG_PX * scale * 0.6:
            continue
        for _ in range(_LINES):
            line = _longest_line(np.stack([rows[rest], cols[rest]], axis=1), weight[rest], scale)
            if line is None:
                break
            members[rest[line]] = count
            count += 1
            rest = rest[~line]
        else:
            continue
        # what is left may have fallen apart
        parts, pieces = _parts(rows[rest], cols[rest])
        members[rest[parts > 0]] = count - 1 + parts[parts > 0]
        count += max(pieces - 1, 0)
    return members, count


def _crooked(rows: Places, cols: Places, members: Places, count: int, weight: Floats, scale: float) -> list[int]:
    """The components that `_longest_line` does not find straight, by the same test on all at once."""

    def total(values: Floats) -> Floats:
        return np.bincount(members, values, count).astype(np.float64)

    mass = np.maximum(total(weight), 1e-6)
    d_row, d_col = rows - (total(weight * rows) / mass)[members], cols - (total(weight * cols) / mass)[members]
    free = np.maximum(mass - total(weight * weight) / mass, 1e-6)
    var_row, var_col = total(weight * d_row * d_row) / free + 1 / 12, total(weight * d_col * d_col) / free + 1 / 12
    spread = np.hypot((var_row - var_col) / 2, total(weight * d_row * d_col) / free)
    middle = (var_row + var_col) / 2
    length, thickness = np.sqrt(12 * (middle + spread)), np.sqrt(12 * np.maximum(middle - spread, 0))
    crooked = thickness > (1.8 * mass / length + 1.5 * scale) * (1 - 1e-9)
    crooked &= np.bincount(members, minlength=count) >= _LONG_PX * scale
    return np.flatnonzero(crooked).tolist()


def _parts(rows: Places, cols: Places) -> tuple[Places, int]:
    """The component (from 0) of each of some pixels, in the order of rows and columns, and the components' count."""
    if not len(rows):
        return np.zeros(0, np.intp), 0
    top, left = rows.min(), cols.min()
    mask = np.zeros((int(rows.max() - top) + 1, int(cols.max() - left) + 1), bool)
    mask[rows - top, cols - left] = True
    return label(mask)[1:]


def _spread(points: Floats, weight: Floats) -> tuple[float, float, float]:
    """Largest and smallest variance of weighted (k, 2) points, a pixel's own extent added, and the largest's angle."""
    total = weight.sum()
    away = points - weight @ points / total
    heavy = away * weight[:, None] / (total - weight @ weight / total)
    (var_row, cov), (_, var_col) = (heavy.T @ away).tolist()
    middle, spread = (var_row + var_col) / 2 + 1 / 12, hypot((var_row - var_col) / 2, cov)
    return middle + spread, middle - spread, 0.5 * atan2(2 * cov, var_col - var_row)


def _longest_line(points: Places, weight: Floats, scale: float) -> Mask | None:
    """Which of (k, 2) pixels make up the heaviest straight strip, or None when they are one strip or none."""
    if len(points) < _LONG_PX * scale:
        return None
    middle = points - points.mean(axis=0)
    most, least, _ = _spread(middle, weight)
    if sqrt(12 * least) <= 1.8 * weight.sum() / sqrt(12 * most) + 1.5 * scale:
        return None  # straight already
    bins = np.floor((middle @ _NORMALS) / scale).astype(np.intp)
    bins -= bins.min()
    size = int(bins.max()) + 3
    placed = (bins + np.arange(len(_ANGLES)) * size).ravel()
    mass = np.bincount(placed, np.repeat(weight, len(_ANGLES)), len(_ANGLES) * size).reshape(-1, size)
    strip = mass[:, :-2] + mass[:, 1:-1] + mass[:, 2:]
    best, at = np.unravel_index(int(strip.argmax()), strip.shape)
    chosen = np.abs(bins[:, best] - at - 1) <= 1
    for _ in range(2):  # the angle is refined by the pixels it gathered
        heavy = weight[chosen]
        centre = heavy @ middle[chosen] / heavy.sum()
        angle = _spread(middle[chosen], heavy)[2]
        chosen = np.abs((middle - centre) @ (cos(angle), -sin(angle))) <= (_STRIP_PX / 2 + 0.5) * scale
    along = (middle[chosen] - centre) @ (sin(angle), cos(angle))
    share = weight[chosen].sum() / weight.sum()
    if share < _SMALLEST_SHARE or share > 0.97 or np.ptp(along) < _LONG_PX * scale:
        return None
    parts, count = _parts(*points[chosen].T)
    if count > 1:  # only the part that hangs together
        chosen[np.flatnonzero(chosen)[parts != np.bincount(parts).argmax()]] = False
    line: Mask = chosen
    return line
