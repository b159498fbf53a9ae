"""The edge of the ink in a grey image: closed loops of points that know their place far below a pixel.

Points are complex numbers, x + iy in pixels at pixel *edges* with y up (x = col, y = -row), so that turning
left is a positive angle. Ink lies to the left of the direction of travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)

_HALF = 128  # of 255: ink is what is at least half covered
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
    """Closed loops of evenly spaced points, one after the other: those of one glyph, or of several."""

    points: Complexes
    """(n,) all points."""
    starts: Ints
    """(loops + 1,) where each loop begins in `points`, and n."""
    glyph: Ints
    """(loops,) which of the images the loop comes from, in ascending order."""
    step_px: Floats
    """(loops,) distance of the points along the edge."""
    noise_px: Floats
    """(loops,) roughness of the glyph in excess of a perfect image's, as `noise.settle` measures it; 0 until then."""
    blur_px: Floats
    """(loops,) width of the grey edge in excess of what exact area coverage makes; 0 for a perfect image."""

    def per_point(self, values: NDArray[Number]) -> NDArray[Number]:
        """(n,) the loop's value at each of its points."""
        return np.repeat(values, np.diff(self.starts))


def joined(batch: Sequence[Loops]) -> Loops:
    """The loops of several images as one, numbered by their place in the batch."""
    sizes = np.cumsum([0, *(loops.points.size for loops in batch)])
    return Loops(
        np.concatenate([loops.points for loops in batch]),
        np.concatenate([*(loops.starts[:-1] + at for loops, at in zip(batch, sizes, strict=False)), sizes[-1:]]),
        np.repeat(np.arange(len(batch)), [loops.starts.size - 1 for loops in batch]),
        np.concatenate([loops.step_px for loops in batch]),
        np.concatenate([loops.noise_px for loops in batch]),
        np.concatenate([loops.blur_px for loops in batch]),
    )


def edge_loops(ink8: NDArray[np.uint8], *, step_px: float, smallest_px2: float) -> Loops:
    """Loops along coverage one half of (row, col) uint8 ink, points `step_px` apart.

    Loops that enclose less than `smallest_px2` are dropped.
    """
    values = _padded(ink8)
    crossings, following, _ = _march(values)
    if not crossings.size:
        nothing = np.empty(0)
        return Loops(
            np.empty(0, np.complex128), np.zeros(1, np.int64), np.empty(0, np.int64), nothing, nothing, nothing
        )
    order, starts = _chains(following)
    across = _Across(values, crossings[order])
    keep = across.steep()
    few = np.add.reduceat(keep, starts[:-1], dtype=np.int64) <= 4
    if few.any():
        keep |= np.repeat(few, np.diff(starts))
    starts = _end_to_end(np.add.reduceat(keep, starts[:-1], dtype=np.int64))
    points, blur_px = across.only(keep).placed()
    crosses = (np.conj(points) * points[following_points(starts)]).imag
    large = np.abs(np.add.reduceat(crosses, starts[:-1])) >= 2 * smallest_px2
    if not large.all():
        points = points[np.repeat(large, np.diff(starts))]
        starts = _end_to_end(np.diff(starts)[large])
    count = starts.size - 1
    steps_px = np.full(count, step_px)
    points, starts = resampled(points, starts, steps_px)
    return Loops(points, starts, np.zeros(count, np.int64), steps_px, np.zeros(count), np.full(count, blur_px))


def following_points(starts: Ints) -> Ints:
    """For every point of closed loops the index of the one after it."""
    following = np.arange(1, starts[-1] + 1)
    following[starts[1:] - 1] = starts[:-1]
    return following


def glyph_starts(glyph: Ints, starts: Ints) -> Ints:
    """Where the points of every glyph begin, and how many there are in all; of loops by glyph and their starts."""
    return np.append(starts[:-1][np.flatnonzero(np.diff(glyph, prepend=-1))], starts[-1])


def _end_to_end(counts: Ints) -> Ints:
    """Where each of some runs begins when they follow each other, and where the last ends."""
    starts = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def _padded(ink8: NDArray[np.uint8]) -> NDArray[np.int16]:
    values = np.zeros((ink8.shape[0] + 2 * _PAD, ink8.shape[1] + 2 * _PAD), np.int16)
    values[_PAD:-_PAD, _PAD:-_PAD] = ink8
    return values


def enclosed_areas(points: Complexes, starts: Ints) -> Floats:
    """Area of every loop of `points`, positive where the ink is inside; loops repeat their first point at the end."""
    crosses = (np.conj(points[:-1]) * points[1:]).imag
    crosses[starts[1:-1] - 1] = 0.0  # from loop to loop
    areas: Floats = np.add.reduceat(crosses, starts[:-1]) / 2
    return areas


def pixel_loops(ink8: NDArray[np.uint8], *, smallest_px2: float) -> list[Complexes]:
    """Corners of the loops along the pixel borders themselves, ink being what is at least half covered."""
    values = _padded(np.where(ink8 >= _HALF, np.uint8(255), np.uint8(0)))
    _, following, cells = _march(values)
    # Successive crossings share a cell of four pixels, whose middle is a corner of pixels.
    corners = cells % values.shape[1] + 1 - _PAD - 1j * (cells // values.shape[1] + 1 - _PAD)
    order, starts = _chains(following)
    loops = []
    for loop in np.split(corners[order], starts[1:-1]):
        turns = (np.conj(loop - np.roll(loop, 1)) * (np.roll(loop, -1) - loop)).imag != 0
        if abs(np.sum((np.conj(loop) * np.roll(loop, -1)).imag)) >= 2 * smallest_px2:
            loops.append(loop[turns])
    return loops


def _march(values: NDArray[np.int16]) -> tuple[Ints, Ints, Ints]:
    """Crossings of grid edges, for each the index of the one that follows it on its loop, and the cell between.

    A crossing is twice the flat index of the pixel whose right neighbour (even) or lower neighbour (odd)
    lies on the other side of one half.
    """
    width = values.shape[1]
    inside = (values >= _HALF).view(np.uint8).ravel()
    # Cells are counted by their upper left pixel; those that wrap round the image lie on its padding.
    codes = (inside[: -width - 1] << 3) | (inside[1:-width] << 2) | (inside[width + 1 :] << 1) | inside[width:-1]
    cell = np.flatnonzero((codes != 0) & (codes != 15))
    code = codes[cell]
    saddles = np.flatnonzero((code == 5) | (code == 10))
    if saddles.size:
        corner = cell[saddles]
        flat = values.ravel()
        joined = flat[corner] + flat[corner + 1] + flat[corner + width] + flat[corner + width + 1] >= 4 * _HALF
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


def _chains(following: Ints) -> tuple[Ints, Ints]:
    """The cycles of the permutation one after the other, in order of their first member, and where each begins."""
    after: list[int] = following.tolist()
    order: list[int] = []
    starts: list[int] = []
    append = order.append
    for first in range(len(after)):
        at = after[first]
        if at < 0:
            continue
        starts.append(len(order))
        after[first] = -1
        append(first)
        while at != first:
            append(at)
            following_at = after[at]
            after[at] = -1
            at = following_at
    return np.array(order, np.int64), np.array([*starts, len(order)], np.int64)


class _Across:
    """The pixels across every crossing, from deep in the ink to far out on the paper."""

    def __init__(self, values: NDArray[np.int16], crossings: Ints) -> None:
        self.width = values.shape[1]
        self.flat = values.ravel()
        first = crossings >> 1
        self.down = (crossings & 1).astype(bool)
        stride = np.where(self.down, self.width, 1)
        self.rising = self.flat[first] < _HALF
        self.first = first
        self.inner = np.where(self.rising, first + stride, first)
        """The last pixel of ink; one `stride` on lies the first of paper."""
        self.stride = np.where(self.rising, -stride, stride)

    def only(self, keep: NDArray[np.bool_]) -> _Across:
        some = object.__new__(_Across)
        some.width, some.flat = self.width, self.flat
        for name in ("down", "rising", "first", "inner", "stride"):
            setattr(some, name, getattr(self, name)[keep])
        return some

    def steep(self) -> NDArray[np.bool_]:
        """Which crossings the edge passes steeply enough for the pixels across it to say where."""
        flat, inner, stride = self.flat, self.inner, self.stride
        beside = np.where(self.down, 1, self.width)
        outer = inner + stride
        along = flat[inner - stride] + flat[inner] - flat[outer] - flat[outer + stride]
        sideways = np.abs(flat[inner + beside] - flat[inner - beside] + flat[outer + beside] - flat[outer - beside])
        steep: NDArray[np.bool_] = along >= _SHALLOW * sideways
        return steep

    def placed(self) -> tuple[Complexes, float]:
        """Where the edge crosses, and how blurred it is.

        Linear interpolation of area coverage is off by up to 0.09 px. The coverage of the pixels across a
        straight edge adds up to exactly the length of ink on that row, whatever the edge's slope, so the sum
        over a window that reaches full ink on one side and none on the other places it without bias.
        """
        window = self.flat[self.inner + np.arange(1 - _REACH, _REACH + 1)[:, None] * self.stride] / 255.0
        far_ink, near_ink, last_ink, first_paper, near_paper, far_paper = window
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
        trusted &= (ink1 > 0.9) | (far_ink >= 0.95)
        trusted &= (paper1 < 0.1) | (far_paper <= 0.05)
        shift = np.where(trusted & (np.abs(length - linear) < 0.25), length, linear)
        shift = np.where(self.rising, -shift, shift)
        row, col = np.divmod(self.first, self.width)
        points = np.empty(row.size, np.complex128)
        # The border between the two pixels is where shift is measured from.
        points.real = col + np.where(self.down, 0.5, 1.0 + shift) - _PAD
        points.imag = _PAD - row - np.where(self.down, 1.0 + shift, 0.5)
        # Exact coverage leaves one grey pixel on an upright edge: 0.17 px of a (1 - a), 0.33 px on a diagonal.
        grey = (window * (1 - window)).sum(axis=0)[trusted]
        blur_px = float(max(0.0, np.median(grey) - 0.25)) * 3 if grey.size else 0.0
        return points, blur_px


def resampled(points: Complexes, starts: Ints, step_px: Floats) -> tuple[Complexes, Ints]:
    """Evenly spaced points on every loop, at least eight, and where each loop begins; `step_px`: (loops,)."""
    if not points.size:
        return np.empty(0, np.complex128), np.zeros(1, np.int64)
    number = np.arange(starts.size - 1)
    closed = np.insert(points, starts[1:], points[starts[:-1]])
    begins, ends = starts[:-1] + number, starts[1:] + number
    travelled = np.zeros(closed.size)
    np.abs(closed[1:] - closed[:-1], out=travelled[1:])
    travelled[begins] = 1.0  # from loop to loop
    np.cumsum(travelled, out=travelled)
    lengths = travelled[ends] - travelled[begins]
    counts = np.maximum(8, np.rint(lengths / step_px).astype(np.int64))
    new_starts = _end_to_end(counts)
    within = np.arange(new_starts[-1]) - np.repeat(new_starts[:-1], counts)
    at = np.repeat(travelled[begins], counts) + within * np.repeat(lengths / counts, counts)
    return np.interp(at, travelled, closed), new_starts
