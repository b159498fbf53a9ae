"""Fill a white gap from the ink on its two sides, edges kept at sub-pixel accuracy."""

from __future__ import annotations

from math import ceil

import numpy as np
from scipy import ndimage

from fontgen.glyphs.clean_gaps import DESIGN_SIZE_PX, Floats, Gaps
from fontgen.glyphs.clean_morphology import Ink8, dilate_square

_LINE_SLENDERNESS = 2.0
"""From this ratio of length to width on a gap has a direction, and is bridged across it."""

_EDGE_GAIN = 2.0
"""An edge that crosses a gap slantwise is smeared by interpolation; this steepens it again."""

_MAX_SLANT = 2.5
"""Stroke edges that cross a gap up to 68 degrees off its normal are followed."""


def fill_gap(ink8: Ink8, gaps: Gaps, index: int) -> tuple[Ink8, tuple[int, int, int, int]]:
    """The (n, n) image with one candidate filled, and the box (row0, col0, row1, col1) that may differ.

    Ink only grows. A line is filled by interpolating along its normal between its two flanks, so
    that a stroke's edges run on straight; a blot or a bent gap takes the grey closing.
    """
    n = ink8.shape[0]
    scale = n / DESIGN_SIZE_PX
    mine = gaps.members == index
    rows, cols = gaps.rows[mine], gaps.cols[mine]
    pad = ceil(1.5 * gaps.width[index] + 4 * scale)
    box = (
        max(int(rows.min()) - pad, 0), max(int(cols.min()) - pad, 0),
        min(int(rows.max()) + pad + 1, n), min(int(cols.max()) + pad + 1, n),
    )  # fmt: skip
    window = (slice(box[0], box[2]), slice(box[1], box[3]))
    inside = gaps.labels[window] == index + 1
    length, width = gaps.length[index], gaps.width[index]
    thickness = gaps.measures[index, 5] * scale
    straight = thickness <= 1.5 * width + scale
    if length >= _LINE_SLENDERNESS * width and straight:
        filled = _bridge(ink8, gaps, index, box, length, width, scale)
    else:
        filled = np.where(dilate_square(inside), gaps.closed[window], 0)
    out = ink8.copy()
    out[window] = np.maximum(ink8[window], filled)
    return out, box


def _bridge(
    ink8: Ink8, gaps: Gaps, index: int, box: tuple[int, int, int, int], length: float, width: float, scale: float
) -> Ink8:
    """Interpolate between the two flanks, along the slant at which they fit each other best."""
    (u_row, u_col), row, col = gaps.axis[index], gaps.row[index], gaps.col[index]
    half = width / 2 + 1.5 * scale
    reach = ceil(length / 2 + 2 * half + _MAX_SLANT * half)
    places = np.arange(-reach, reach + 1, 0.5)
    flanks = [
        ndimage.map_coordinates(
            ink8,
            [row + places * u_row + side * half * u_col, col + places * u_col - side * half * u_row],
            output=np.float64,
            order=1,
            mode="nearest",
        )
        for side in (1.0, -1.0)
    ]
    slant = _slant(places, flanks, half)
    r, c = np.mgrid[box[0] : box[2], box[1] : box[3]].astype(np.float64)
    along = (r - row) * u_row + (c - col) * u_col
    across = ((r - row) * u_col - (c - col) * u_row) / half
    share = np.clip(0.5 + across / 2, 0, 1)
    value = share * np.interp(along + slant * (1 - across), places, flanks[0]) + (1 - share) * np.interp(
        along - slant * (1 + across), places, flanks[1]
    )
    value = np.clip((value - 127.5) * _EDGE_GAIN + 127.5, 0, 255)
    band = (np.abs(across) <= 1) & (np.abs(along) <= length / 2 + 2 * half)
    filled: Ink8 = np.where(band, np.rint(value), 0).astype(np.uint8)
    return filled


def _slant(places: Floats, flanks: list[Floats], half: float) -> float:
    """By how much (px) along the gap a stroke's edge moves from the gap's middle to either flank."""
    tried = np.arange(-_MAX_SLANT, _MAX_SLANT + 0.01, 0.25)[:, None] * half
    there, here = np.interp(places + tried, places, flanks[0]), np.interp(places - tried, places, flanks[1])
    # an upright crossing is the likelier one where both fit
    cost = np.abs(there - here).mean(axis=1) + 0.4 * np.abs(tried[:, 0]) / half
    return float(tried[int(cost.argmin()), 0])
