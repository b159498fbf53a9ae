"""Sums over the surroundings of every point of closed loops, and lines through stretches of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fontgen.outlines.edge import Complexes, Floats, Ints, Loops

_WRAP = 16  # no window reaches further


@dataclass(frozen=True)
class Lines:
    """Straight lines in total least squares: centroid, unit direction of travel, rms distance of the points."""

    middle: Complexes
    direction: Complexes
    rms: Floats


@dataclass(frozen=True)
class Moments:
    """Running sums of z, z^2 and |z|^2: a line through any range of points in constant time."""

    z: Complexes
    square: Complexes
    norm: Floats

    @classmethod
    def of(cls, points: Complexes) -> Moments:
        zero = np.zeros(1)
        return cls(
            np.concatenate([zero, np.cumsum(points)]),
            np.concatenate([zero, np.cumsum(points * points)]),
            np.concatenate([zero, np.cumsum(points.real**2 + points.imag**2)]),
        )

    def lines(self, first: Ints, last: Ints) -> Lines:
        """Lines through the points first..last, both included."""
        count = (last + 1 - first).astype(np.float64)
        middle = (self.z[last + 1] - self.z[first]) / count
        square = (self.square[last + 1] - self.square[first]) / count - middle * middle
        norm = (self.norm[last + 1] - self.norm[first]) / count - np.abs(middle) ** 2
        return Lines(middle, np.exp(0.5j * np.angle(square)), np.sqrt(np.maximum(0.0, (norm - np.abs(square)) / 2)))


class Windows:
    """Sums over the surroundings of every point."""

    def __init__(self, loops: Loops) -> None:
        self.loops = loops
        wrapped, self._centre = _wrapped(loops.starts, np.diff(loops.starts))
        self._z = loops.points[wrapped]
        self._moments = Moments.of(self._z - self._z.mean())

    def weighted(self, *kernels: Floats) -> list[Complexes]:
        """Sums over each point's surroundings with each kernel; its middle weight is the point's own."""
        half = max(kernel.size for kernel in kernels) // 2
        weights = np.zeros((2 * half + 1, len(kernels)))
        for column, kernel in enumerate(kernels):
            weights[half - kernel.size // 2 : half + kernel.size // 2 + 1, column] = kernel
        rows = self._centre - half
        x, y = (
            (weights.T @ np.ascontiguousarray(sliding_window_view(part, 2 * half + 1).T))[:, rows]
            for part in (self._z.real.copy(), self._z.imag.copy())
        )
        return list(x + 1j * y)

    def line_rms(self, half: int) -> Floats:
        """rms distance of the points half to either side from their line."""
        return self._moments.lines(self._centre - half, self._centre + half).rms


@cache
def savitzky_golay(half: int) -> Floats:
    """Weights whose sum is the value at the centre of the least squares parabola over 2 half + 1 points."""
    k = np.arange(-half, half + 1.0)
    basis = np.stack([np.ones_like(k), k, k * k], axis=1)
    weights: Floats = np.linalg.pinv(basis)[0]
    return weights


def _wrapped(starts: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Indices of every loop with _WRAP points of it before and after, and where its own points lie among them."""
    wide = counts + 2 * _WRAP
    begin = np.concatenate([[0], np.cumsum(wide)[:-1]])
    within = np.arange(wide.sum()) - np.repeat(begin, wide) - _WRAP
    wrapped = np.repeat(starts[:-1], wide) + within % np.repeat(counts, wide)
    own = np.arange(counts.sum()) - np.repeat(starts[:-1], counts) + np.repeat(begin, counts) + _WRAP
    return wrapped, own
