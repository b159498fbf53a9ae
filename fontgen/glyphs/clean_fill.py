"""Fill a white gap from the ink on its two sides, edges kept at sub-pixel accuracy."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, inf

import numpy as np
from scipy import ndimage

from fontgen.glyphs.clean_gaps import Floats, Gaps
from fontgen.glyphs.clean_morphology import Ink8, dilate_square

_LINE_SLENDERNESS = 2.0
"""From this ratio of length to width on a gap has a direction, and is bridged across it."""

FLANK_PX = 1.5
"""How far (px at the design size) beside a gap's measured width the ink is sound again."""

REACH_PX = 14.0
"""How far (px at the design size) beyond a gap's end the edge of a stroke may cross it slantwise."""

_SHORT_PX = 8.0
"""A gap shorter than this (px at the design size) takes the grey closing besides."""

Run = tuple[float, float]


def fill_gap(ink8: Ink8, gaps: Gaps, index: int) -> tuple[Ink8, tuple[int, int, int, int]]:
    """The (n, n) image with one candidate filled, and the box (row0, col0, row1, col1) that may differ.

    Ink only grows. A line is filled by carrying the edges of strokes across from one flank to the
    other; a blot or a bent gap takes the grey closing.
    """
    scale = gaps.scale
    length, width = float(gaps.length[index]), float(gaps.width[index])
    thickness = gaps.measures[index, 5] * scale
    out, line_box = ink8, None
    if length >= _LINE_SLENDERNESS * width and thickness <= 1.5 * width + scale:
        line = (float(gaps.row[index]), float(gaps.col[index]), float(gaps.axis[index, 0]), float(gaps.axis[index, 1]))
        out, line_box = carry_across(ink8, line, length, width / 2 + FLANK_PX * scale, REACH_PX * scale)
        if length >= _SHORT_PX * scale:
            return out, line_box
    mine = gaps.members == index
    rows, cols = gaps.rows[mine], gaps.cols[mine]
    pad = ceil(1.5 * width + 4 * scale)
    box = (
        max(int(rows.min()) - pad, 0), max(int(cols.min()) - pad, 0),
        min(int(rows.max()) + pad + 1, ink8.shape[0]), min(int(cols.max()) + pad + 1, ink8.shape[1]),
    )  # fmt: skip
    window = (slice(box[0], box[2]), slice(box[1], box[3]))
    mask = np.zeros((box[2] - box[0], box[3] - box[1]), bool)
    mask[rows - box[0], cols - box[1]] = True
    filled = np.where(dilate_square(mask), gaps.closed[window], 0)
    out = ink8.copy() if line_box is None else out
    out[window] = np.maximum(out[window], filled)
    if line_box is not None:
        (a, b, c, d), (e, f, g, h) = box, line_box
        box = (min(a, e), min(b, f), max(c, g), max(d, h))
    return out, box


def carry_across(
    ink8: Ink8, line: tuple[float, float, float, float], length: float, half: float, reach: float
) -> tuple[Ink8, tuple[int, int, int, int]]:
    """Join the ink on both flanks of `line` (centre row, col, unit vector along it), `half` px away from it.

    Where the ink of one flank overlaps that of the other it is one stroke, and its edges cross the
    gap straight from flank to flank. Edges up to `reach` beyond the ends of the gap belong to it.
    """
    row, col, u_row, u_col = line
    end = length / 2
    places = np.arange(-end - reach - 2, end + reach + 2.25, 0.5)
    aside = np.array([[half], [-half]])
    both = ndimage.map_coordinates(
        ink8, [row + places * u_row + aside * u_col, col + places * u_col - aside * u_row],
        output=np.float64, order=1, mode="constant",
    )  # fmt: skip
    flanks = [_runs(profile, places) for profile in both]
    high = end + reach
    rise, run = abs(u_row) * high + abs(u_col) * half + 1, abs(u_col) * high + abs(u_row) * half + 1
    box = (
        max(int(row - rise), 0), max(int(col - run), 0),
        min(int(row + rise) + 2, ink8.shape[0]), min(int(col + run) + 2, ink8.shape[1]),
    )  # fmt: skip
    r, c = np.arange(box[0], box[2])[:, None] - row, np.arange(box[1], box[3])[None, :] - col
    along = r * u_row + c * u_col
    across = (r * u_col - c * u_row) / half
    inside = np.nonzero(np.abs(across) <= 1)
    along, share = along[inside], 0.5 + across[inside] / 2
    value = np.zeros(len(along))
    for first, second in _strokes(*flanks):
        if min(first[-1][1], second[-1][1]) < -end or max(first[0][0], second[0][0]) > end:
            continue  # beyond the gap
        ink = _edge(along, share, first[0][0], second[0][0], -end, reach, half)
        ink = np.minimum(ink, _edge(-along, share, -first[-1][1], -second[-1][1], -end, reach, half))
        for nearness, runs in ((share, first), (1 - share, second)):
            # two strokes here that are one on the other flank: the cleft between them ends half-way
            depth = np.clip(2 * nearness - 1, 0, 1)
            for (_, start), (stop, _) in pairwise(runs):
                cleft = np.abs(along - (start + stop) / 2) - (stop - start) / 2 * depth
                ink = np.where(depth > 0, np.minimum(ink, np.clip(cleft + 0.5, 0, 1)), ink)
        value = np.maximum(value, ink)
    out = ink8.copy()
    window = out[box[0] : box[2], box[1] : box[3]]
    window[inside] = np.maximum(window[inside], np.rint(255 * value).astype(np.uint8))
    return out, box


def _edge(along: Floats, share: Floats, first: float, second: float, end: float, reach: float, half: float) -> Floats:
    """Ink 0..1 to the right of a stroke's edge that runs from `first` on one flank to `second` on the other.

    An edge further than `reach` before the gap's `end` is not the gap's to draw.
    """
    if min(first, second) < end - reach:
        return np.minimum(np.maximum(along - end + 2.0, 0), 1)
    steep = np.hypot(1, (first - second) / (2 * half))
    ink = (along - share * first - (1 - share) * second) / steep + 0.5
    clipped: Floats = np.minimum(np.maximum(ink, 0), 1)
    return clipped


def _runs(profile: Floats, places: Floats) -> list[Run]:
    """(start, stop) of each stretch of ink along a sampled profile, sub-pixel; infinite at its ends."""
    level = profile - 127.5
    inked = level >= 0
    changes = np.flatnonzero(inked[1:] != inked[:-1])
    spots = places[changes] - (places[1] - places[0]) * level[changes] / (level[changes + 1] - level[changes])
    bounds = [*([-inf] if inked[0] else []), *(float(spot) for spot in spots), *([inf] if inked[-1] else [])]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _strokes(first: list[Run], second: list[Run]) -> list[tuple[list[Run], list[Run]]]:
    """Runs of the two flanks that overlap, in groups that hang together."""
    groups: list[tuple[list[Run], list[Run]]] = []
    i = j = 0
    while i < len(first) and j < len(second):
        if first[i][1] <= second[j][0]:
            i += 1
            continue
        if second[j][1] <= first[i][0]:
            j += 1
            continue
        a, b = [first[i]], [second[j]]
        i, j = i + 1, j + 1
        while True:
            if i < len(first) and first[i][0] < b[-1][1]:
                a.append(first[i])
                i += 1
            elif j < len(second) and second[j][0] < a[-1][1]:
                b.append(second[j])
                j += 1
            else:
                break
        groups.append((a, b))
    return groups
