"""Sums over the surroundings of every point of closed loops, and lines through stretches of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints, Loops, glyph_starts

Scalar = TypeVar("Scalar", np.float64, np.complex128)

_WRAP = 16  # no window reaches further
_FAST_TAPS = 11  # numpy correlates kernels of up to 11 weights several times faster than longer ones


@dataclass(frozen=True)
class Lines:
    """Straight lines in total least squares: centroid, unit direction of travel, rms distance of the points."""

    middle: Complexes
    direction: Complexes
    rms: Floats


@dataclass(frozen=True)
class Moments:
    """Running sums of z, z^2 and |z|^2: a line through any range of a glyph's points in constant time.

    The sums begin anew with every glyph, so that no glyph's rounding depends on its neighbours in the batch.
    """

    z: tuple[Complexes, Complexes]
    """Each value, and the sum of all of its glyph up to it."""
    square: tuple[Complexes, Complexes]
    norm: tuple[Floats, Floats]

    @classmethod
    def of(cls, points: Complexes, glyph_starts: Ints) -> Moments:
        """`glyph_starts`: where the points of every glyph begin, and how many there are in all."""

        def summed(values: NDArray[Scalar]) -> tuple[NDArray[Scalar], NDArray[Scalar]]:
            sums = np.empty_like(values)
            for first, end in pairwise(glyph_starts.tolist()):
                np.cumsum(values[first:end], out=sums[first:end])
            return values, sums

        return cls(summed(points), summed(points * points), summed(points.real**2 + points.imag**2))

    def lines(self, first: Ints, last: Ints) -> Lines:
        """Lines through the points first..last, both included."""
        middle, square, norm = self._about(first, last)
        return Lines(middle, np.exp(0.5j * np.angle(square)), _rms(square, norm))

    def rms(self, first: Ints, last: Ints) -> Floats:
        """rms distance of the points first..last from their line."""
        _, square, norm = self._about(first, last)
        return _rms(square, norm)

    def _about(self, first: Ints, last: Ints) -> tuple[Complexes, Complexes, Floats]:
        def between(running: tuple[NDArray[Scalar], NDArray[Scalar]]) -> NDArray[Scalar]:
            own, sums = running
            result: NDArray[Scalar] = sums[last] - sums[first] + own[first]
            return result

        count = (last + 1 - first).astype(np.float64)
        return _central(between(self.z), between(self.square), between(self.norm), count)

    def rms_everywhere(self, half: int) -> Floats:
        """rms distance of the points i - half..i + half from their line, for i = half, half + 1, ..."""
        width = 2 * half

        def between(running: tuple[NDArray[Scalar], NDArray[Scalar]]) -> NDArray[Scalar]:
            own, sums = running
            result: NDArray[Scalar] = sums[width:] - sums[:-width]
            result += own[:-width]
            values = result.view(np.float64)
            values *= share
            return result

        # The same as in `_about`, over arrays so large that it is done in place.
        share = 1 / (width + 1)
        middle, square, norm = between(self.z), between(self.square), between(self.norm)
        square -= middle * middle
        norm -= middle.real**2 + middle.imag**2
        norm -= np.abs(square)
        norm /= 2
        np.maximum(norm, 0.0, out=norm)
        return np.sqrt(norm, out=norm)


def _central(z: Complexes, square: Complexes, norm: Floats, count: Floats) -> tuple[Complexes, Complexes, Floats]:
    """Mean, and second moments about it, from sums."""
    share = 1 / count
    middle = z * share
    return middle, square * share - middle * middle, norm * share - (middle.real**2 + middle.imag**2)


def unit(z: Complexes) -> Complexes:
    """Numbers of length 1 in the same direction; 0 stays 0."""
    scale = 1 / np.maximum(np.abs(z), 1e-12)
    units = np.empty_like(z)  # a complex number divided by a real one takes numpy four times as long
    np.multiply(z.real, scale, out=units.real)
    np.multiply(z.imag, scale, out=units.imag)
    return units


def _rms(square: Complexes, norm: Floats) -> Floats:
    rms: Floats = np.sqrt(np.maximum(0.0, (norm - np.abs(square)) / 2))
    return rms


@dataclass(frozen=True)
class Sides:
    """Lines in least squares over the index, through the points about every place of wrapped loops."""

    _position: Complexes
    _direction: Complexes
    _centre: Ints
    _half: int

    def directions(self, near: Ints) -> tuple[Complexes, Complexes]:
        """Direction of travel (of any length) `near` points and more before every point, and after it."""
        away = near + self._half
        before, after = self._centre - away - self._half, self._centre + away - self._half
        return self._direction[before], self._direction[after]

    def prolonged(self, at: Ints, near: Ints) -> tuple[Complexes, Complexes]:
        """Where the lines `near` and more points before and after some of the points meet them."""
        away = near + self._half
        centre = self._centre[at]
        before, after = centre - away - self._half, centre + away - self._half
        return (
            self._position[before] + away * self._direction[before],
            self._position[after] - away * self._direction[after],
        )


class Windows:
    """Sums over the surroundings of every point."""

    def __init__(self, loops: Loops) -> None:
        self.loops = loops
        wrapped, self._centre, begin = _wrapped(loops.starts, np.diff(loops.starts))
        z = loops.points[wrapped]
        self._x, self._y = z.real.copy(), z.imag.copy()
        self._moments = Moments.of(z, glyph_starts(loops.glyph, begin))

    def weighted(self, kernel: Floats) -> Complexes:
        """Sums over each point's surroundings; the kernel's middle weight is the point's own."""
        return self.everywhere(kernel)[self._centre - kernel.size // 2]

    def everywhere(self, kernel: Floats) -> Complexes:
        """The same at every place of the loops with their wrapped ends, beginning where the kernel fits."""
        parts = range(0, kernel.size, _FAST_TAPS)
        count = self._x.size - kernel.size + 1
        sums = np.empty(count, np.complex128)
        for axis, values in ((sums.real, self._x), (sums.imag, self._y)):
            axis[:] = np.correlate(values[: count + min(_FAST_TAPS, kernel.size) - 1], kernel[:_FAST_TAPS])
            for first in parts[1:]:
                taps = kernel[first : first + _FAST_TAPS]
                axis += np.correlate(values[first : first + count + taps.size - 1], taps)
        return sums

    def sides(self, width: int) -> Sides:
        """What stretches of `width` + 1 points (an odd number) say of the edge further on."""
        k = np.arange(-(width // 2), width // 2 + 1.0)
        return Sides(
            self.everywhere(np.full(k.size, 1 / k.size)), self.everywhere(k / (k @ k)), self._centre, width // 2
        )

    def line_rms(self, half: int) -> Floats:
        """rms distance of the points half to either side from their line."""
        return self._moments.rms_everywhere(half)[self._centre - half]


@cache
def savitzky_golay(half: int) -> Floats:
    """Weights whose sum is the value at the centre of the least squares parabola over 2 half + 1 points."""
    k = np.arange(-half, half + 1.0)
    basis = np.stack([np.ones_like(k), k, k * k], axis=1)
    weights: Floats = np.linalg.pinv(basis)[0]
    return weights


def _wrapped(starts: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    """Indices of every loop with _WRAP points of it before and after.

    With where its own points lie among them, and where each loop begins and the last ends.
    """
    wide = counts + 2 * _WRAP
    begin = np.concatenate([[0], np.cumsum(wide)])
    within = np.arange(begin[-1]) - np.repeat(begin[:-1], wide) - _WRAP
    wrapped = np.repeat(starts[:-1], wide) + within % np.repeat(counts, wide)
    own = np.arange(counts.sum()) + np.repeat(begin[:-1] + _WRAP - starts[:-1], counts)
    return wrapped, own, begin
