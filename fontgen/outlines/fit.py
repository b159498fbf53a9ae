"""Cubics in least squares, many at once.

For a cubic whose ends and end directions are given, two numbers are left: the lengths of its handles. They
solve a 2 x 2 linear system for given parameters of the points; parameters and handles are found in turn
(P. J. Schneider, "An Algorithm for Automatically Fitting Digitized Curves", Graphics Gems, 1990).

Arrays of samples are (samples, curves): sums over the samples then add whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints
from fontgen.outlines.windows import unit

Scalar = TypeVar("Scalar", np.float64, np.complex128)

SAMPLES = 16
"""Points a curve is fitted to, evenly spread over its stretch of the edge."""

_ROUNDS, _MORE_ROUNDS = 2, 3
_HOPELESS = 6.0  # times the tolerance: no more rounds will help
_SHORTEST_HANDLE, _LONGEST_HANDLE = 0.05, 0.95  # of the length of the stretch
_LARGEST_STEP = 0.1  # of a parameter, in one round


@dataclass(frozen=True)
class Stretches:
    """(n,) stretches of the edge that are to become curves."""

    first: Floats
    last: Floats
    """(fractional) indices of the points that the curve is fitted to."""
    p0: Complexes
    p3: Complexes
    """Where it begins and ends."""
    t0: Complexes
    t3: Complexes
    """Unit directions of travel there, nan where the edge itself has to tell."""

    def only(self, chosen: Ints) -> Stretches:
        columns = (self.first, self.last, self.p0, self.p3, self.t0, self.t3)
        return Stretches(*(column[chosen] for column in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Cubics:
    """(n,) fitted curves."""

    p1: Complexes
    p2: Complexes
    error: Floats
    """Largest distance of a point from its curve."""
    worst: Floats
    """Where on the stretch that is, 0..1."""


def sampled(points: Complexes, stretches: Stretches, samples: int) -> tuple[Complexes, Floats, Floats]:
    """Points of the edge, their share of the way from p0 to p3, and the length of that way.

    (samples, n), (samples, n), (n,); the edge's points are evenly spaced.
    """
    share = np.linspace(0.0, 1.0, samples)[:, None]
    # Counted from the stretch's own first point, rounding is the same wherever that lies.
    whole = np.floor(stretches.first)
    along = (stretches.first - whole) + (stretches.last - stretches.first) * share
    steps = np.floor(along)
    low = (steps + whole).astype(np.int64)
    near = points[low]
    z = near + (along - steps) * (points[np.minimum(low + 1, points.size - 1)] - near)
    inner = total(np.abs(np.diff(z, axis=0)))
    before = np.abs(z[0] - stretches.p0)
    length = before + inner + np.abs(stretches.p3 - z[-1])
    u = (before + inner * share) / np.maximum(length, 1e-9)
    return z, u, length


def fit_cubics(points: Complexes, stretches: Stretches, *, tolerance: Floats) -> Cubics:
    """Fit a curve to each stretch. One within `tolerance` of its points is not made better still."""
    z, u, length = sampled(points, stretches, SAMPLES)
    edge = _Edge(z, stretches, length)
    p1, p2, u, squares = edge.settled(u, _ROUNDS)
    worst = np.argmax(squares, axis=0)
    error = np.sqrt(np.take_along_axis(squares, worst[None], axis=0)[0])
    # What is near enough is left as it is, and what is far off has to be divided in any case.
    hopeful = np.flatnonzero((error > tolerance) & (error < _HOPELESS * tolerance))
    if hopeful.size:
        some = _Edge(z[:, hopeful], stretches.only(hopeful), length[hopeful])
        p1[hopeful], p2[hopeful], _, squares = some.settled(u[:, hopeful], _MORE_ROUNDS)
        worst[hopeful] = np.argmax(squares, axis=0)
        error[hopeful] = np.sqrt(np.max(squares, axis=0))
    return Cubics(p1, p2, error, worst / (SAMPLES - 1))


class _Edge:
    """The points of every curve and what is given of the curves themselves."""

    def __init__(self, z: Complexes, stretches: Stretches, length: Floats) -> None:
        self.p0, self.p3 = stretches.p0, stretches.p3
        self.t0, self.t3 = stretches.t0, stretches.t3
        self.z, self.length = z, length
        self.from_p0 = z - self.p0
        self.chord = self.p3 - self.p0
        self.free0, self.free3 = np.isnan(self.t0), np.isnan(self.t3)
        self.any_free = bool(self.free0.any() or self.free3.any())

    def settled(self, u: Floats, rounds: int) -> tuple[Complexes, Complexes, Floats, Floats]:
        """Control points, parameters one step on and squared distances, after rounds of handles and parameters."""
        for _ in range(rounds):
            p1, p2 = self.handles(u)
            u, squares = self.nearer(u, p1, p2)
        return p1, p2, u, squares

    def handles(self, u: Floats) -> tuple[Complexes, Complexes]:
        """The inner control points, least squares for parameters u."""
        v = 1 - u
        uu, b1 = u * u, 3 * v * v * u
        b2 = 3 * v * uu
        rest = self.from_p0 - self.chord * (b2 + uu * u)
        a11, a12, a22 = total(b1 * b1), total(b1 * b2), total(b2 * b2)
        r1, r2 = total(b1 * rest), total(b2 * rest)
        t0, t3 = self._directions(a11, a12, a22, r1, r2) if self.any_free else (self.t0, self.t3)
        # rest = alpha b1 t0 - beta b2 t3, of which only the real parts along t0 and t3 count.
        a12 = -a12 * (t0 * np.conj(t3)).real
        c1, c2 = (r1 * np.conj(t0)).real, -(r2 * np.conj(t3)).real
        determinant = a11 * a22 - a12 * a12
        sound = determinant > 1e-9 * a11 * a22
        safe = np.where(sound, determinant, 1.0)
        third = self.length / 3
        alpha = np.where(sound, (a22 * c1 - a12 * c2) / safe, third)
        beta = np.where(sound, (a11 * c2 - a12 * c1) / safe, third)
        shortest, longest = _SHORTEST_HANDLE * self.length, _LONGEST_HANDLE * self.length
        alpha = np.minimum(np.maximum(alpha, shortest), longest)
        beta = np.minimum(np.maximum(beta, shortest), longest)
        return self.p0 + alpha * t0, self.p3 - beta * t3

    def _directions(
        self, a11: Floats, a12: Floats, a22: Floats, r1: Complexes, r2: Complexes
    ) -> tuple[Complexes, Complexes]:
        """Directions where none is given: those of the cubic with both handles free."""
        # Handles are counted from the ends: p1 = p0 + h1, p2 = p3 + h2.
        determinant = np.maximum(a11 * a22 - a12 * a12, 1e-12)
        start = (a22 * r1 - a12 * r2) / determinant
        end = -(a11 * r2 - a12 * r1) / determinant
        # A handle that comes out short or backwards says nothing: the stretch is too short, the chord will do.
        least = 0.05 * np.abs(self.chord) ** 2
        start = np.where((start * np.conj(self.chord)).real > least, start, self.chord)
        end = np.where((end * np.conj(self.chord)).real > least, end, self.chord)
        return np.where(self.free0, unit(start), self.t0), np.where(self.free3, unit(end), self.t3)

    def nearer(self, u: Floats, p1: Complexes, p2: Complexes) -> tuple[Floats, Floats]:
        """Each parameter one Newton step nearer to the foot of its point, and the squared distance before it."""
        a, b = 3 * (p1 - self.p0), 3 * (p2 - 2 * p1 + self.p0)
        c = self.chord - 3 * (p2 - p1)
        cu = c * u
        away = u * (a + u * (b + cu)) - self.from_p0
        first = a + u * (2 * b + 3 * cu)
        second = 2 * b + 6 * cu
        squares = away.real**2 + away.imag**2
        slope = away.real * first.real + away.imag * first.imag
        change = first.real**2 + first.imag**2 + away.real * second.real + away.imag * second.imag
        return stepped(u, slope, change), squares


def total(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """Sum over the samples, row after row; numpy would add up a single curve's in another order."""
    sums: NDArray[Scalar] = values.sum(axis=0) if values.shape[1] > 1 else np.cumsum(values, axis=0)[-1]
    return sums


def stepped(u: Floats, slope: Floats, change: Floats) -> Floats:
    """Parameters after one Newton step towards slope 0, never far, and within 0..1."""
    step = slope / np.where(change > 1e-9, change, np.inf)
    step = np.minimum(np.maximum(step, -_LARGEST_STEP), _LARGEST_STEP)
    return np.minimum(np.maximum(u - step, 0.0), 1.0)
