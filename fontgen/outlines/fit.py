"""Cubics in least squares, many at once.

For a cubic whose ends and end directions are given, two numbers are left: the lengths of its handles. They
solve a 2 x 2 linear system for given parameters of the points; parameters and handles are found in turn
(P. J. Schneider, "An Algorithm for Automatically Fitting Digitized Curves", Graphics Gems, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fontgen.outlines.edge import Complexes, Floats, Ints

Scalar = TypeVar("Scalar", np.float64, np.complex128)

SAMPLES = 16
"""Points a curve is fitted to, evenly spread over its stretch of the edge."""

_ROUNDS, _MORE_ROUNDS = 2, 3
_HOPELESS = 6.0  # times the tolerance: no more rounds will help
_SHORTEST_HANDLE, _LONGEST_HANDLE = 0.05, 0.95  # of the length of the stretch


@dataclass(frozen=True)
class Cubics:
    """(n,) fitted curves."""

    p1: Complexes
    p2: Complexes
    error: Floats
    """Largest distance of a point from its curve."""
    worst: Floats
    """Where on the stretch that is, 0..1."""


def fit_cubics(
    points: Complexes,
    first: Floats,
    last: Floats,
    p0: Complexes,
    p3: Complexes,
    t0: Complexes,
    t3: Complexes,
    *,
    tolerance: float,
) -> Cubics:
    """Fit curves from p0 to p3 to the points at the (fractional) indices first..last of the edge.

    `t0`, `t3`: unit directions of travel at the ends, nan where the edge itself has to tell. A curve within
    `tolerance` of its points is not made better still.
    """
    share = np.linspace(0.0, 1.0, SAMPLES)
    at = first[:, None] + (last - first)[:, None] * share
    low = np.minimum(at.astype(np.int64), points.size - 2)
    z = points[low] + (at - low) * (points[low + 1] - points[low])
    path = np.concatenate([p0[:, None], z, p3[:, None]], axis=1)
    travelled = np.cumsum(np.abs(np.diff(path, axis=1)), axis=1)
    u = travelled[:, :-1] / np.maximum(travelled[:, -1:], 1e-9)
    length = travelled[:, -1]
    edge = _Edge(z, p0, p3, t0, t3, length)
    p1, p2, u, distance = edge.settled(u, _ROUNDS)
    error = distance.max(axis=1)
    # What is near enough is left as it is, and what is far off has to be divided in any case.
    hopeful = np.nonzero((error > tolerance) & (error < _HOPELESS * tolerance))[0]
    if hopeful.size:
        some = _Edge(z[hopeful], p0[hopeful], p3[hopeful], t0[hopeful], t3[hopeful], length[hopeful])
        p1[hopeful], p2[hopeful], _, distance[hopeful] = some.settled(u[hopeful], _MORE_ROUNDS)
    worst: Ints = np.argmax(distance, axis=1)
    error = distance[np.arange(len(worst)), worst]
    return Cubics(p1, p2, error, share[worst])


class _Edge:
    """The points of every curve and what is given of the curves themselves."""

    def __init__(
        self, z: Complexes, p0: Complexes, p3: Complexes, t0: Complexes, t3: Complexes, length: Floats
    ) -> None:
        self.z, self.t0, self.t3, self.length = z, t0, t3, length
        self.p0, self.p3 = p0, p3
        self.free0, self.free3 = np.isnan(t0), np.isnan(t3)
        self.any_free = bool(self.free0.any() or self.free3.any())

    def settled(self, u: Floats, rounds: int) -> tuple[Complexes, Complexes, Floats, Floats]:
        """Control points, parameters one step on and distances, after some rounds of handles and parameters."""
        p1, p2 = self.handles(u)
        u, distance = self.nearer(u, p1, p2)
        for _ in range(rounds - 1):
            p1, p2 = self.handles(u)
            u, distance = self.nearer(u, p1, p2)
        return p1, p2, u, distance

    def handles(self, u: Floats) -> tuple[Complexes, Complexes]:
        """The inner control points, least squares for parameters u."""
        v = 1 - u
        b1, b2 = 3 * v * v * u, 3 * v * u * u
        rest = self.z - self.p0[:, None] - (self.p3 - self.p0)[:, None] * (b2 + u * u * u)
        a11, a12, a22 = _dot(b1, b1), _dot(b1, b2), _dot(b2, b2)
        r1, r2 = _dot(b1, rest), _dot(b2, rest)
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
        chord = self.p3 - self.p0
        # Handles are counted from the ends: p1 = p0 + h1, p2 = p3 + h2.
        determinant = np.maximum(a11 * a22 - a12 * a12, 1e-12)
        start = (a22 * r1 - a12 * r2) / determinant
        end = -(a11 * r2 - a12 * r1) / determinant
        # A handle that comes out short or backwards says nothing: the stretch is too short, the chord will do.
        least = 0.05 * np.abs(chord) ** 2
        start = np.where((start * np.conj(chord)).real > least, start, chord)
        end = np.where((end * np.conj(chord)).real > least, end, chord)
        return np.where(self.free0, _unit(start), self.t0), np.where(self.free3, _unit(end), self.t3)

    def nearer(self, u: Floats, p1: Complexes, p2: Complexes) -> tuple[Floats, Floats]:
        """Each parameter one Newton step nearer to the foot of its point, and the distance before it."""
        d0, d1, d2 = (p1 - self.p0)[:, None], (p2 - p1)[:, None], (self.p3 - p2)[:, None]
        v = 1 - u
        e0, e1 = v * d0 + u * d1, v * d1 + u * d2
        first = 3 * (v * e0 + u * e1)
        away = _curve(u, self.p0, p1, p2, self.p3) - self.z
        second = 6 * (e1 - e0)
        slope = away.real * first.real + away.imag * first.imag
        change = first.real**2 + first.imag**2 + away.real * second.real + away.imag * second.imag
        step = slope / np.where(change > 1e-9, change, np.inf)
        return np.minimum(np.maximum(u - np.minimum(np.maximum(step, -0.1), 0.1), 0.0), 1.0), np.abs(away)


def _curve(u: Floats, p0: Complexes, p1: Complexes, p2: Complexes, p3: Complexes) -> Complexes:
    a, b, c = (3 * (p1 - p0))[:, None], (3 * (p2 - 2 * p1 + p0))[:, None], (p3 - 3 * p2 + 3 * p1 - p0)[:, None]
    return p0[:, None] + u * (a + u * (b + u * c))


def _dot(weights: Floats, values: NDArray[Scalar]) -> NDArray[Scalar]:
    products: NDArray[Scalar] = np.einsum("ij,ij->i", weights, values)
    return products


def _unit(z: Complexes) -> Complexes:
    return z / np.maximum(np.abs(z), 1e-12)
