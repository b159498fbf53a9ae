"""Glyphs become pixels at sub-pixel accuracy, and a box fit can be undone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from box_fonts import TOFU, ZEN, box_font, kanji_of
from numpy.typing import NDArray

from fontgen.canvas import Canvas, Placement
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import box_fit, render_folder, render_ink, resample_ink
from fontgen.glyphs.store import ImageFolder

CANVAS = Canvas(size_px=100, margin_em=0.125)  # 80 px an em


def centre_px(ink: NDArray[np.uint8]) -> tuple[float, float]:
    """(col, row) of the ink's centre of mass, at pixel edges."""
    mass = ink.astype(np.float64)
    at = np.arange(len(ink)) + 0.5
    return float(mass.sum(axis=0) @ at / mass.sum()), float(mass.sum(axis=1) @ at / mass.sum())


@pytest.mark.parametrize("units", [1000, 1024, 2048])
@pytest.mark.parametrize("cff", [False, True])
def test_area_and_centre_of_a_square_are_known_below_a_pixel(tmp_path: Path, units: int, cff: bool) -> None:
    box = tuple(round(v * units) for v in (0.1234, 0.0567, 0.7891, 0.6543))
    font = box_font(tmp_path / "f", {0x4E00: [box]}, units_per_em=units, ascender=round(0.88 * units), cff=cff)  # type: ignore[list-item]
    ink = render_ink(open_face(FontRef.of(font)), 0x4E00, CANVAS)
    x_min, y_min, x_max, y_max = (v / units for v in box)
    assert ink.sum() / 255 == pytest.approx((x_max - x_min) * (y_max - y_min) * 80**2, rel=2e-3)
    expected = CANVAS.em_to_px @ [(x_min + x_max) / 2, (y_min + y_max) / 2, 1.0]
    np.testing.assert_allclose(centre_px(ink), expected, atol=1 / 64)


@pytest.mark.parametrize("shift_px", [0.25, 0.5, 1.75])
def test_a_shift_of_the_placement_is_a_shift_of_the_ink(target_font: Path, shift_px: float) -> None:
    face = open_face(FontRef.of(target_font))
    shift_em = shift_px / CANVAS.px_per_em
    plain, moved = (
        centre_px(render_ink(face, ord("東"), CANVAS, placement))
        for placement in (None, Placement(dx_em=shift_em, dy_em=-2 * shift_em))
    )
    np.testing.assert_allclose(np.subtract(moved, plain), [shift_px, 2 * shift_px], atol=0.02)


def test_a_placement_scales_about_the_origin(tmp_path: Path) -> None:
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(0, 0, 400, 400)]})
    ink = render_ink(open_face(FontRef.of(font)), 0x4E00, CANVAS, Placement(scale=1.5))
    assert ink.sum() / 255 == pytest.approx((0.6 * 80) ** 2, rel=1e-3)


def test_what_leaves_the_canvas_is_cut_and_the_rest_stays(tmp_path: Path) -> None:
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(-3000, -3000, 500, 3000)]})
    ink = render_ink(open_face(FontRef.of(font)), 0x4E00, CANVAS)
    np.testing.assert_array_equal(ink[:, :50], 255)
    np.testing.assert_array_equal(ink[:, 50:], 0)


def test_a_counter_is_white(tmp_path: Path) -> None:
    from fontTools.ttLib import TTFont

    path = box_font(tmp_path / "f.ttf", {0x4E00: [(0, 0, 800, 800), (800, 200, 200, 600)]})
    # the inner box winds the other way round, since its left and right are exchanged
    assert TTFont(path)["glyf"]["u4E00"].numberOfContours == 2
    ink = render_ink(open_face(FontRef.of(path)), 0x4E00, CANVAS)
    assert ink.sum() / 255 == pytest.approx((0.64 - 0.24) * 80**2, rel=1e-3)


# box fit


def test_box_fit_fills_the_em_box_and_its_inverse_brings_the_glyph_back(tmp_path: Path) -> None:
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(300, 100, 500, 200)]})
    face = open_face(FontRef.of(font))
    fit = box_fit(face, 0x4E00, CANVAS)
    left, bottom = fit.matrix @ [0.3, 0.1, 1.0]
    right, top = fit.matrix @ [0.5, 0.2, 1.0]
    assert (left, right) == pytest.approx((0.0, 1.0))
    assert (bottom + top) / 2 == pytest.approx(CANVAS.descender_em + 0.5)
    assert top - bottom == pytest.approx(0.5)
    np.testing.assert_allclose(fit.inverse().matrix @ [left, bottom, 1.0], [0.3, 0.1])


def test_box_fit_of_a_blank_glyph_moves_nothing(tmp_path: Path) -> None:
    face = open_face(FontRef.of(box_font(tmp_path / "f.ttf", {0x4E00: []})))
    assert box_fit(face, 0x4E00, CANVAS) == Placement()


# folders


def test_a_folder_holds_images_advances_and_what_failed(tmp_path: Path) -> None:
    font = FontRef.of(box_font(tmp_path / "f.ttf", {0x4E00: [TOFU], 0x4E01: [(0, 0, 10, 10)]}, advance=600))
    report = render_folder(dict.fromkeys([0x4E01, 0x4E00, 0x4E02], font), CANVAS, tmp_path / "out")
    assert report.done == [0x4E01, 0x4E00]
    assert report.failed.keys() == {0x4E02}
    folder = ImageFolder.open(tmp_path / "out")
    assert folder.canvas == CANVAS
    assert folder.glyphs == {0x4E00: {"advance_em": 0.6}, 0x4E01: {"advance_em": 0.6}}
    assert folder.provenance == {"fonts": ["f.ttf"]}
    np.testing.assert_array_equal(folder.read(0x4E00), render_ink(open_face(font), 0x4E00, CANVAS))


def test_a_box_fitted_folder_records_how_to_undo_it(tmp_path: Path) -> None:
    font = FontRef.of(box_font(tmp_path / "f.ttf", {0x4E00: [(300, 100, 500, 200)]}))
    render_folder({0x4E00: font}, CANVAS, tmp_path / "out", fit="box")
    folder = ImageFolder.open(tmp_path / "out")
    fit = Placement.from_json(folder.glyphs[0x4E00]["fit"])
    assert fit == box_fit(open_face(font), 0x4E00, CANVAS)
    assert folder.read(0x4E00).sum() / 255 == pytest.approx(0.5 * 80**2, rel=2e-3)


def test_a_font_rendered_over_all_cores_is_the_same_folder(tmp_path: Path) -> None:
    refs = dict.fromkeys(kanji_of(ZEN)[:80], FontRef.of(ZEN))
    render_folder(refs, Canvas(size_px=32), tmp_path / "many")
    folder = ImageFolder.open(tmp_path / "many")
    assert folder.codepoints == list(refs)
    face = open_face(FontRef.of(ZEN))
    for codepoint in list(refs)[::9]:
        np.testing.assert_array_equal(folder.read(codepoint), render_ink(face, codepoint, Canvas(size_px=32)))


# resampling


def test_resampling_onto_the_same_canvas_changes_nothing(target_font: Path) -> None:
    ink = render_ink(open_face(FontRef.of(target_font)), ord("東"), CANVAS)
    assert resample_ink(ink, CANVAS, CANVAS) is ink


@pytest.mark.parametrize(
    "onto",
    [
        Canvas(size_px=64, margin_em=0.125),
        Canvas(size_px=96, margin_em=0.3),
        Canvas(size_px=96, margin_em=0.0),
        Canvas(size_px=100, margin_em=0.125).displaced(0.03, -0.02),
        Canvas(size_px=80, margin_em=0.125, descender_em=-0.2),
    ],
)
def test_resampled_ink_lies_where_a_rendering_lies(target_font: Path, onto: Canvas) -> None:
    face = open_face(FontRef.of(target_font))
    large = Canvas(size_px=400, margin_em=0.2)
    resampled = resample_ink(render_ink(face, ord("東"), large), large, onto)
    rendered = render_ink(face, ord("東"), onto)
    assert resampled.shape == (onto.size_px, onto.size_px)
    np.testing.assert_allclose(centre_px(resampled), centre_px(rendered), atol=0.03)
    assert np.abs(resampled.astype(int) - rendered).mean() < 255 * 0.01
