"""Quadratic splines in least squares, many at once: what TrueType draws, fitted to the edge itself.

A spline of k off-curve points with the on-curve points between them implied is a uniform quadratic B-spline
of k pieces. Its ends and end directions are given; the lengths of the two outermost handles and the off-curve
points between them are least squares for given parameters of the points, in turn with the parameters, as for
cubics (`fit.py`). The fewest off-curve points that keep within the tolerance are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fontgen.outlines.edge import Complexes, Floats, Ints
from fontgen.outlines.features import intersect
from fontgen.outlines.fit import Stretches, sampled, stepped

_SAMPLES = 20
_MOST_OFF_CURVE = 5
_ROUNDS = 4
_SHORTEST_HANDLE, _LONGEST_HANDLE = 0.02, 0.95  # of the length of the stretch
_RIDGE = 1e-9
_OPTIMISM = 0.75  # of the number of off-curve points that the error asks for
_MOST_EXCESS = 8.0  # times the tolerance: beyond it the fit was poor rather than short of points
_HOPELESS = 4.0  # times the tolerance after one round: more points are needed


@dataclass
class Spline:
    """The off-curve points between two on-curve ones, and the largest distance of a point from the curve."""

    off_curve: list[complex]
    error: float


def fit_splines(points: Complexes, stretches: Stretches, *, tolerance: Floats) -> list[Spline]:
    """Fit a spline to each stretch, whose directions must all be given.

    Where even the largest number of off-curve points strays too far, the best of all is returned.
    """
    z, u, length = sampled(points, stretches, _SAMPLES)
    best = [Spline([], np.inf) for _ in range(length.size)]
    wanted = np.ones(length.size, np.int64)
    for count in range(1, _MOST_OFF_CURVE + 1):
        left = np.flatnonzero(wanted == count)
        if not left.size:
            continue
        if left.size == 1:  # numpy would add up a single curve's samples in another order
            left = np.repeat(left, 2)
        edge = _Edge(z[:, left], stretches.only(left), length[left], count)
        if count == 1:
            control, error = edge.single(u[:, left])
        else:
            control, error = edge.settled(u[:, left], tolerance[left])
        columns = control[1:-1].T.tolist()
        for k, off_curve, away in zip(left.tolist(), columns, error.tolist(), strict=True):
            if away < best[k].error:
                best[k] = Spline(off_curve, away)
        # The error of a quadratic falls with the third power of its length: counts that cannot do are left out.
        excess = np.minimum(error / tolerance[left], _MOST_EXCESS)
        promising = (_OPTIMISM * count * np.cbrt(excess)).astype(np.int64)
        wanted[left] = np.where(excess <= 1, 0, np.maximum(count + 1, promising))
    return best


class _Edge:
    """The points of every stretch, and what is given of splines with `count` off-curve points.

    Control points are (count + 2, n): the two ends and the off-curve points between.
    """

    def __init__(self, z: Complexes, stretches: Stretches, length: Floats, count: int) -> None:
        self.z, self.length, self.count = z, length, count
        self.p0, self.p3, self.t0, self.t3 = stretches.p0, stretches.p3, stretches.t0, stretches.t3

    def single(self, u: Floats) -> tuple[Complexes, Floats]:
        """One off-curve point: where the end directions meet; error is inf where they do not meet ahead."""
        meeting = intersect(self.p0, self.t0, self.p3, self.t3)
        ahead = ((meeting - self.p0) * np.conj(self.t0)).real
        behind = ((self.p3 - meeting) * np.conj(self.t3)).real
        sound = (np.minimum(ahead, behind) > 0) & (np.maximum(ahead, behind) < self.length)
        control = np.stack([self.p0, np.where(sound, meeting, (self.p0 + self.p3) / 2), self.p3])
        u, _ = self.nearer(u, control)
        _, squares = self.nearer(u, control)
        return control, np.where(sound, np.sqrt(squares.max(axis=0)), np.inf)

    def settled(self, u: Floats, tolerance: Floats) -> tuple[Complexes, Floats]:
        """Control points, and the largest distance of a point from its curve."""
        control = self.controls(u)
        u, squares = self.nearer(u, control)
        error = np.sqrt(squares.max(axis=0))
        hopeful = np.flatnonzero((error > tolerance / 4) & (error < _HOPELESS * tolerance))
        if hopeful.size:
            some = self._only(hopeful)
            u = u[:, hopeful]
            for _ in range(_ROUNDS - 1):
                better = some.controls(u)
                u, squares = some.nearer(u, better)
            control[:, hopeful], error[hopeful] = better, np.sqrt(squares.max(axis=0))
        return control, error

    def _only(self, chosen: Ints) -> _Edge:
        nothing = np.zeros(chosen.size)
        stretches = Stretches(nothing, nothing, self.p0[chosen], self.p3[chosen], self.t0[chosen], self.t3[chosen])
        return _Edge(self.z[:, chosen], stretches, self.length[chosen], self.count)

    def controls(self, u: Floats) -> Complexes:
        """Control points, least squares for parameters u (0..1 over the whole spline)."""
        weights = self._weights(u)
        inner = weights[1:-1]
        rest = self.z - self.p0 * (weights[0] + inner[0]) - self.p3 * (inner[-1] + weights[-1])
        products = np.einsum("isn,jsn->ijn", inner, inner)
        sums = np.empty((self.count, u.shape[1]), np.complex128)
        # einsum takes five times as long where one of its arrays is complex.
        sums.real = np.einsum("isn,sn->in", inner, np.ascontiguousarray(rest.real))
        sums.imag = np.einsum("isn,sn->in", inner, np.ascontiguousarray(rest.imag))
        # Unknown numbers and the way that each moves its control point: the lengths of the two handles, then
        # real and imaginary parts of the points between.
        last = self.count - 1
        moves = np.array([0, last, *(k for k in range(1, last) for _ in "xy")])
        ways = np.empty((moves.size, u.shape[1]), np.complex128)
        ways[0], ways[1], ways[2::2], ways[3::2] = self.t0, -self.t3, 1.0, 1.0j
        matrix = products[moves[:, None], moves] * (ways[:, None] * np.conj(ways)).real
        right = (sums[moves] * np.conj(ways)).real
        found = _solved(matrix, right)
        shortest, longest = _SHORTEST_HANDLE * self.length, _LONGEST_HANDLE * self.length
        alpha = np.minimum(np.maximum(found[0], shortest), longest)
        beta = np.minimum(np.maximum(found[1], shortest), longest)
        control = np.empty((self.count + 2, u.shape[1]), np.complex128)
        control[0], control[1] = self.p0, self.p0 + alpha * self.t0
        control[2:-2] = found[2::2] + 1j * found[3::2]
        control[-2], control[-1] = self.p3 - beta * self.t3, self.p3
        return control

    def _weights(self, u: Floats) -> Floats:
        """How much each control point counts at each sample: (count + 2, samples, n)."""
        count = self.count
        scaled = u * count
        piece = np.minimum(scaled.astype(np.int64), count - 1)
        s = scaled - piece
        # Inner pieces begin and end half-way between off-curve points.
        start, end = (1 - s) ** 2 / (1 + (piece > 0)), s * s / (1 + (piece < count - 1))
        middle = 2 * s * (1 - s) + start * (piece > 0) + end * (piece < count - 1)
        weights = np.zeros((count + 2, *u.shape))
        flat, place = weights.reshape(-1), piece * u.size + np.arange(u.size).reshape(u.shape)
        flat[place] = start
        flat[place + u.size] = middle
        flat[place + 2 * u.size] = end
        return weights

    def nearer(self, u: Floats, control: Complexes) -> tuple[Floats, Floats]:
        """Each parameter one Newton step nearer to the foot of its point, and the squared distance before it."""
        count = self.count
        if count == 1:
            s = u
            start, middle, end = control
        else:
            curves = u.shape[1]
            joints = np.concatenate([control[:1], (control[1:-2] + control[2:-1]) / 2, control[-1:]]).reshape(-1)
            scaled = u * count
            piece = np.minimum(scaled.astype(np.int64), count - 1)
            s = scaled - piece
            place = piece * curves + np.arange(curves)
            start, middle, end = joints[place], control[1:].reshape(-1)[place], joints[place + curves]
        a, b = 2 * (middle - start), start - 2 * middle + end
        away = start + s * (a + s * b) - self.z
        first, second = a + 2 * s * b, 2 * b
        squares = away.real**2 + away.imag**2
        slope = away.real * first.real + away.imag * first.imag
        change = first.real**2 + first.imag**2 + away.real * second.real + away.imag * second.imag
        return stepped(u, slope / count, change), squares


def _solved(matrix: Floats, right: Floats) -> Floats:
    """(m, n) solutions of n symmetric systems (m, m, n), slightly regularised, for right sides (m, n)."""
    diagonal = np.arange(len(right))
    matrix[diagonal, diagonal] += _RIDGE
    if len(right) > 2:
        return np.asarray(np.linalg.solve(np.moveaxis(matrix, 2, 0), right.T[:, :, None])[:, :, 0].T, np.float64)
    (a, b), (_, d) = matrix
    return np.asarray(np.stack([d * right[0] - b * right[1], a * right[1] - b * right[0]]) / (a * d - b * b))
