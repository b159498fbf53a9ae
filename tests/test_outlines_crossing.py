from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fontTools.pens.recordingPen import RecordingPen
from scipy import ndimage

from benchmarks.outline_faults import crossings as faults_crossings
from benchmarks.outline_faults import is_miswound, polygons
from fontgen.canvas import Canvas
from fontgen.fonts.face import Face, FontRef
from fontgen.glyphs.render import render_ink
from fontgen.outlines.crossing import Segment, crossing_pairs, cubic_segments, line_segment, spline_segments
from fontgen.outlines.edge import Complexes, Ints
from fontgen.outlines.outline import Outline, signed_area
from fontgen.outlines.refit import Refitted
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.trace import trace_ink, trace_inks
from fontgen.outlines.untangle import Grid, _splines, untangled

FIXTURES = Path(__file__).parents[1] / "fixtures"


def crossings(*contours: list[Segment], glyph: list[int] | None = None) -> set[tuple[int, int]]:
    """Numbers of the contours of every crossing pair of segments."""
    numbers = np.repeat(np.arange(len(contours)), [len(contour) for contour in contours])
    segments = np.array([segment for contour in contours for segment in contour]).T
    one, two = crossing_pairs(segments, numbers, np.array(glyph or [0] * len(contours))[numbers])
    return {(min(a, b), max(a, b)) for a, b in zip(numbers[one].tolist(), numbers[two].tolist(), strict=True)}


def polygon(*points: complex) -> list[Segment]:
    return [line_segment(a, b) for a, b in pairwise([*points, points[0]])]


SQUARE = polygon(0, 100, 100 + 100j, 100j)


def test_sound_contours_do_not_cross() -> None:
    inner = polygon(20 + 20j, 20 + 80j, 80 + 80j, 80 + 20j)
    assert crossings(SQUARE, inner) == set()


def test_contours_that_touch_do_not_cross() -> None:
    assert (
        crossings(SQUARE, polygon(100, 200, 200 + 100j, 100 + 100j), polygon(50 + 100j, 60 + 150j, 40 + 150j)) == set()
    )


def test_bow_tie_crosses_itself() -> None:
    assert crossings(polygon(0, 100 + 100j, 100, 100j)) == {(0, 0)}


def test_overlapping_contours_cross_in_one_glyph_only() -> None:
    moved = polygon(50 + 50j, 150 + 50j, 150 + 150j, 50 + 150j)
    assert crossings(SQUARE, moved) == {(0, 1)}
    assert crossings(SQUARE, moved, glyph=[0, 1]) == set()


def test_curve_with_a_loop_crosses_itself() -> None:
    loop: Segment = (0, 200 + 150j, -100 + 150j, 100)
    assert crossings([loop, *polygon(100, 50 - 100j, 0)[:2]]) == {(0, 0)}


def test_curve_through_a_line_is_found_whichever_comes_first() -> None:
    arch: Segment = (20 - 40j, 20 + 60j, 80 + 60j, 80 - 40j)
    shape = [arch, line_segment(80 - 40j, 20 - 40j)]
    assert crossings(SQUARE, shape) == {(0, 1)}
    assert crossings(shape, SQUARE) == {(0, 1)}


@pytest.mark.parametrize("inside", [0.2, 1.0])
def test_a_line_that_only_just_cuts_an_arc_is_found(inside: float) -> None:
    """Between the cuts of a coarse search both of its crossings lie under one chord."""
    handle = 0.5523 * 300
    arc: Segment = (300, 300 + 1j * handle, handle + 300j, 300j)
    disc = [arc, line_segment(300j, 0), line_segment(0, 300)]
    for degrees in range(5, 90, 5):
        out = np.exp(1j * np.deg2rad(degrees))
        for depth, expected in ((inside, {(0, 1)}), (-1.0, set())):
            foot = (300 - depth) * out
            wedge = polygon(foot + 200j * out, foot + 100 * out, foot - 200j * out)
            assert crossings(disc, wedge) == expected, (degrees, depth)


def test_a_crossing_at_a_round_time_of_a_curve_is_found() -> None:
    """Where the curve is half done it lies exactly on the other's side."""
    arch: Segment = (0, 100j, 100 + 100j, 100)
    shape = [arch, line_segment(100, 0)]
    assert crossings(shape, polygon(50 + 50j, 50 + 100j, 60 + 100j, 60 + 50j)) == {(0, 1)}


_GRID = Grid(Canvas(size_px=1000, margin_em=0.0), 1000)
"""Pixels are units."""


def test_on_curve_points_that_go_without_saying_are_where_they_are_implied() -> None:
    """That is half a unit off, which is enough to cross what lies close."""
    points, on_curve = [100, 100 + 49j, 75 + 75j, 49 + 100j, 100j, 0], [True, False, True, False, True, True]
    contour = Refitted([(z,) for z in points], list(map(complex, points)), on_curve)
    [(segments, numbers)] = _splines([contour], _GRID)
    assert numbers == [0, 1, 2, 3]
    before, after = _GRID.units(np.array([points[1], points[3]])).tolist()
    assert segments[1][3] == segments[2][0] == (before + after) / 2


def test_segments_carry_the_number_of_their_curve() -> None:
    points, on_curve = [100, 100 + 50j, 50 + 100j, 100j, 0], [True, False, False, True, True]
    segments, numbers = spline_segments(points, on_curve)
    assert numbers == [0, 1, 1, 2]
    assert segments[1][3] == segments[2][0] == 75 + 75j
    segments, numbers = cubic_segments([(100,), (100 + 50j, 50 + 100j, 100j), (0,)])
    assert numbers == [0, 1, 2]
    assert segments[0] == (0, 0, 100, 100)


def _grid(z: Complexes) -> Complexes:
    return np.floor(z.real + 0.5) + 1j * np.floor(z.imag + 0.5)


def test_hook_at_a_corner_becomes_a_chord_and_the_rest_stays() -> None:
    hook = (104 + 96j, 96 + 92j, 96 + 99j)
    contour = Refitted(
        [(100,), (100 + 100j,), hook, (100j,), (0,)],
        [100, 100 + 100j, 104 + 96j, 96 + 92j, 96 + 99j, 100j, 0],
        [True, True, False, False, True, True, True],
    )
    assert untangled([contour], np.array([0]), np.array([10_000.0]), _GRID).size == 0
    assert contour.cubic == [(100,), (100 + 100j,), (96 + 99j,), (100j,), (0,)]
    assert contour.points[-3:] == [96 + 99j, 100j, 0]


def test_what_chords_cannot_mend_is_told() -> None:
    tie = [(100 + 100j,), (100,), (100j,), (0,)]
    contours = [_of_lines(300, 300 + 100j, 200 + 100j, 200), _of_lines(*(z for (z,) in tie))]
    assert untangled(contours, np.array([0, 1]), np.array([10_000.0, 10_000.0]), _GRID).tolist() == [1]


def _of_lines(*corners: complex) -> Refitted:
    return Refitted([(z,) for z in corners], list(corners), [True] * len(corners))


def _square(low: int, high: int, *, counter: bool = False) -> Refitted:
    corners = [complex(high, low), complex(high, high), complex(low, high), complex(low, low)]
    return _of_lines(*corners[:: -1 if counter else 1])


def test_contours_that_do_not_enclose_what_their_loops_do_are_told() -> None:
    contours = [_square(0, 100), _square(20, 60, counter=True), _square(70, 90)]
    for area_px2, expected in ((-1600.0, []), (-1700.0, []), (-1800.0, [1]), (1600.0, [1])):
        areas_px2 = np.array([10_000.0, area_px2, 400.0])
        assert untangled(contours, np.zeros(3, np.int64), areas_px2, _GRID).tolist() == expected


def test_contours_where_their_turning_is_wrong_are_told_once_their_glyph_is_doubted() -> None:
    """A counter that a chord has passed over lies outside, and crosses nothing."""
    glyph, areas_px2 = np.array([0, 0, 1, 1]), np.array([10_000.0, -1600.0, 10_000.0, -1600.0])
    contours = [
        _square(0, 100),
        _square(120, 160, counter=True),
        _square(0, 100),
        _square(20, 60, counter=True),
    ]
    assert untangled(contours, glyph, areas_px2, _GRID, among=np.array([0, 1])).tolist() == [1]
    assert untangled(contours, glyph, areas_px2, _GRID, among=np.array([1])).tolist() == []


def _segments(outline: Outline, *, quadratic: bool) -> list[list[Segment]]:
    """The segments of every contour as a font of 1000 units holds them."""
    if not quadratic:
        return [
            cubic_segments([tuple(_grid(np.array([complex(*p) * 1000 for p in s])).tolist()) for s in contour])[0]
            for contour in outline.contours
        ]
    glyph = outline.truetype(units_per_em=1000)
    points, on_curve = (glyph.x + 1j * glyph.y).tolist(), glyph.on_curve.tolist()
    bounds = [0, *(end + 1 for end in glyph.ends.tolist())]
    return [
        spline_segments([*points[a + 1 : b], points[a]], [*on_curve[a + 1 : b], True])[0] for a, b in pairwise(bounds)
    ]


@pytest.mark.parametrize("name", ["zen-maru-gothic-bold.ttf", "noto-sans-jp-bold.ttf"])
@pytest.mark.parametrize("size_px", [96, 256])
def test_traced_glyphs_neither_cross_nor_wind_wrongly(name: str, size_px: int) -> None:
    face, canvas = Face(FontRef.of(FIXTURES / name)), Canvas(size_px=size_px)
    codepoints = sorted(code for code in face.cmap if code >= 0x4E00)[::26]
    inks = [render_ink(face, codepoint, canvas) for codepoint in codepoints]
    outlines = trace_inks(inks, canvas)
    for codepoint, outline, ink in zip(codepoints, outlines, inks, strict=True):
        area_px2 = sum(map(signed_area, outline.contours)) * canvas.px_per_em**2
        assert area_px2 == pytest.approx(ink.sum() / 255, rel=0.02), f"U+{codepoint:04X}"
        for quadratic in (False, True):
            assert crossings(*_segments(outline, quadratic=quadratic)) == set(), f"U+{codepoint:04X}"


def test_the_benchmark_sees_what_no_outline_may_have() -> None:
    """Its own search is what says that the tracer's found everything."""

    def found(*contours: list[tuple[str, tuple[tuple[int, int] | None, ...]]]) -> tuple[int, bool]:
        outline = polygons([operation for contour in contours for operation in contour])
        return len(faults_crossings(outline)), is_miswound(outline, True, 1000)

    def square(low: int, high: int, *, counter: bool = False) -> list[tuple[str, tuple[tuple[int, int] | None, ...]]]:
        corners = [(low, low), (low, high), (high, high), (high, low)][:: -1 if counter else 1]
        return [("moveTo", (corners[0],)), *(("lineTo", (corner,)) for corner in corners[1:]), ("closePath", ())]

    disc = [("qCurveTo", ((0, 400), (400, 400), (400, 0), (0, 0), None))]
    assert found(square(0, 400), square(100, 300, counter=True)) == (0, False)
    assert found(square(0, 400), square(100, 300)) == (0, True)
    assert found(square(0, 400, counter=True)) == (0, True)
    assert found(square(0, 400), square(200, 600)) == (2, False)
    assert found(disc) == (0, False)
    assert found(disc, square(51, 349, counter=True)) == (0, False)
    assert found(disc, square(49, 351, counter=True))[0] == 8, "its corners only just leave the disc"


_POOR_COUNTER = """
fffffefefdfcfcfbfaf9f8f7f7f9f9
fffef8f5e6dcd8d7cdc9c0bfbac8ce
fefde9d9b49bada5a59d90878998a8
fef7bc97644f5b747e7f7069667b8c
fcf084603e55658eb0b49f9b95aab6
fbe46b5a2ca4c7e5eff0eae6e5ebef
f9dd60523dc2e7f6fbfcfbf9f8f9fb
fada607366e1f5fdfefffefefdfdfe
fae1707e86eefbfefffffffffefefe
fbe37a9394f4fdfffffffffefefefe
fbe57a90a2f7fdfffffffffefdfcfd
fbe27590a5f6fdfffffffefdfaf4f6
fbe57f90a6f6fdfffffffef0dabaca
fbe17b97a4f4fcfefffefcdfc381a3
fce9869bacf4fcfefefcf8be794056
"""
"""A spot of a network's drawing at 128 px, ink in hexadecimal."""


def test_a_poor_drawing_keeps_its_counter() -> None:
    """Chords for what crossed used to turn it round."""
    ink = np.zeros((128, 128), np.uint8)
    ink[76:91, 21:36] = [list(bytes.fromhex(row)) for row in _POOR_COUNTER.split()]
    outline = trace_ink(ink, Canvas(size_px=128), TraceSettings(genre="round"))
    assert len(outline.contours) == 2
    assert _faults(outline, 1000) == []


@pytest.mark.parametrize("units_per_em", [256, 1000, 2048])
def test_no_image_makes_a_font_with_faulty_outlines(units_per_em: int) -> None:
    """Noise takes all the remedies but the last."""
    rng = np.random.default_rng(units_per_em)
    for size_px in (16, 32):
        inks = []
        for blur in (0.0, 0.3, 0.5, 0.7, 1.0, 2.0):
            noise = rng.normal(size=(size_px, size_px))
            noise = ndimage.gaussian_filter(noise, blur) if blur else noise
            inks.append(np.clip(noise / noise.std() * 60 + 128, 0, 255).astype(np.uint8))
        settings = TraceSettings(genre="round", speckle_em2=0.0)
        outlines = trace_inks(inks, Canvas(size_px=size_px), settings, units_per_em=units_per_em)
        assert [_faults(outline, units_per_em) for outline in outlines] == [[]] * len(inks)


def test_what_nothing_mends_follows_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def second_glyph(contours: list[Refitted], glyph: Ints, *_: object) -> Ints:
        return np.flatnonzero(glyph == 1)

    face, canvas = Face(FontRef.of(FIXTURES / "zen-maru-gothic-bold.ttf")), Canvas(size_px=96)
    inks = [render_ink(face, codepoint, canvas) for codepoint in sorted(face.cmap)[-3:]]
    stepped = trace_inks(inks, canvas, TraceSettings(genre="pixel"))
    monkeypatch.setattr("fontgen.outlines.trace.untangled", second_glyph)
    outlines = trace_inks(inks, canvas)
    assert [one == two for one, two in zip(outlines, stepped, strict=True)] == [False, True, False]


def _faults(outline: Outline, units_per_em: int) -> list[str]:
    """As the benchmark judges, in both kinds of curves."""
    found = []
    for kind, draw in (("quadratic", outline.draw_quadratic), ("cubic", outline.draw)):
        pen = RecordingPen()
        draw(pen, units_per_em=units_per_em)
        flat = polygons(pen.value)
        found += [f"{kind} turned"] * is_miswound(flat, kind == "quadratic", units_per_em)
        found += [f"{kind} crossing at {place}" for place in faults_crossings(flat)]
    return found
