from __future__ import annotations

import numpy as np
import pytest
from fontTools.misc.bezierTools import cubicPointAtT

from fontgen.outlines.extremes import cubic_at_extremes, spline_at_extremes


def test_a_cubic_is_divided_where_it_turns_and_stays_the_same_curve() -> None:
    arch = (0j, 40 + 60j, 90 + 50j, 100 - 20j)
    parts = cubic_at_extremes(*arch, least=1.0)
    assert len(parts) == 2
    (_, before, top), (after, _, end) = parts
    assert before.imag == top.imag == after.imag
    assert end == arch[3]
    t = np.linspace(0, 1, 2001)
    path = np.array([cubicPointAtT(*((z.real, z.imag) for z in arch), x) for x in t])
    assert top.imag == pytest.approx(path[:, 1].max(), abs=1e-4)
    assert np.abs(path - (top.real, top.imag)).sum(axis=1).min() < 0.1


def test_what_hardly_stands_out_or_would_leave_a_splinter_stays_whole() -> None:
    flat = (0j, 30 + 0.9j, 60 + 0j, 100 - 30j)
    assert cubic_at_extremes(*flat, least=1.0) == [flat[1:]]
    near_the_end = (0j, 1 + 2j, 60 - 30j, 100 - 90j)
    assert cubic_at_extremes(*near_the_end, least=1.0) == [near_the_end[1:]]
    straight_on = (0j, 30 + 10j, 60 + 20j, 100 + 20j)
    assert cubic_at_extremes(*straight_on, least=1.0) == [straight_on[1:]]


def test_a_spline_is_divided_and_its_implied_points_beside_the_division_become_real() -> None:
    points, on_curve = spline_at_extremes(0j, [20 + 50j, 80 + 50j, 110 - 30j], 100 - 60j, least=1.0)
    assert points[-1] == 100 - 60j
    # between the first two off-curve points the curve lies level anyway: it is the last that stands out, to the right
    assert on_curve == [False, False, True, False, True, False, True]
    assert points[2] == pytest.approx(95 + 10j)
    before, extreme, after = points[3:6]
    assert before.real == extreme.real == after.real
    assert extreme.real == pytest.approx(101.0, abs=5.0)
    assert spline_at_extremes(0j, [20 + 10j, 60 + 20j], 100 + 20j, least=1.0) == (
        [20 + 10j, 60 + 20j, 100 + 20j],
        [False, False, True],
    )
