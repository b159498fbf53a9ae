"""Cubics in least squares, many at once.

For a cubic whose ends and end directions are given, two numbers are left: the lengths of its handles. They
solve a 2 x 2 linear system for given parameters of the points; parameters and handles are found in turn
(P. J. Schneider, "An Algorithm for Automatically Fitting Digitized Curves", Graphics Gems, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fontgen.outlines.edge import Complexes, Floats, Ints

SAMPLES = 24
"""Points a curve is fitted to, evenly spread over its stretch of the edge."""

_ROUNDS = 4


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
    points: Complexes, first: Floats, last: Floats, p0: Complexes, p3: Complexes, t0: Complexes, t3: Complexes
) -> Cubics:
    """Fit curves from p0 to p3 to the points at the (fractional) indices first..last of the edge.

    `t0`, `t3`: unit directions of travel at the ends, nan where the edge itself has to tell.
    """
    share = np.linspace(0.0, 1.0, SAMPLES)
    at = first[:, None] + (last - first)[:, None] * share
    low = np.minimum(at.astype(np.int64), points.size - 2)
    z = points[low] + (at - low) * (points[low + 1] - points[low])
    path = np.concatenate([p0[:, None], z, p3[:, None]], axis=1)
    travelled = np.cumsum(np.abs(np.diff(path, axis=1)), axis=1)
    u = travelled[:, :-1] / np.maximum(travelled[:, -1:], 1e-9)
    length = travelled[:, -1]
    p1, p2 = _handles(z, u, p0, p3, *_free_directions(z, u, p0, p3, t0, t3), length)
    for _ in range(_ROUNDS):
        u = _nearer(z, u, p0, p1, p2, p3)
        p1, p2 = _handles(z, u, p0, p3, *_free_directions(z, u, p0, p3, t0, t3), length)
    u = _nearer(z, u, p0, p1, p2, p3)
    distance = np.abs(_at(u, p0, p1, p2, p3) - z)
    worst: Ints = np.argmax(distance, axis=1)
    error = distance[np.arange(len(worst)), worst]
    return Cubics(p1, p2, error, share[worst])


def _weights(u: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    v = 1 - u
    return v * v * v, 3 * v * v * u, 3 * v * u * u, u * u * u


def _at(u: Floats, p0: Complexes, p1: Complexes, p2: Complexes, p3: Complexes) -> Complexes:
    b0, b1, b2, b3 = _weights(u)
    return b0 * p0[:, None] + b1 * p1[:, None] + b2 * p2[:, None] + b3 * p3[:, None]


def _free_directions(
    z: Complexes, u: Floats, p0: Complexes, p3: Complexes, t0: Complexes, t3: Complexes
) -> tuple[Complexes, Complexes]:
    """Directions where none is given: those of the cubic with both handles free."""
    free0, free3 = np.isnan(t0), np.isnan(t3)
    if not (free0.any() or free3.any()):
        return t0, t3
    b0, b1, b2, b3 = _weights(u)
    rest = z - b0 * p0[:, None] - b3 * p3[:, None]
    a11, a12, a22 = (b1 * b1).sum(1), (b1 * b2).sum(1), (b2 * b2).sum(1)
    c1, c2 = (b1 * rest).sum(1), (b2 * rest).sum(1)
    determinant = np.maximum(a11 * a22 - a12 * a12, 1e-12)
    p1 = (a22 * c1 - a12 * c2) / determinant
    p2 = (a11 * c2 - a12 * c1) / determinant
    chord = p3 - p0
    # A handle that comes out short or backwards says nothing: the stretch is too short, the chord will do.
    start = np.where(((p1 - p0) * np.conj(chord)).real > 0.05 * np.abs(chord) ** 2, p1 - p0, chord)
    end = np.where(((p3 - p2) * np.conj(chord)).real > 0.05 * np.abs(chord) ** 2, p3 - p2, chord)
    return np.where(free0, _unit(start), t0), np.where(free3, _unit(end), t3)


def _unit(z: Complexes) -> Complexes:
    return z / np.maximum(np.abs(z), 1e-12)


def _handles(
    z: Complexes, u: Floats, p0: Complexes, p3: Complexes, t0: Complexes, t3: Complexes, length: Floats
) -> tuple[Complexes, Complexes]:
    """Least squares lengths of the handles along t0 and against t3."""
    b0, b1, b2, b3 = _weights(u)
    rest = z - (b0 + b1) * p0[:, None] - (b2 + b3) * p3[:, None]
    cosine = (t0 * np.conj(t3)).real
    a11, a22 = (b1 * b1).sum(1), (b2 * b2).sum(1)
    a12 = -(b1 * b2).sum(1) * cosine
    c1 = (b1 * (rest * np.conj(t0)[:, None]).real).sum(1)
    c2 = -(b2 * (rest * np.conj(t3)[:, None]).real).sum(1)
    determinant = a11 * a22 - a12 * a12
    safe = np.where(np.abs(determinant) > 1e-9 * a11 * a22, determinant, 1.0)
    alpha = (a22 * c1 - a12 * c2) / safe
    beta = (a11 * c2 - a12 * c1) / safe
    third = length / 3
    bad = (np.abs(determinant) <= 1e-9 * a11 * a22) | ~np.isfinite(alpha) | ~np.isfinite(beta)
    alpha = np.clip(np.where(bad, third, alpha), 0.05 * length, 0.95 * length)
    beta = np.clip(np.where(bad, third, beta), 0.05 * length, 0.95 * length)
    return p0 + alpha * t0, p3 - beta * t3


def _nearer(z: Complexes, u: Floats, p0: Complexes, p1: Complexes, p2: Complexes, p3: Complexes) -> Floats:
    """One Newton step of every parameter towards the foot of its point on the curve."""
    distance = _at(u, p0, p1, p2, p3) - z
    v = 1 - u
    d0, d1, d2 = (p1 - p0)[:, None], (p2 - p1)[:, None], (p3 - p2)[:, None]
    first = 3 * (v * v * d0 + 2 * v * u * d1 + u * u * d2)
    second = 6 * (v * (d1 - d0) + u * (d2 - d1))
    slope = (distance * np.conj(first)).real
    change = np.abs(first) ** 2 + (distance * np.conj(second)).real
    step = np.where(change > 1e-9, slope / np.where(change > 1e-9, change, 1.0), 0.0)
    return np.clip(u - np.clip(step, -0.1, 0.1), 0.0, 1.0)
