"""Winding from nesting: outer contours counter-clockwise, counters clockwise, islands again counter-clockwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.outline import Contour, reversed_contour, signed_area


def wind_by_nesting(contours: Sequence[Contour]) -> list[Contour]:
    """Turn every contour so that its depth of nesting, not the even-odd rule, says what is ink.

    Contours must not cross each other.
    """
    polygons = [flatten(contour) for contour in contours]
    wound: list[Contour] = []
    for index, contour in enumerate(contours):
        depth = sum(other != index and _contains(polygon, polygons[index][0]) for other, polygon in enumerate(polygons))
        wanted_positive = depth % 2 == 0
        wound.append(contour if (signed_area(contour) > 0) == wanted_positive else reversed_contour(contour))
    return wound


def flatten(contour: Contour, steps: int = 8) -> NDArray[np.float64]:
    """(n, 2) polygon along the contour, `steps` chords a cubic."""
    t = np.arange(1, steps + 1) / steps
    weights = np.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], axis=1)
    parts: list[NDArray[np.float64]] = []
    start = contour[-1][-1]
    for segment in contour:
        points = np.array([start, *segment])
        parts.append(weights @ points if len(segment) == 3 else points[1:])
        start = segment[-1]
    return np.concatenate(parts)


def _contains(polygon: NDArray[np.float64], point: NDArray[np.float64]) -> bool:
    """Whether a ray from `point` to the right crosses the polygon an odd number of times."""
    x, y = point
    x0, y0 = polygon[:, 0], polygon[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    crosses = (y0 > y) != (y1 > y)
    if not crosses.any():
        return False
    at = x0[crosses] + (y - y0[crosses]) / (y1[crosses] - y0[crosses]) * (x1[crosses] - x0[crosses])
    return bool(np.count_nonzero(at > x) % 2)
