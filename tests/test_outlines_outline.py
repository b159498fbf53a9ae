from __future__ import annotations

import pytest
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen

from fontgen.outlines.outline import Contour, Outline, reversed_contour, signed_area
from fontgen.outlines.winding import wind_by_nesting

SQUARE: Contour = (((0.5, 0.0),), ((0.5, 0.5),), ((0.0, 0.5),), ((0.0, 0.0),))
_K = 0.5523
CIRCLE: Contour = (
    ((1.0, _K), (_K, 1.0), (0.0, 1.0)),
    ((-_K, 1.0), (-1.0, _K), (-1.0, 0.0)),
    ((-1.0, -_K), (-_K, -1.0), (0.0, -1.0)),
    ((_K, -1.0), (1.0, -_K), (1.0, 0.0)),
)


def test_cubic_drawing_is_counter_clockwise_and_integer() -> None:
    pen = RecordingPen()
    Outline((SQUARE,)).draw(pen, units_per_em=1000)
    assert pen.value == [
        ("moveTo", ((0, 0),)),
        ("lineTo", ((500, 0),)),
        ("lineTo", ((500, 500),)),
        ("lineTo", ((0, 500),)),
        ("closePath", ()),
    ]


def test_quadratic_drawing_is_clockwise() -> None:
    area = AreaPen()
    Outline((SQUARE,)).draw_quadratic(area, units_per_em=1000)
    assert area.value == -250_000


def test_quadratics_follow_the_cubics() -> None:
    area = AreaPen()
    Outline((CIRCLE,)).draw_quadratic(area, units_per_em=1000)
    assert -area.value / 1e6 == pytest.approx(signed_area(CIRCLE), rel=1e-3)
    glyph = TTGlyphPen(None)
    Outline((CIRCLE,)).draw_quadratic(glyph, units_per_em=1000)
    assert glyph.glyph().numberOfContours == 1


def test_contour_of_one_closed_spline_is_not_lost() -> None:
    loop: Contour = (((0.3, 0.0), (0.3, 0.4), (0.0, 0.0)),)
    for draw in (Outline((loop,)).draw, Outline((loop,)).draw_quadratic):
        area = AreaPen()
        draw(area, units_per_em=1000)
        assert abs(area.value) / 1e6 == pytest.approx(abs(signed_area(loop)), rel=0.02)


def test_duplicate_and_collinear_points_go() -> None:
    contour: Contour = (
        ((0.2, 0.0),),
        ((0.2001, 0.0001),),
        ((0.5, 0.0),),
        ((0.5, 0.1), (0.5, 0.3), (0.5, 0.5)),
        ((0.25, 0.5),),
        ((0.0, 0.5),),
        ((0.0, 0.0),),
    )
    pen = RecordingPen()
    Outline((contour,)).draw(pen, units_per_em=1000)
    assert [points[-1] for operator, points in pen.value if operator == "lineTo"] == [(500, 0), (500, 500), (0, 500)]
    assert not [operator for operator, _ in pen.value if operator == "curveTo"]


def test_collinear_start_goes_too() -> None:
    contour: Contour = (((0.5, 0.0),), ((0.5, 0.5),), ((0.0, 0.5),), ((0.0, 0.0),), ((0.25, 0.0),))
    pen = RecordingPen()
    Outline((contour,)).draw(pen, units_per_em=1000)
    corners = {points[-1] for _, points in pen.value if points}
    assert corners == {(0, 0), (500, 0), (500, 500), (0, 500)}


def test_contour_without_area_is_not_drawn() -> None:
    pen = RecordingPen()
    Outline(((((0.5, 0.0),), ((0.0, 0.0),)),)).draw(pen, units_per_em=1000)
    assert pen.value == []


def test_bounds_are_those_of_the_curve() -> None:
    arch: Contour = (((0.0, 0.4), (0.4, 0.4), (0.4, 0.0)), ((0.0, 0.0),))
    assert Outline((arch,)).bounds_em() == pytest.approx((0.0, 0.0, 0.4, 0.3))
    assert Outline().bounds_em() is None
    assert Outline().is_empty


def test_point_count_and_area() -> None:
    assert Outline((SQUARE, CIRCLE)).point_count() == 16
    assert signed_area(SQUARE) == pytest.approx(0.25)
    assert signed_area(reversed_contour(CIRCLE)) == pytest.approx(-signed_area(CIRCLE))
    assert signed_area(CIRCLE) == pytest.approx(3.1416, rel=1e-3)


def test_winding_from_nesting() -> None:
    inner: Contour = tuple(tuple((x / 2 + 0.1, y / 2 + 0.1) for x, y in segment) for segment in SQUARE)
    island: Contour = tuple(tuple((x / 4 + 0.15, y / 4 + 0.15) for x, y in segment) for segment in SQUARE)
    wound = wind_by_nesting([reversed_contour(SQUARE), inner, reversed_contour(island)])
    assert [signed_area(contour) > 0 for contour in wound] == [True, False, True]
