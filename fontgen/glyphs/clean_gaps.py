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
from numpy.typing import NDArray
from scipy import ndimage

from fontgen.glyphs.clean_morphology import EIGHT, Ink8, close, stroke_width_px
from fontgen.glyphs.clean_split import split_lines

Floats = NDArray[np.float64]

DESIGN_SIZE_PX = 256
"""Lengths of settings and measures are in px of a canvas of this size."""

_MIN_DEPTH = 48
"""A dip of the ink below this (of 255) is antialiasing noise rather than a gap."""

_WHITE = 0.01
"""Ink below this is white: a gap two px wide that never gets there is grey, as no counter is."""

_RAIL, _RAIL_WIDTH_PX = 0.6, 1.2
"""From this share of ink beside both continuations on, a gap up to so wide (px) lies along an outline."""

_REACH_PX = 40
"""How far along the normal the ink beside a gap is followed."""

_LINE_PX = 60
"""How far along its axis a gap is looked for beyond its ends."""

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

    labels: NDArray[np.int32]
    """(n, n): 0, or 1 + the candidate that a pixel belongs to."""
    closed: Ink8
    """(n, n): the grey closing."""
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

    def __len__(self) -> int:
        return len(self.row)


def find_gaps(ink8: Ink8, gap_px: float) -> Gaps:
    """All candidates no wider than `gap_px` (px at the design size) of an (n, n) uint8 glyph."""
    scale = ink8.shape[0] / DESIGN_SIZE_PX
    closed = close(ink8, max(1, ceil(gap_px * scale / 2)))
    dip = closed - ink8
    labels, count = ndimage.label(dip > _MIN_DEPTH, EIGHT)
    count = split_lines(labels, count, dip, scale)
    rows, cols = np.nonzero(labels)
    members = labels[rows, cols] - 1
    weight = dip[rows, cols] / 255.0

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

    gaps = Gaps(
        labels, closed, row, col, axis, length, width, np.empty((count, 0)), rows, cols, members, weight,
        stroke_width_px(ink8 >= 128),
    )  # fmt: skip
    if not count:
        gaps.measures = np.empty((0, len(MEASURES)))
        return gaps
    stroke = max(gaps.stroke_px, 1.0)
    around = _surroundings(ink8, gaps, dip, scale)
    gaps.measures = np.column_stack(
        [
            *(length / scale, width / scale, np.log(mass / scale**2), depth, length / width, thickness / scale, uneven),
            *(*around[:3], around[3] * scale / stroke, around[4] * scale / stroke, *around[5:]),
            np.log(np.maximum(1 - depth, _WHITE)),
            np.full(count, stroke / scale),
        ]
    )
    return gaps


def lies_along_an_outline(gaps: Gaps) -> NDArray[np.bool_]:
    """(k,) bool: narrow gaps whose one side is the straight edge of a stroke that goes on beyond both ends.

    So lie two strokes that nearly touch, as in the T joints of some sans serifs, but hardly ever a hairline.
    """
    width, low, high = (gaps.measures[:, MEASURES.index(name)] for name in ("width", "rail_low", "rail_high"))
    along: NDArray[np.bool_] = (high > _RAIL) & (low < 0.2) & (width < _RAIL_WIDTH_PX)
    return along


def _surroundings(ink8: Ink8, gaps: Gaps, dip: Ink8, scale: float) -> list[Floats]:
    """What lies beside, beyond the ends, and further along the axis of every candidate."""
    top = ink8.shape[0] - 1
    u_row, u_col = gaps.axis[:, 0], gaps.axis[:, 1]

    def sample(image: NDArray[Any], along: NDArray[Any], across: NDArray[Any]) -> NDArray[Any]:
        # (k, ...) offsets in px in each candidate's own frame; nearest pixel
        shape = (-1,) + (1,) * (max(along.ndim, across.ndim) - 1)
        r = gaps.row.reshape(shape) + along * u_row.reshape(shape) + across * u_col.reshape(shape)
        c = gaps.col.reshape(shape) + along * u_col.reshape(shape) - across * u_row.reshape(shape)
        values: NDArray[Any] = image[
            np.clip(np.rint(r), 0, top).astype(np.intp), np.clip(np.rint(c), 0, top).astype(np.intp)
        ]
        return values

    sides = np.array([1.0, -1.0])
    places = np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
    along = gaps.length[:, None, None] * places
    beside = sides[:, None] * (gaps.width[:, None, None] / 2 + 1.5 * scale)
    flanks = sample(ink8, along, beside).mean(axis=2) / 255
    far = sample(ink8, along, beside + sides[:, None] * 3 * scale).mean(axis=2) / 255

    steps = np.arange(1, _REACH_PX + 1) * scale
    reach = (sides[:, None] * (steps + 0.5 * scale))[None, :, None, :] + (
        sides[None, :, None, None] * gaps.width[:, None, None, None] / 2
    )
    lines = gaps.length[:, None, None, None] * places[None, None, 1:4, None]
    inked = sample(ink8, lines, reach) >= 128
    runs = np.median(np.logical_and.accumulate(inked, axis=3).sum(axis=3), axis=2)

    end = sides * gaps.length[:, None] / 2
    beyond = end[:, :, None] + sides[:, None] * np.array([1.0, 2.0, 3.0]) * scale
    ends = sample(gaps.closed, beyond, np.zeros((1, 1, 1))).mean(axis=2) / 255
    grid = np.arange(-4, 5) * 1.25 * scale
    disc = sample(
        gaps.closed, (end[:, :, None] + np.repeat(grid, 9)[None, None]), np.tile(grid, 9)[None, None]
    ).mean(axis=2) / 255  # fmt: skip

    ahead = end[:, :, None] + sides[:, None] * np.arange(2, _LINE_PX, 1.0) * scale
    lateral = np.array([-1.0, 0.0, 1.0])[None, :, None, None] * scale
    dips = sample(dip, ahead[:, None], lateral).max(axis=1) / 255
    grounds = sample(gaps.closed, ahead, np.zeros((1, 1, 1))) / 255
    line_ink = grounds.sum(axis=(1, 2))
    line_gap = (dips * grounds).sum(axis=(1, 2)) / (line_ink + 3)
    middle = gaps.length[:, None, None] * np.linspace(-0.45, 0.45, 9)[:, None]
    core = sample(dip, middle, np.array([-0.75, 0.0, 0.75]) * scale).max(axis=2) / 255
    # a counter often lies along a stroke whose edge runs straight on beyond it; a hairline hardly ever does
    on = end[:, :, None] + sides[:, None] * np.arange(2.0, 7.0) * scale
    open_ = 1 - sample(ink8, on, np.zeros((1, 1, 1))).mean(axis=2) / 255
    rails = (sample(ink8, on[:, None], beside[:, :, :1, None]).mean(axis=3) / 255 * open_[:, None]).min(axis=2)
    return [
        flanks.min(axis=1), flanks.max(axis=1), far.min(axis=1), runs.min(axis=1), runs.max(axis=1),
        ends.min(axis=1), ends.max(axis=1), disc.min(axis=1), disc.max(axis=1), line_ink / _LINE_PX, line_gap,
        core.mean(axis=1), core.min(axis=1), rails.min(axis=1), rails.max(axis=1),
    ]  # fmt: skip


def cells(ink8: Ink8) -> tuple[NDArray[np.float32], int]:
    """Mean ink (0..1) on a grid of about 128 cells a side, and the pixels a cell."""
    n = ink8.shape[0]
    step = max(1, n // _CELLS)
    side = -(-n // step)
    padded = np.zeros((side * step, side * step), np.uint8)
    padded[:n, :n] = ink8
    rows = sum((padded[offset::step].astype(np.uint32) for offset in range(1, step)), padded[::step].astype(np.uint32))
    total = sum((rows[:, offset::step] for offset in range(1, step)), rows[:, ::step])
    grid: NDArray[np.float32] = total.astype(np.float32) / np.float32(255 * step * step)
    return grid, step


def source_evidence(gaps: Gaps, chosen: NDArray[np.intp], reference8: Ink8) -> tuple[Floats, NDArray[np.bool_]]:
    """(len(chosen), 6) REFERENCE_MEASURES: the source's ink where the chosen candidates lie.

    The neighbourhood of each candidate, gap filled, is matched with the source's under shifts of up
    to 4 cells; the source's ink is averaged over the shifts, weighted by how well each fits. The last
    measure asks whether the source fits better with the gap open (up to 1) or filled (down to -1).
    Also returns (len(chosen),) bool: the source is the same drawing here and has the gap.
    """
    filled, step = cells(gaps.closed)
    source, _ = cells(reference8)
    margin = _WINDOW + _SHIFT
    filled, source = np.pad(filled, margin), np.pad(source, margin)
    centre_r = np.rint(gaps.row[chosen] / step).astype(np.intp) + margin
    centre_c = np.rint(gaps.col[chosen] / step).astype(np.intp) + margin
    inner, outer = np.arange(-_WINDOW, _WINDOW), np.arange(-margin, margin)
    mine = filled[centre_r[:, None, None] + inner[:, None], centre_c[:, None, None] + inner]
    theirs = source[centre_r[:, None, None] + outer[:, None], centre_c[:, None, None] + outer]
    side = 2 * _SHIFT + 1
    views = np.lib.stride_tricks.sliding_window_view(theirs, (2 * _WINDOW, 2 * _WINDOW), axis=(1, 2))
    cross = np.einsum("kabij,kij->kab", views, mine, optimize=False)
    power = np.cumsum(np.cumsum(np.pad(theirs**2, ((0, 0), (1, 0), (1, 0))), axis=1), axis=2)
    w = 2 * _WINDOW
    power = power[:, w:, w:] - power[:, :-w, w:] - power[:, w:, :-w] + power[:, :-w, :-w]
    offsets = np.arange(-_SHIFT, _SHIFT + 1)
    away = offsets[:, None] ** 2 + offsets**2
    misfit = power - 2 * cross + (mine**2).sum(axis=(1, 2))[:, None, None] + 0.1 * away
    misfit = misfit.reshape(len(chosen), side * side)
    gap = _gap_cells(gaps, chosen, step, centre_r, centre_c)
    if_open = misfit + 2 * np.einsum("kabij,kij->kab", views, gap).reshape(misfit.shape)
    if_open += (gap**2 - 2 * gap * mine).sum(axis=(1, 2))[:, None]
    prefers_gap = (misfit.min(axis=1) - if_open.min(axis=1)) / np.maximum((gap**2).sum(axis=(1, 2)), 1e-6)
    likely = np.exp(-(misfit - misfit.min(axis=1, keepdims=True)) / 4)
    likely /= likely.sum(axis=1, keepdims=True)

    position = np.full(len(gaps), -1, np.intp)
    position[chosen] = np.arange(len(chosen))
    which = position[gaps.members]
    keep = which >= 0
    # one sample a cell is enough: the pixels of a cell would only repeat it
    spots = np.unique(
        np.column_stack([which[keep], gaps.rows[keep] // step, gaps.cols[keep] // step]), axis=0
    )  # fmt: skip
    owner, r, c = spots[:, 0], spots[:, 1] + margin, spots[:, 2] + margin
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
