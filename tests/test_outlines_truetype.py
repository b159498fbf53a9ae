from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph
from hypothesis import given, settings
from hypothesis import strategies as st

from fontgen.canvas import Canvas, Placement
from fontgen.errors import GlyphError
from fontgen.fonts.face import Face, FontRef
from fontgen.fonts.glyf import compile_truetype
from fontgen.glyphs.render import render_ink
from fontgen.outlines.fit import Stretches
from fontgen.outlines.outline import Outline
from fontgen.outlines.spline import fit_splines
from fontgen.outlines.stored import StoredOutline
from fontgen.outlines.svg import write_svg
from fontgen.outlines.trace import trace_inks
from fontgen.outlines.truetype import SplineContours, glyf_points

FIXTURES = Path(__file__).parents[1] / "fixtures"


def contours(*loops: list[tuple[float, float, int]]) -> SplineContours:
    """Points (x, y, on-curve) in units of 1000 per em."""
    flat = [point for loop in loops for point in loop]
    return SplineContours(
        np.array([complex(x, y) / 1000 for x, y, _ in flat]),
        np.array([bool(on) for _, _, on in flat]),
        np.cumsum([0, *map(len, loops)]),
    )


def listed(splines: SplineContours) -> list[list[tuple[int, int, int]]]:
    glyph = glyf_points(splines, 1000)
    points = list(zip(glyph.x.tolist(), glyph.y.tolist(), map(int, glyph.on_curve.tolist()), strict=True))
    ends = glyph.ends.tolist()
    return [points[first:last] for first, last in pairwise([0, *(end + 1 for end in ends)])]


SQUARE = [(0, 0, 1), (500, 0, 1), (500, 500, 1), (0, 500, 1)]
BLOB = [(0, 0, 1), (300, 0, 0), (300, 300, 1), (300, 600, 0), (0, 600, 1), (-300, 300, 0)]


def test_points_run_the_other_way_round_from_the_same_start() -> None:
    assert listed(contours(SQUARE)) == [[(0, 0, 1), (0, 500, 1), (500, 500, 1), (500, 0, 1)]]


def test_on_curve_points_half_way_between_off_curve_ones_go_without_saying() -> None:
    assert listed(contours(BLOB)) == [[(0, 0, 1), (-300, 300, 0), (0, 600, 1), (300, 600, 0), (300, 0, 0)]]


@pytest.mark.parametrize(
    "loop",
    [
        [(0, 0, 1), (0.2, 0.1, 1), (500, 0, 1), (500, 500, 1), (0, 500, 1)],  # a duplicate
        [(250, 0, 1), (500, 0, 1), (500, 500, 1), (0, 500, 1), (0, 0, 1)],  # a start in the middle of a side
        [(0, 0, 1), (250, 0, 0), (500, 0, 1), (500, 500, 1), (0, 500, 1)],  # a curve that is a line
        [(0, 0, 1), (100, 0, 0), (200, 0, 0), (500, 0, 1), (500, 500, 1), (0, 500, 1)],
        [(0, 0, 1), (500, 0, 1), (500, 500, 1), (0, 500, 1), (0, 250, 1), (0, 100, 1)],
        [(0, 0, 1), (500, 0, 1), (500, 500, 1), (300, 500, 1), (200, 500, 1), (0, 500, 1)],
    ],
)
def test_needless_points_go(loop: list[tuple[float, float, int]]) -> None:
    (found,) = listed(contours(loop))
    assert sorted(found) == sorted(SQUARE)


def test_curve_that_leaves_a_line_smoothly_keeps_its_point() -> None:
    loop = [(0, 0, 1), (300, 0, 1), (500, 0, 0), (500, 300, 1), (0, 300, 1)]
    assert sorted(listed(contours(loop))[0]) == sorted(loop)


def test_a_handle_that_lies_on_the_far_end_of_its_curve_stays() -> None:
    loop = [(0, 0, 1), (500, 0, 1), (600, 200, 0), (500, 0, 0), (650, 400, 0), (500, 500, 1), (0, 500, 1)]
    assert sorted(listed(contours(loop))[0]) == sorted(loop)


def test_contours_without_area_vanish_and_the_others_stay() -> None:
    line = [(700, 0, 1), (800, 0, 1)]
    assert [sorted(loop) for loop in listed(contours(SQUARE, line, BLOB))] == [
        sorted(SQUARE),
        sorted(point for point in BLOB if point != (300, 300, 1)),
    ]
    assert listed(contours(line)) == []


class _Points:
    """A drawable of given points."""

    def __init__(self, splines: SplineContours) -> None:
        self.splines = splines

    def truetype(self, *, units_per_em: int) -> object:
        return glyf_points(self.splines, units_per_em)


_coordinate = st.one_of(st.integers(-600, 600), st.integers(-9000, 9000))
_loop = st.lists(st.tuples(_coordinate, _coordinate, st.integers(0, 1)), min_size=3, max_size=12)


@settings(max_examples=60, deadline=None)
@given(loops=st.lists(_loop, min_size=1, max_size=4))
def test_packed_glyphs_hold_exactly_their_points(loops: list[list[tuple[int, int, int]]]) -> None:
    splines = contours(*([(*loop[0][:2], 1), *loop[1:]] for loop in loops))
    wanted = glyf_points(splines, 1000)
    compiled = compile_truetype(_Points(splines), 1000)  # type: ignore[arg-type]
    if compiled.bounds is None:
        assert not wanted.x.size
        return
    glyph = Glyph(compiled.data)
    glyph.expand(None)
    assert list(glyph.coordinates) == list(zip(wanted.x.tolist(), wanted.y.tolist(), strict=True))
    assert [flag & 1 for flag in glyph.flags] == wanted.on_curve.tolist()
    assert glyph.endPtsOfContours == wanted.ends.tolist()
    assert (glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax) == compiled.bounds
    assert (compiled.points, compiled.contours) == (wanted.x.size, wanted.ends.size)
    glyph.recalcBounds(None)
    assert len(compiled.data) <= len(glyph.compile(None, recalcBBoxes=False, optimizeSize=True))


def test_long_runs_of_equal_flags_are_counted() -> None:
    stairs = [(x, y, 1) for step in range(300) for x, y in ((10 * step, 10 * step), (10 * step + 10, 10 * step))]
    compiled = compile_truetype(_Points(contours([*stairs, (0, 9000, 1)])), 1000)  # type: ignore[arg-type]
    glyph = Glyph(compiled.data)
    glyph.expand(None)
    assert len(glyph.coordinates) == 601


def test_coordinates_beyond_sixteen_bits_are_refused() -> None:
    with pytest.raises(GlyphError, match="do not fit a font's 16 bits"):
        compile_truetype(_Points(contours([(0, 0, 1), (40000, 0, 1), (0, 500, 1)])), 1000)  # type: ignore[arg-type]


def arc(radius: float, degrees: float, *, points: int = 101) -> np.ndarray:
    return radius * np.exp(1j * np.radians(np.linspace(0.0, degrees, points)))


def stretch(points: np.ndarray, t0: complex, t3: complex) -> Stretches:
    ends = (np.array([0.0]), np.array([points.size - 1.0]), points[:1], points[-1:])
    return Stretches(*ends, np.array([t0]), np.array([t3]))


@pytest.mark.parametrize(("degrees", "tolerance", "most"), [(20, 0.2, 1), (90, 0.2, 2), (90, 0.02, 4), (150, 0.2, 4)])
def test_arcs_take_few_points_within_the_tolerance(degrees: float, tolerance: float, most: int) -> None:
    points = arc(60.0, degrees)
    (spline,) = fit_splines(points, stretch(points, 1j, 1j * points[-1] / 60.0), tolerance=np.array([tolerance]))
    assert spline.error <= tolerance
    assert len(spline.off_curve) <= most
    control = [points[0], *spline.off_curve, points[-1]]
    # The first handle leaves along the given direction.
    assert abs((control[1] - control[0]).real) < 1e-9
    joints = [control[0], *((a + b) / 2 for a, b in pairwise(control[1:-1])), control[-1]]
    for start, middle, end in zip(joints[:-1], control[1:-1], joints[1:], strict=True):
        t = np.linspace(0, 1, 30)
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t * t * end
        assert np.abs(np.abs(curve) - 60.0).max() <= 1.2 * tolerance


def test_stretch_that_no_spline_follows_says_how_far_it_strays() -> None:
    points = np.concatenate([arc(20.0, 360.0), 40.0 - arc(20.0, -360.0)])
    (spline,) = fit_splines(points, stretch(points, 1j, 1j), tolerance=np.array([0.1]))
    assert spline.error > 1.0


CANVAS = Canvas(size_px=192)


def traced(count: int) -> list[Outline]:
    face = Face(FontRef.of(FIXTURES / "zen-maru-gothic-bold.ttf"))
    codepoints = sorted(code for code in face.cmap if code >= 0x4E00)[:: 800 // count][:count]
    return trace_inks([render_ink(face, codepoint, CANVAS) for codepoint in codepoints], CANVAS)


def test_splines_enclose_what_the_cubics_do_with_fewer_points() -> None:
    for outline in traced(6):
        assert outline.splines is not None
        areas = [AreaPen(), AreaPen()]
        outline.draw(areas[0], units_per_em=1000)
        outline.draw_quadratic(areas[1], units_per_em=1000)
        assert -areas[1].value == pytest.approx(areas[0].value, rel=3e-3)
        converted = Outline(outline.contours).truetype(units_per_em=1000)
        assert outline.truetype(units_per_em=1000).x.size < converted.x.size


def test_splines_move_with_their_outline() -> None:
    (outline,) = traced(1)
    placement = Placement(scale=0.5, dx_em=0.1, dy_em=-0.2)
    pens = [RecordingPen(), RecordingPen()]
    outline.draw_quadratic(pens[0], units_per_em=1000)
    outline.placed(placement).draw_quadratic(pens[1], units_per_em=2000)
    for (_, before), (_, after) in zip(pens[0].value[:8], pens[1].value[:8], strict=True):
        for (x, y), (x1, y1) in zip(before, after, strict=True):
            assert (x1, y1) == pytest.approx((x + 200, y - 400), abs=1)


def test_stored_outline_draws_what_its_file_holds(tmp_path: Path) -> None:
    (outline,) = traced(1)
    path = tmp_path / "U+4E00.svg"
    write_svg(path, outline)
    placement = Placement(scale=1.0, dx_em=0.05, dy_em=0.0)
    stored = StoredOutline(path, (placement,))
    assert stored.load() == outline.placed(placement)
    glyph = TTGlyphPen(None)
    stored.load().draw_quadratic(glyph, units_per_em=1000)
    drawn = glyph.glyph()
    compiled = compile_truetype(stored, 1000)
    assert compiled.points == len(drawn.coordinates)
    pens = [RecordingPen(), RecordingPen()]
    stored.draw(pens[0], units_per_em=1000)
    outline.placed(placement).draw(pens[1], units_per_em=1000)
    assert pens[0].value == pens[1].value


def test_compiled_glyphs_are_drawn_by_fonttools_as_traced() -> None:
    (outline,) = traced(1)
    compiled = compile_truetype(outline, 1000)
    font = TTFont(FIXTURES / "zen-maru-gothic-bold.ttf")
    name = font.getBestCmap()[0x6C38] if 0x6C38 in font.getBestCmap() else font.getGlyphOrder()[5]
    font["glyf"].glyphs[name] = Glyph(compiled.data)
    area, expected = AreaPen(), AreaPen()
    font["glyf"][name].draw(area, font["glyf"])
    outline.draw_quadratic(expected, units_per_em=1000)
    assert area.value == pytest.approx(expected.value)
