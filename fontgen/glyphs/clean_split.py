"""Take candidates apart where straight lines run through them: crossing hairlines, a hairline on a counter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fontgen.glyphs.clean_morphology import EIGHT, Ink8

_ANGLES = np.arange(36) * np.pi / 36
_NORMALS = np.stack([np.cos(_ANGLES), -np.sin(_ANGLES)])
"""(2, 36) unit (row, col) normals of lines every 5 degrees."""

_STRIP_PX = 3.0
"""Width of the strip in which a line's pixels are gathered: the widest hairline."""

_LONG_PX = 9.0
"""A line shorter than this is no evidence of a hairline of its own."""

_SMALLEST_SHARE = 0.2
_LINES = 4


def split_lines(labels: NDArray[np.int32], flat: NDArray[np.intp], count: int, dip: Ink8, scale: float) -> int:
    """Relabel, in place, the straight parts of components that spread both ways; returns the new count.

    `labels` (rows, cols) holds 1..count, at the places `flat` of the array laid flat, `dip` the depth of the gap;
    lengths are px times `scale`.
    """
    for number, window in _wide_windows(labels, flat, count, _LONG_PX * scale * 0.6):
        for _ in range(_LINES):
            line = _longest_line(labels[window] == number, dip[window], scale)
            if line is None:
                break
            count += 1
            labels[window][line] = count
        else:
            continue
        # what is left may have fallen apart
        rest, pieces = ndimage.label(labels[window] == number, EIGHT)
        for piece in range(2, pieces + 1):
            count += 1
            labels[window][rest == piece] = count
    return count


def _wide_windows(
    labels: NDArray[np.int32], flat: NDArray[np.intp], count: int, least_px: float
) -> list[tuple[int, tuple[slice, slice]]]:
    """Number and window of the components at least that wide and high."""
    if not len(flat):
        return []
    numbers = labels.ravel()[flat]
    order = np.argsort(numbers, kind="stable")  # within a component the pixels stay in the order of rows
    starts = np.searchsorted(numbers[order], np.arange(1, count + 1))
    rows, cols = np.divmod(flat[order], labels.shape[1])
    tops, bottoms = rows[starts], rows[np.append(starts[1:], len(rows)) - 1] + 1
    lefts, rights = np.minimum.reduceat(cols, starts), np.maximum.reduceat(cols, starts) + 1
    wide = np.flatnonzero(np.minimum(bottoms - tops, rights - lefts) >= least_px)
    return [(int(i) + 1, (slice(tops[i], bottoms[i]), slice(lefts[i], rights[i]))) for i in wide]


def _spread(points: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 2) weighted covariance of (k, 2) centred points, with that of a pixel's own extent."""
    total = weight.sum()
    away = points - weight @ points / total
    scatter: NDArray[np.float64] = (away * weight[:, None]).T @ away / (total - weight @ weight / total)
    scatter += np.eye(2) / 12
    return scatter


def _longest_line(mask: NDArray[np.bool_], dip: Ink8, scale: float) -> NDArray[np.bool_] | None:
    """(rows, cols) bool: the pixels of the heaviest straight strip, or None when the mask is one strip or none."""
    points = np.argwhere(mask).astype(np.float64)
    if len(points) < _LONG_PX * scale:
        return None
    weight = dip[mask].astype(np.float64)
    middle = points - points.mean(axis=0)
    spread = np.linalg.eigvalsh(_spread(middle, weight))
    length, thickness = np.sqrt(12 * spread[1]), np.sqrt(12 * spread[0])
    if thickness <= 1.8 * weight.sum() / 255 / length + 1.5 * scale:
        return None  # straight already
    bins = np.floor((middle @ _NORMALS) / scale).astype(np.intp)
    bins -= bins.min()
    size = int(bins.max()) + 3
    mass = np.zeros((len(_ANGLES), size))
    for angle in range(len(_ANGLES)):
        mass[angle] = np.bincount(bins[:, angle], weight, size)
    strip = mass[:, :-2] + mass[:, 1:-1] + mass[:, 2:]
    best, at = np.unravel_index(int(strip.argmax()), strip.shape)
    chosen = np.abs(bins[:, best] - at - 1) <= 1
    for _ in range(2):  # the angle is refined by the pixels it gathered
        heavy = weight[chosen]
        centre = heavy @ middle[chosen] / heavy.sum()
        _, axes = np.linalg.eigh(_spread(middle[chosen], heavy))
        chosen = np.abs((middle - centre) @ axes[:, 0]) <= (_STRIP_PX / 2 + 0.5) * scale
    along = ((middle - centre) @ axes[:, 1])[chosen]
    share = weight[chosen].sum() / weight.sum()
    if share < _SMALLEST_SHARE or share > 0.97 or np.ptp(along) < _LONG_PX * scale:
        return None
    line = np.zeros(mask.shape, bool)
    rows, cols = points[chosen].astype(np.intp).T
    line[rows, cols] = True
    parts, count = ndimage.label(line, EIGHT)
    if count > 1:  # only the part that hangs together
        line = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return line
