"""The edge of the ink in a grey image: closed loops of points that know their place far below a pixel.

Points are complex numbers, x + iy in pixels at pixel *edges* with y up (x = col, y = -row), so that turning
left is a positive angle. Ink lies to the left of the direction of travel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PAD = 4  # background around the image: ink at the border is closed along it
_REACH = 3  # pixels to either side of a crossing whose coverage places it
_SHALLOW = 0.6  # crossings of a row are kept where the edge is steeper than this, and columns likewise

# Which edge of a cell of four pixel centres the contour enters and leaves by, by the ink at its corners
# (8 top left, 4 top right, 2 bottom right, 1 bottom left), with the ink to the left.
_TOP, _LEFT, _RIGHT, _BOTTOM = range(4)
_ENTER = [0, _BOTTOM, _RIGHT, _RIGHT, _TOP, _TOP, _TOP, _TOP, _LEFT, _BOTTOM, _LEFT, _RIGHT, _LEFT, _BOTTOM, _LEFT, 0]
_LEAVE = [0, _LEFT, _BOTTOM, _LEFT, _RIGHT, _RIGHT, _BOTTOM, _LEFT, _TOP, _TOP, _TOP, _TOP, _RIGHT, _RIGHT, _BOTTOM, 0]


@dataclass(frozen=True)
class Loops:
    """Closed loops of evenly spaced points, one after the other."""

    points: Complexes
    """(n,) all points."""
    starts: Ints
    """(loops + 1,) where each loop begins in `points`, and n."""
    step_px: float
    """Distance of the points along the edge."""
    noise_px: float
    """Roughness in excess of a perfect image's, as `noise.settle` measures it; 0 until then."""
    blur_px: float
    """Width of the grey edge in excess of what exact area coverage makes, in pixels; 0 for a perfect image."""


def edge_loops(ink8: NDArray[np.uint8], *, step_px: float, smallest_px2: float) -> Loops:
    """Loops along coverage one half of (row, col) uint8 ink, points `step_px` apart.

    Loops that enclose less than `smallest_px2` are dropped.
    """
    values = np.zeros((ink8.shape[0] + 2 * _PAD, ink8.shape[1] + 2 * _PAD), np.float32)
    values[_PAD:-_PAD, _PAD:-_PAD] = ink8
    values /= 255.0
    crossings, following, _ = _march(values)
    points, keep, blur_px = _place(values, crossings)
    offset = _PAD * (1.0 - 1.0j)
    loops: list[Complexes] = []
    for chain in _chains(following):
        loop = points[chain] - offset
        kept = keep[chain]
        loop = loop[kept] if np.count_nonzero(kept) > 4 else loop
        following_points = np.roll(loop, -1)
        if abs(np.sum((np.conj(loop) * following_points).imag)) >= 2 * smallest_px2:
            loops.append(loop)
    return resampled(loops, step_px=step_px, noise_px=0.0, blur_px=blur_px)


def enclosed_areas(points: Complexes, starts: Ints) -> Floats:
    """Area of every loop of `points`, positive where the ink is inside; loops repeat their first point at the end."""
    crosses = (np.conj(points[:-1]) * points[1:]).imag
    crosses[starts[1:-1] - 1] = 0.0  # from loop to loop
    areas: Floats = np.add.reduceat(crosses, starts[:-1]) / 2
    return areas


def pixel_loops(ink8: NDArray[np.uint8], *, smallest_px2: float) -> list[Complexes]:
    """Corners of the loops along the pixel borders themselves, ink being what is at least half covered."""
    values = np.zeros((ink8.shape[0] + 2 * _PAD, ink8.shape[1] + 2 * _PAD), np.float32)
    values[_PAD:-_PAD, _PAD:-_PAD] = ink8 >= 128
    _, following, cells = _march(values)
    # Successive crossings share a cell of four pixels, whose middle is a corner of pixels.
    corners = cells % values.shape[1] + 1 - _PAD - 1j * (cells // values.shape[1] + 1 - _PAD)
    loops = []
    for chain in _chains(following):
        loop = corners[chain]
        turns = (np.conj(loop - np.roll(loop, 1)) * (np.roll(loop, -1) - loop)).imag != 0
        if abs(np.sum((np.conj(loop) * np.roll(loop, -1)).imag)) >= 2 * smallest_px2:
            loops.append(loop[turns])
    return loops


def _march(values: NDArray[np.float32]) -> tuple[Ints, Ints, Ints]:
    """Crossings of grid edges, for each the index of the one that follows it on its loop, and the cell between.

    A crossing is twice the flat index of the pixel whose right neighbour (even) or lower neighbour (odd)
    lies on the other side of one half.
    """
    width = values.shape[1]
    inside = (values >= 0.5).view(np.uint8)
    codes = (inside[:-1, :-1] << 3) | (inside[:-1, 1:] << 2) | (inside[1:, 1:] << 1) | inside[1:, :-1]
    rows, cols = np.nonzero((codes != 0) & (codes != 15))
    code = codes[rows, cols].astype(np.int64)
    cell = rows * width + cols
    saddles = np.nonzero((code == 5) | (code == 10))[0]
    if saddles.size:
        corner = cell[saddles]
        flat = values.ravel()
        mean = (flat[corner] + flat[corner + 1] + flat[corner + width] + flat[corner + width + 1]) / 4
        joined = mean >= 0.5
        falling = code[saddles] == 10
        # Two pieces each: the ink joined across the cell cuts off its empty corners, else its full ones.
        code[saddles] = np.where(falling, np.where(joined, 11, 8), np.where(joined, 7, 4))
        second = np.where(falling, np.where(joined, 14, 2), np.where(joined, 13, 1))
        code = np.concatenate([code, second])
        cell = np.concatenate([cell, corner])
    offsets = np.array([0, 1, 3, 2 * width])
    entered = 2 * cell + offsets[_ENTER][code]
    left = 2 * cell + offsets[_LEAVE][code]
    position = np.empty(2 * values.size, np.int64)
    position[entered] = np.arange(entered.size)
    return entered, position[left], cell


def _chains(following: Ints) -> list[list[int]]:
    """The cycles of the permutation, in order of their first member."""
    after: list[int] = following.tolist()
    chains: list[list[int]] = []
    for first in range(len(after)):
        at = after[first]
        if at < 0:
            continue
        after[first] = -1
        chain = [first]
        append = chain.append
        while at != first:
            append(at)
            following_at = after[at]
            after[at] = -1
            at = following_at
        chains.append(chain)
    return chains


def _place(values: NDArray[np.float32], crossings: Ints) -> tuple[Complexes, NDArray[np.bool_], float]:
    """Where the edge crosses, which crossings are steep enough to say so, and how blurred the edge is.

    Linear interpolation of area coverage is off by up to 0.09 px. The coverage of the pixels across a
    straight edge adds up to exactly the length of ink on that row, whatever the edge's slope, so the sum
    over a window that reaches full ink on one side and none on the other places it without bias.
    """
    width = values.shape[1]
    flat = values.ravel()
    first = crossings >> 1
    down = (crossings & 1).astype(bool)
    stride = np.where(down, width, 1)
    across = np.where(down, 1, width)
    window = flat[first[:, None] + stride[:, None] * np.arange(1 - _REACH, _REACH + 1)].astype(np.float64)
    rising = window[:, _REACH - 1] < window[:, _REACH]
    window[rising] = window[rising, ::-1]
    far_ink, near_ink, last_ink, first_paper, near_paper, far_paper = window.T
    # Beyond a dip another stroke begins, which is none of this edge's business.
    dips = near_ink < last_ink
    bumps = near_paper > first_paper
    ink1 = np.where(dips, 1.0, near_ink)
    ink2 = np.where(dips | (far_ink < ink1), 1.0, far_ink)
    paper1 = np.where(bumps, 0.0, near_paper)
    paper2 = np.where(bumps | (far_paper > paper1), 0.0, far_paper)
    length = ink2 + ink1 + last_ink + first_paper + paper1 + paper2 - _REACH
    linear = (last_ink - 0.5) / (last_ink - first_paper) - 0.5
    trusted = ~(dips & (last_ink < 0.95)) & ~(bumps & (first_paper > 0.05))
    trusted &= (np.where(dips, 1.0, near_ink) > 0.9) | (far_ink >= 0.95)
    trusted &= (np.where(bumps, 0.0, near_paper) < 0.1) | (far_paper <= 0.05)
    shift = np.where(trusted & (np.abs(length - linear) < 0.25), length, linear)
    shift = np.where(rising, -shift, shift)
    row, col = first // width, first % width
    # The border between the two pixels is where shift is measured from.
    points = np.where(down, (col + 0.5) - 1j * (row + 1 + shift), (col + 1 + shift) - 1j * (row + 0.5))
    along = near_ink + last_ink - first_paper - near_paper
    sideways = np.abs(
        flat[first + across] - flat[first - across] + flat[first + stride + across] - flat[first + stride - across]
    )
    keep = along >= _SHALLOW * sideways
    # Exact coverage leaves one grey pixel on an upright edge: 0.17 px of a (1 - a), 0.33 px on a diagonal.
    grey = np.sum(window * (1 - window), axis=1)[keep & trusted]
    blur_px = float(max(0.0, np.median(grey) - 0.25)) * 3 if grey.size else 0.0
    return points, keep, blur_px


def resampled(loops: list[Complexes], *, step_px: float, noise_px: float, blur_px: float) -> Loops:
    """Evenly spaced points on every loop, at least eight."""
    if not loops:
        return Loops(np.empty(0, np.complex128), np.zeros(1, np.int64), step_px, noise_px, blur_px)
    closed = np.concatenate([np.append(loop, loop[0]) for loop in loops])
    steps = np.abs(np.diff(closed, prepend=closed[0]))
    sizes = np.array([loop.size + 1 for loop in loops])
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    steps[begins] = 1.0  # from loop to loop
    travelled = np.cumsum(steps)
    lengths = travelled[begins + sizes - 1] - travelled[begins]
    counts = np.maximum(8, np.rint(lengths / step_px).astype(np.int64))
    starts = np.concatenate([[0], np.cumsum(counts)])
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
    at = np.repeat(travelled[begins], counts) + within * np.repeat(lengths / counts, counts)
    points = np.interp(at, travelled, closed.real) + 1j * np.interp(at, travelled, closed.imag)
    return Loops(points, starts, step_px, noise_px, blur_px)
