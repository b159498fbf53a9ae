from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fontTools.pens.freetypePen import FreeTypePen
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.fonts.face import Face, FontRef
from fontgen.glyphs.render import render_ink
from fontgen.outlines.edge import edge_loops, joined
from fontgen.outlines.features import find_features
from fontgen.outlines.lines import find_lines
from fontgen.outlines.noise import settle
from fontgen.outlines.outline import Contour, Outline, signed_area
from fontgen.outlines.pieces import Assembler, find_bounds
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.trace import trace_ink, trace_inks

FIXTURES = Path(__file__).parents[1] / "fixtures"
CANVAS = Canvas(size_px=128)
_SAMPLES = 8


def drawn(inside: object, canvas: Canvas = CANVAS) -> NDArray[np.uint8]:
    """Area coverage of the shape where inside(x_em, y_em) holds, from 8 x 8 samples a pixel."""
    assert callable(inside)
    at = (np.arange(canvas.size_px * _SAMPLES) + 0.5) / _SAMPLES
    (xx, _, x0), (_, yy, y0) = canvas.px_to_em
    x, y = np.meshgrid(xx * at + x0, yy * at + y0)
    size = canvas.size_px
    cover = inside(x, y).reshape(size, _SAMPLES, size, _SAMPLES).mean(axis=(1, 3))
    return np.rint(cover * 255).astype(np.uint8)


def box(left: float, bottom: float, right: float, top: float) -> object:
    return lambda x, y: (x > left) & (x < right) & (y > bottom) & (y < top)


def points(contour: Contour) -> list[tuple[float, float]]:
    return [segment[-1] for segment in contour]


def em_of(col: float, row: float) -> tuple[float, float]:
    x, y = CANVAS.px_to_em @ (col, row, 1.0)
    return float(x), float(y)


def test_square_comes_out_to_a_tenth_of_a_pixel_with_four_points() -> None:
    left, top = em_of(30.375, 20.5)
    right, bottom = em_of(90.75, 88.125)
    outline = trace_ink(drawn(box(left, bottom, right, top)), CANVAS)
    (contour,) = outline.contours
    assert all(len(segment) == 1 for segment in contour)
    corners = sorted(points(contour))
    expected = sorted([(left, bottom), (left, top), (right, bottom), (right, top)])
    assert len(corners) == 4
    assert np.abs(np.array(corners) - expected).max() < 0.1 / CANVAS.px_per_em
    assert signed_area(contour) == pytest.approx((right - left) * (top - bottom), rel=2e-3)


def test_winding_follows_nesting_and_polarity_is_never_guessed() -> None:
    rings = [(0.0, -0.1, 1.0, 0.88), (0.03, -0.07, 0.97, 0.85), (0.06, -0.04, 0.94, 0.82)]
    outer, counter, island = (box(*ring) for ring in rings)

    def shape(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = outer(x, y) & ~counter(x, y) | island(x, y)  # type: ignore[operator]
        return inside

    areas = sorted(signed_area(contour) for contour in trace_ink(drawn(shape), CANVAS).contours)
    sizes = [(right - left) * (top - bottom) for left, bottom, right, top in rings]
    expected = sorted(sign * size for sign, size in zip((1, -1, 1), sizes, strict=True))
    assert areas == pytest.approx(expected, rel=5e-3)


def test_circle_is_round_and_has_points_at_its_extrema() -> None:
    x0, y0, radius = 0.51, 0.37, 0.3
    outline = trace_ink(drawn(lambda x, y: np.hypot(x - x0, y - y0) < radius), CANVAS)
    (contour,) = outline.contours
    assert outline.point_count() <= 24
    start = contour[-1][-1]
    for segment in contour:
        assert len(segment) == 3
        for t in np.linspace(0, 1, 20):
            weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            x, y = np.array(weights) @ np.array([start, *segment])
            assert abs(np.hypot(x - x0, y - y0) - radius) < 0.0015
        start = segment[-1]
    for extreme in ((x0 - radius, y0), (x0 + radius, y0), (x0, y0 - radius), (x0, y0 + radius)):
        assert min(np.hypot(x - extreme[0], y - extreme[1]) for x, y in points(contour)) < 0.004


def test_slanted_bar_is_four_straight_lines() -> None:
    angle = 0.4
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])

    def bar(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        u, v = x - 0.5, y - 0.38
        inside: NDArray[np.bool_] = (np.abs(u * along[0] + v * along[1]) < 0.35) & (
            np.abs(u * across[0] + v * across[1]) < 0.05
        )
        return inside

    (contour,) = trace_ink(drawn(bar), CANVAS).contours
    expected = [(0.5, 0.38) + a * 0.35 * along + b * 0.05 * across for a in (-1, 1) for b in (-1, 1)]
    assert [len(segment) for segment in contour] == [1, 1, 1, 1]
    for corner in expected:
        assert min(np.hypot(*(corner - np.array(point))) for point in points(contour)) < 0.002


def test_diagonal_neighbours_stay_two_contours_or_one_but_keep_their_ink() -> None:
    ink = np.zeros((128, 128), np.uint8)
    ink[30:60, 30:60] = 255
    ink[60:90, 60:90] = 255
    outline = trace_ink(ink, CANVAS)
    area_px = sum(signed_area(contour) for contour in outline.contours) * CANVAS.px_per_em**2
    assert area_px == pytest.approx(1800, rel=0.01)


def test_ink_at_the_border_is_closed_along_it() -> None:
    ink = np.zeros((128, 128), np.uint8)
    ink[:, :40] = 255
    (contour,) = trace_ink(ink, CANVAS).contours
    assert signed_area(contour) * CANVAS.px_per_em**2 == pytest.approx(40 * 128, rel=1e-3)


def test_specks_and_blank_images_leave_nothing() -> None:
    ink = np.zeros((128, 128), np.uint8)
    assert trace_ink(ink, CANVAS).is_empty
    ink[40, 40] = 255
    assert trace_ink(ink, CANVAS).is_empty
    assert trace_ink(ink, CANVAS).bounds_em() is None


def test_shift_of_the_canvas_is_taken_out() -> None:
    ink = np.zeros((128, 128), np.uint8)
    ink[40:80, 40:80] = 255
    plain = trace_ink(ink, CANVAS).bounds_em()
    moved = trace_ink(ink, CANVAS.displaced(0.02, -0.01)).bounds_em()
    assert plain is not None
    assert moved == pytest.approx(np.add(plain, (-0.02, 0.01, -0.02, 0.01)))


@pytest.mark.parametrize("ink", [np.zeros((64, 64), np.uint8), np.zeros((128, 128), np.float32)])
def test_wrong_image_is_refused(ink: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="render it on the same canvas"):
        trace_ink(ink, CANVAS)


def test_pixel_genre_follows_the_pixels() -> None:
    ink = np.zeros((128, 128), np.uint8)
    ink[40:80, 40:80] = 255
    ink[50:60, 80:90] = 200
    ink[10:20, 10:20] = 100
    (contour,) = trace_ink(ink, CANVAS, TraceSettings(genre="pixel")).contours
    assert len(contour) == 8
    back = np.array(points(contour)) @ CANVAS.em_to_px[:, :2].T + CANVAS.em_to_px[:, 2]
    assert np.abs(back - np.rint(back)).max() < 1e-9
    assert signed_area(contour) * CANVAS.px_per_em**2 == pytest.approx(1700)


def test_corner_radius_says_what_is_a_corner() -> None:
    radius = 0.02

    def rounded(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        u, v = np.abs(x - 0.5) - 0.25 + radius, np.abs(y - 0.38) - 0.25 + radius
        inside: NDArray[np.bool_] = np.hypot(np.maximum(u, 0), np.maximum(v, 0)) < radius
        return inside

    canvas = Canvas(size_px=256)
    ink = drawn(rounded, canvas)
    round_outline = trace_ink(ink, canvas)
    assert sum(len(segment) == 3 for segment in round_outline.contours[0]) >= 4
    sharp = trace_ink(ink, canvas, TraceSettings(corner_radius_em=0.04))
    assert [len(segment) for segment in sharp.contours[0]] == [1, 1, 1, 1]


def test_trembling_bar_comes_out_level_and_straight() -> None:
    rng = np.random.default_rng(5)
    ink = drawn(box(*em_of(20.0, 70.0), *em_of(108.0, 58.0))).astype(np.float64)
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(ink, 0.8)
    edge = (blurred > 3) & (blurred < 252)
    blurred += edge * ndimage.gaussian_filter(rng.normal(size=ink.shape), 0.7) * 30
    (contour,) = trace_ink(np.clip(np.rint(blurred), 0, 255).astype(np.uint8), CANVAS).contours
    assert len(contour) <= 6
    edges = np.diff(np.array([*points(contour), points(contour)[0]]), axis=0)
    long = edges[np.hypot(*edges.T) > 0.5]
    assert len(long) == 2
    assert np.abs(long[:, 1]).max() == pytest.approx(0.0, abs=1e-9)


def _iou(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    return int((one & two).sum()) / int((one | two).sum())


def _raster(outline: Outline, canvas: Canvas, *, quadratic: bool) -> NDArray[np.bool_]:
    pen = FreeTypePen(None)
    if quadratic:
        outline.draw_quadratic(pen, units_per_em=1000)
    else:
        outline.draw(pen, units_per_em=1000)
    scale = canvas.px_per_em / 1000
    place = (scale, 0, 0, scale, canvas.margin_em * canvas.px_per_em, (canvas.margin_em + 0.12) * canvas.px_per_em)
    picture: NDArray[np.float64] = pen.array(width=canvas.size_px, height=canvas.size_px, transform=place)
    return picture >= 0.5


@pytest.mark.parametrize("name", ["zen-maru-gothic-bold.ttf", "noto-sans-jp-bold.ttf"])
def test_round_trip_of_real_glyphs(name: str) -> None:
    face = Face(FontRef.of(FIXTURES / name))
    fine = Canvas(size_px=500)
    canvas = Canvas(size_px=256)
    codepoints = [*sorted(code for code in face.cmap if code >= 0x4E00)[::60][:10], ord("O"), ord("き")]
    scores = []
    for codepoint in codepoints:
        truth = face.rasterize(codepoint, fine.em_to_px, fine.size_px) >= 128
        outline = trace_ink(render_ink(face, codepoint, canvas), canvas)
        assert outline.point_count() < 450
        scores += [_iou(truth, _raster(outline, fine, quadratic=quadratic)) for quadratic in (False, True)]
    assert np.mean(scores) > 0.992
    assert min(scores) > 0.985


def test_potrace_traces_the_same_ink() -> None:
    face = Face(FontRef.of(FIXTURES / "zen-maru-gothic-bold.ttf"))
    codepoint = sorted(code for code in face.cmap if code >= 0x4E00)[100]
    ink = render_ink(face, codepoint, CANVAS)
    fitted = trace_ink(ink, CANVAS)
    traced = trace_ink(ink, CANVAS, TraceSettings(method="potrace"))
    assert traced.point_count() > fitted.point_count()
    fine = Canvas(size_px=500)
    assert _iou(_raster(fitted, fine, quadratic=False), _raster(traced, fine, quadratic=False)) > 0.97


def test_same_image_same_outline() -> None:
    face = Face(FontRef.of(FIXTURES / "noto-sans-jp-bold.ttf"))
    ink = render_ink(face, 0x6C38, CANVAS) if 0x6C38 in face.cmap else render_ink(face, max(face.cmap), CANVAS)
    assert trace_ink(ink, CANVAS) == trace_ink(ink.copy(), CANVAS)


@pytest.mark.parametrize("size_px", [8, 33, 64])
def test_any_image_gives_a_finite_outline_of_its_ink(size_px: int) -> None:
    from scipy import ndimage

    canvas = Canvas(size_px=size_px)
    rng = np.random.default_rng(size_px)
    for blur in (0.0, 0.5, 1.0, 2.0):
        for genre in ("auto", "sans", "pixel"):
            noise = (
                ndimage.gaussian_filter(rng.normal(size=(size_px, size_px)), blur)
                if blur
                else rng.normal(size=(size_px, size_px))
            )
            ink = np.clip(noise / noise.std() * 60 + 128, 0, 255).astype(np.uint8)
            outline = trace_ink(ink, canvas, TraceSettings(genre=genre, speckle_em2=0.0))  # type: ignore[arg-type]
            bounds = outline.bounds_em()
            assert bounds is not None
            assert np.isfinite(bounds).all()
            area_px = sum(signed_area(contour) for contour in outline.contours) * canvas.px_per_em**2
            if blur >= 1 and size_px > 8:
                assert area_px == pytest.approx(np.count_nonzero(ink >= 128), rel=0.15)


def test_batches_trace_each_image_as_alone() -> None:
    inks = []
    for name in ("noto-sans-jp-bold.ttf", "zen-maru-gothic-bold.ttf"):
        face = Face(FontRef.of(FIXTURES / name))
        codepoints = sorted(code for code in face.cmap if code >= 0x4E00)[::200]
        inks += [render_ink(face, codepoint, CANVAS) for codepoint in codepoints]
    inks.insert(2, np.zeros((128, 128), np.uint8))
    inks.insert(5, _trembling(inks[0]))
    alone = [trace_ink(ink, CANVAS) for ink in inks]
    assert alone[2].is_empty
    assert trace_inks(inks, CANVAS) == alone
    assert trace_inks(inks[3:8], CANVAS) == alone[3:8]
    assert trace_inks([], CANVAS) == []


def _trembling(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from scipy import ndimage

    rng = np.random.default_rng(3)
    blurred = ndimage.gaussian_filter(ink.astype(np.float64), 0.8)
    edge = (blurred > 3) & (blurred < 252)
    blurred += edge * ndimage.gaussian_filter(rng.normal(size=ink.shape), 0.7) * 30
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size_px", [96, 256])
def test_pieces_follow_each_other_along_the_edge(size_px: int) -> None:
    """Also those that a row of lines and curves could be instead, each of which is fitted to its own stretch."""
    face, canvas = Face(FontRef.of(FIXTURES / "noto-sans-jp-bold.ttf")), Canvas(size_px=size_px)
    loops = joined(
        [
            edge_loops(render_ink(face, codepoint, canvas), step_px=0.5, smallest_px2=2.0)
            for codepoint in sorted(code for code in face.cmap if code >= 0x4E00)[::50]
        ]
    )
    features = find_features(settle(loops), corner_radius_px=0.0)
    bounds = find_bounds(features)
    runs = find_lines(features, bounds, np.full(features.points.size, 0.1), 0.7, 0.1)
    assembler = Assembler(features, bounds, runs, blunt=False)
    replaceable = 0
    for begin, end in zip(features.starts[:-1].tolist(), (features.starts[1:] - 1).tolist(), strict=True):
        pieces = assembler.loop_pieces(begin, end)
        for row in (pieces, *(piece.other for piece in pieces if piece.other)):
            places = [place for piece in row for place in (piece.first, piece.last)]
            assert begin <= places[0]
            assert places[-1] <= end
            assert places == sorted(places)
        replaceable += sum(bool(piece.other) for piece in pieces)
    assert replaceable > 20


def test_edges_at_nearly_one_height_come_out_at_one_height() -> None:
    canvas = Canvas(size_px=256)
    ink = np.zeros((256, 256), np.uint8)
    for k in range(4):
        ink[60:200, 20 + 60 * k : 50 + 60 * k] = 255
        ink[59, 20 + 60 * k : 50 + 60 * k] = 100 + 12 * (k % 2)  # 0.05 px, a fifth of a unit
    tops = {max(y for _, y in points(contour)) for contour in trace_ink(ink, canvas).contours}
    assert len(tops) == 1
    apart = trace_ink(ink, canvas, TraceSettings(snap_degrees=0.0))
    heights = sorted(max(y for _, y in points(contour)) for contour in apart.contours)
    assert heights[-1] - heights[0] == pytest.approx(12 / 255 / canvas.px_per_em, rel=0.1)
    assert heights[0] < tops.pop() < heights[-1]
