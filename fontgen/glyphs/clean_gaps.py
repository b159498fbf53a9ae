"""Narrow white gaps in ink: found, measured, and told apart into defects and true counters.

A candidate is a component of the black top-hat (grey closing minus image). It is measured by
moments and by samples along its axis and its normal, and by the ink that the source glyph has at
that place once the neighbourhoods are aligned. All measures are vectorised over the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from fontgen.glyphs.clean_frames import Frames, surroundings
from fontgen.glyphs.clean_morphology import Ink8, Mask, cell_means, close, dilate_square, label, stroke_width_px
from fontgen.glyphs.clean_split import split_lines

Floats = NDArray[np.float64]

DESIGN_SIZE_PX = 256
"""Lengths of settings and measures are in px of a canvas of this size."""

_FLANK = 0.2
"""Least share of ink along either side of a candidate: where there is less lies a notch, and no gap in a stroke."""

MIN_DEPTH = 48
"""A dip of the ink below this (of 255) is antialiasing noise rather than a gap."""

_WHITE = 0.01
"""Ink below this is white: a gap two px wide that never gets there is grey, as no counter is."""

_RAIL, _RAIL_WIDTH_PX = 0.6, 1.2
"""From this share of ink beside both continuations on, a gap up to so wide (px) lies along an outline."""

_NEAR_PX = 16
"""How near (px) to what an earlier pass filled the rest of a gap lies."""

_CELLS = 128
"""The reference is aligned on a grid of about this many cells a side."""
_SAME_MISFIT = 3.0
"""Squared misfit (cells of full ink) up to which a neighbourhood and the source's are the same drawing: of a
gap that such a source has too there is no doubt, whatever the networks say."""

_WINDOW, _SHIFT = 10, 4
"""Half the side of an aligned neighbourhood and the largest shift tried, in cells."""

MEASURES = (
    "length", "width", "log_mass", "depth", "slenderness", "thickness", "uneven",
    "flank_low", "flank_high", "flank_far", "run_short", "run_long", "end_low", "end_high",
    "corner_low", "corner_high", "line_ink", "line_gap", "core_mean", "core_low",
    "rail_low", "rail_high", "grey", "stroke",
)  # fmt: skip
REFERENCE_MEASURES = ("source_mean", "source_low", "source_high", "source_shift", "source_misfit", "source_gap")


@dataclass
class Gaps:
    """The candidates of one glyph. Arrays are per candidate unless said otherwise; lengths in image px."""

    closed: Ink8
    """(rows, cols): the grey closing."""
    scale: float
    """Pixels a px of the design size."""
    row: Floats
    col: Floats
    """Centres of mass, pixel indices."""
    axis: Floats
    """(k, 2): unit vector (row, col) along the gap."""
    length: Floats
    width: Floats
    measures: Floats
    """(k, len(MEASURES)), in px of the design size."""
    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    members: NDArray[np.intp]
    """All candidate pixels and the candidate of each."""
    dips: Floats
    """How much ink (0..1) each of these pixels lacks."""
    stroke_px: float
    alone: bool = False
    """`closed` is the ink as it stands: each candidate is weighed by itself, the others open."""

    def __len__(self) -> int:
        return len(self.row)


def find_gaps(ink8: Ink8, gap_px: float, scale: float, changed: Mask | None = None) -> Gaps:
    """All candidates no wider than `gap_px` (px at the design size) of (rows, cols) uint8 ink, with ink on both sides.

    `scale` is the canvas over the design size; the ink may be a part of the canvas. With `changed` (rows, cols)
    only gaps near to that are candidates.
    """
    closed = close(ink8, max(1, ceil(gap_px * scale / 2)))
    dip = closed - ink8
    flat, members, count = label(dip > MIN_DEPTH)
    rows, cols = np.divmod(flat, ink8.shape[1])
    weight = dip.ravel()[flat] / 255.0
    if changed is not None:
        near = _near(changed, rows, cols, scale)
        worth = np.bincount(members, near, count) > 0
        mine = worth[members]
        rows, cols, weight, near = rows[mine], cols[mine], weight[mine], near[mine]
        members, count = (np.cumsum(worth) - 1)[members[mine]], int(np.count_nonzero(worth))
    members, count = split_lines(rows, cols, members, count, weight, scale)

    def total(values: NDArray[Any]) -> Floats:
        return np.bincount(members, values, count).astype(np.float64)

    mass = np.maximum(total(weight), 1e-6)
    row, col = total(weight * rows) / mass, total(weight * cols) / mass
    d_row, d_col = rows - row[members], cols - col[members]
    var_row = total(weight * d_row * d_row) / mass + 1 / 12
    var_col = total(weight * d_col * d_col) / mass + 1 / 12
    cov = total(weight * d_row * d_col) / mass
    middle, spread = (var_row + var_col) / 2, np.hypot((var_row - var_col) / 2, cov)
    angle = 0.5 * np.arctan2(2 * cov, var_col - var_row)
    axis = np.column_stack([np.sin(angle), np.cos(angle)])
    length = np.sqrt(12 * (middle + spread))  # of a uniform bar with this variance
    thickness = np.sqrt(12 * np.maximum(middle - spread, 0.02))
    width = mass / length
    depth = np.zeros(count)
    np.maximum.at(depth, members, weight)

    along = (d_row * axis[members, 0] + d_col * axis[members, 1]) / length[members]
    third = np.clip(np.floor(along * 3 + 1.5), 0, 2).astype(np.intp)
    thirds = np.bincount(members * 3 + third, weight, 3 * count).reshape(count, 3)
    uneven = (thirds.max(axis=1) - thirds.min(axis=1)) / mass * 3

    flanks = Frames(row, col, axis, length, width, scale).flanks(ink8)
    worth = flanks.min(axis=1) >= _FLANK
    if changed is not None:
        worth &= np.bincount(members, near, count) > 0
    kept = np.flatnonzero(worth)
    position = np.full(count, -1, np.intp)
    position[kept] = np.arange(len(kept))
    members = position[members]
    mine = members >= 0
    frames = Frames(row[kept], col[kept], axis[kept], length[kept], width[kept], scale)
    stroke_px = stroke_width_px(ink8 >= 128)
    own = [value[kept] for value in (mass, depth, thickness, uneven, flanks)]
    return Gaps(
        closed, scale, frames.row, frames.col, frames.axis, frames.length, frames.width,
        measure(ink8, closed, dip, frames, stroke_px, own), rows[mine], cols[mine], members[mine], weight[mine],
        stroke_px,
    )  # fmt: skip


def measure(
    ink8: Ink8, closed: Ink8, dip: Ink8 | None, frames: Frames, stroke_px: float, own: list[NDArray[Any]]
) -> Floats:
    """(k, len(MEASURES)) of candidates in ink (rows, cols); `own` are mass, depth, thickness, unevenness and flanks.

    `dip` is the ink that gaps of the whole image lack; None where that is of no account.
    """
    if not len(frames.row):
        return np.empty((0, len(MEASURES)))
    scale, stroke = frames.scale, max(stroke_px, 1.0)
    mass, depth, thickness, uneven, flanks = own
    around = surroundings(ink8, closed, dip, frames)
    return np.column_stack(
        [
            *(frames.length / scale, frames.width / scale, np.log(mass / scale**2), depth),
            *(frames.length / frames.width, thickness / scale, uneven, flanks.min(axis=1), flanks.max(axis=1)),
            *(around[0], around[1] * scale / stroke, around[2] * scale / stroke, *around[3:]),
            np.log(np.maximum(1 - depth, _WHITE)),
            np.full(len(frames.row), stroke / scale),
        ]
    )


def _near(changed: Mask, rows: NDArray[np.intp], cols: NDArray[np.intp], scale: float) -> Mask:
    """Which pixels lie in a block of `_NEAR_PX` that something changed in, or in one beside it."""
    block = round(_NEAR_PX * scale)
    blocks = np.zeros([side // block + 1 for side in changed.shape], bool)
    changed_rows, changed_cols = np.divmod(np.flatnonzero(changed), changed.shape[1])
    blocks[changed_rows // block, changed_cols // block] = True
    near: Mask = dilate_square(blocks)[rows // block, cols // block]
    return near


def lies_along_an_outline(gaps: Gaps) -> NDArray[np.bool_]:
    """(k,) bool: narrow gaps whose one side is the straight edge of a stroke that goes on beyond both ends.

    So lie two strokes that nearly touch, as in the T joints of some sans serifs, but hardly ever a hairline.
    """
    width, low, high = (gaps.measures[:, MEASURES.index(name)] for name in ("width", "rail_low", "rail_high"))
    along: NDArray[np.bool_] = (high > _RAIL) & (low < 0.2) & (width < _RAIL_WIDTH_PX)
    return along


def cell_px(size_px: int) -> int:
    """Pixels a cell of a canvas's grid of about 128 cells a side."""
    return max(1, size_px // _CELLS)


def _with_ground(grid: NDArray[np.float32], margin: int) -> NDArray[np.float32]:
    wide = np.full((grid.shape[0] + 2 * margin, grid.shape[1] + 2 * margin), grid[0, 0])
    wide[margin:-margin, margin:-margin] = grid
    return wide


def source_evidence(gaps: Gaps, chosen: NDArray[np.intp], reference8: Ink8) -> tuple[Floats, NDArray[np.bool_]]:
    """(len(chosen), 6) REFERENCE_MEASURES: the source's ink where the chosen candidates lie.

    The neighbourhood of each candidate, gap filled, is matched with the source's under shifts of up
    to 4 cells; the source's ink is averaged over the shifts, weighted by how well each fits. The last
    measure asks whether the source fits better with the gap open (up to 1) or filled (down to -1).
    Also returns (len(chosen),) bool: the source is the same drawing here and has the gap.
    """
    step = cell_px(round(gaps.scale * DESIGN_SIZE_PX))
    filled, source = cell_means(gaps.closed, step), cell_means(reference8, step)
    margin = _WINDOW + _SHIFT
    # the corner is ground: black where ink and ground have changed places
    filled, source = _with_ground(filled, margin), _with_ground(source, margin)
    centre_r = np.rint(gaps.row[chosen] / step).astype(np.intp) + margin
    centre_c = np.rint(gaps.col[chosen] / step).astype(np.intp) + margin
    inner, outer = np.arange(-_WINDOW, _WINDOW), np.arange(-margin, margin)
    mine = filled[centre_r[:, None, None] + inner[:, None], centre_c[:, None, None] + inner]
    theirs = source[centre_r[:, None, None] + outer[:, None], centre_c[:, None, None] + outer]
    side = 2 * _SHIFT + 1
    w = 2 * _WINDOW
    views = as_strided(theirs, (len(chosen), side, side, w, w), theirs.strides + theirs.strides[1:])
    gap = _gap_cells(gaps, chosen, step, centre_r, centre_c)
    if gaps.alone:
        mine = mine + gap.astype(np.float32)
    both = np.stack([mine, gap], axis=-1, dtype=np.float32).reshape(len(chosen), -1, 2)
    cross, cross_gap = np.moveaxis(views.reshape(len(chosen), side * side, -1) @ both, 2, 0)
    power = np.zeros((len(chosen), 2 * margin + 1, 2 * margin + 1), np.float32)
    power[:, 1:, 1:] = (theirs**2).cumsum(axis=1).cumsum(axis=2)
    power = power[:, w:, w:] - power[:, :-w, w:] - power[:, w:, :-w] + power[:, :-w, :-w]
    offsets = np.arange(-_SHIFT, _SHIFT + 1)
    away = offsets[:, None] ** 2 + offsets**2
    misfit = (power + 0.1 * away).reshape(cross.shape) - 2 * cross + (mine**2).sum(axis=(1, 2))[:, None]
    if_open = misfit + 2 * cross_gap
    if_open += (gap**2 - 2 * gap * mine).sum(axis=(1, 2))[:, None]
    prefers_gap = (misfit.min(axis=1) - if_open.min(axis=1)) / np.maximum((gap**2).sum(axis=(1, 2)), 1e-6)
    likely = np.exp(-(misfit - misfit.min(axis=1, keepdims=True)) / 4)
    likely /= likely.sum(axis=1, keepdims=True)

    position = np.full(len(gaps), -1, np.intp)
    position[chosen] = np.arange(len(chosen))
    which = position[gaps.members]
    keep = which >= 0
    # one sample a cell is enough: the pixels of a cell would only repeat it
    width = source.shape[1]
    inside = (gaps.rows[keep] // step + margin) * width + gaps.cols[keep] // step + margin
    owner, place = np.divmod(np.unique(which[keep] * source.size + inside), source.size)
    r, c = np.divmod(place, width)
    shift_r, shift_c = np.repeat(offsets, side), np.tile(offsets, side)
    values = (source[r[:, None] + shift_r, c[:, None] + shift_c] * likely[owner]).sum(axis=1)
    share = np.bincount(owner, minlength=len(chosen))
    low, high = np.ones(len(chosen)), np.zeros(len(chosen))
    np.minimum.at(low, owner, values)
    np.maximum.at(high, owner, values)
    mean = np.bincount(owner, values, len(chosen)) / np.maximum(share, 1)
    shift = (likely * np.sqrt(away).ravel()).sum(axis=1)
    filled_misfit = np.log(misfit.min(axis=1) + 1)
    evidence = np.column_stack([mean, low, high, shift, filled_misfit, np.clip(prefers_gap, -2, 2)])
    return evidence.astype(np.float64), (prefers_gap > 0.5) & (if_open.min(axis=1) < _SAME_MISFIT)


def _gap_cells(
    gaps: Gaps, chosen: NDArray[np.intp], step: int, centre_r: NDArray[np.intp], centre_c: NDArray[np.intp]
) -> Floats:
    """(len(chosen), 2 * _WINDOW, 2 * _WINDOW) ink that filling each candidate adds to its neighbourhood's cells."""
    margin = _WINDOW + _SHIFT
    position = np.full(len(gaps), -1, np.intp)
    position[chosen] = np.arange(len(chosen))
    owner = position[gaps.members]
    row = gaps.rows // step + margin - centre_r[owner] + _WINDOW
    col = gaps.cols // step + margin - centre_c[owner] + _WINDOW
    side = 2 * _WINDOW
    keep = (owner >= 0) & (row >= 0) & (row < side) & (col >= 0) & (col < side)
    flat = (owner[keep] * side + row[keep]) * side + col[keep]
    added = np.bincount(flat, gaps.dips[keep] / (step * step), len(chosen) * side * side)
    return added.reshape(len(chosen), side, side).astype(np.float64)
