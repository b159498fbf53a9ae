import json
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from fontgen.canvas import Canvas, Placement
from fontgen.errors import CharsetError, FontError, GlyphError
from fontgen.fonts.evaluate import EVALUATION_CANVAS, compare_ink, evaluate_fonts, stroke_width_px
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOURCE = FIXTURES / "noto-sans-jp-bold.ttf"
TARGET = FIXTURES / "zen-maru-gothic-bold.ttf"
TRUTH = FIXTURES / "zen-maru-gothic-bold-truth.ttf"
FEW = [int(line) for line in sorted(open_face(FontRef.of(TRUTH)).cmap)[-24:]]


def bars(path: Path, boxes: dict[int, tuple[int, int, int, int] | None]) -> Path:
    """A font whose glyph of each codepoint is one rectangle (x_min, y_min, x_max, y_max), or nothing."""
    builder = FontBuilder(1000, isTTF=True)
    names = {codepoint: f"uni{codepoint:04X}" for codepoint in boxes}
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {}
    for name, box in {".notdef": None, **{names[codepoint]: box for codepoint, box in boxes.items()}}.items():
        pen = TTGlyphPen(None)
        if box is not None:
            left, bottom, right, top = box
            pen.moveTo((left, bottom))
            for point in ((left, top), (right, top), (right, bottom)):
                pen.lineTo(point)
            pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (1000, getattr(glyph, "xMin", 0)) for name, glyph in glyphs.items()})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Bars", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_a_font_equals_itself() -> None:
    report = evaluate_fonts(TRUTH, TRUTH, FEW)
    assert report.exit_status == 0
    means = report.font.means()
    assert means["iou"] == 1
    assert means["ssim"] == pytest.approx(1, abs=1e-6)
    assert means["l1"] == means["position_units"] == means["weight_units"] == 0


def test_a_known_shift_is_the_position_error(tmp_path: Path) -> None:
    truth = bars(tmp_path / "truth.ttf", {0x4E00: (200, 300, 800, 500)})
    moved = bars(tmp_path / "moved.ttf", {0x4E00: (230, 260, 830, 460)})
    figures = evaluate_fonts(moved, truth, workers=1).font.glyphs[0x4E00]
    assert figures.dx_units == pytest.approx(30, abs=0.1)
    assert figures.dy_units == pytest.approx(-40, abs=0.1)
    assert figures.position_units == pytest.approx(50, abs=0.1)
    assert figures.weight_units == pytest.approx(0, abs=0.5)


def test_overlap_and_l1_of_known_rectangles(tmp_path: Path) -> None:
    truth = bars(tmp_path / "truth.ttf", {0x4E00: (0, 0, 800, 400)})
    half = bars(tmp_path / "half.ttf", {0x4E00: (0, 0, 800, 200)})
    figures = evaluate_fonts(half, truth, workers=1).font.glyphs[0x4E00]
    assert figures.iou == pytest.approx(0.5, abs=0.01)
    assert figures.ink_l1 == pytest.approx(0.5, abs=1e-3)
    assert figures.l1 == pytest.approx(0.8 * 0.2 / 1.125**2, abs=1e-4)


def test_points_are_counted_against_the_truth(tmp_path: Path) -> None:
    truth = bars(tmp_path / "truth.ttf", {0x4E00: (100, 0, 900, 700), 0x4E01: (100, 0, 900, 700)})
    font = TTFont(bars(tmp_path / "font.ttf", {0x4E00: (100, 0, 900, 700), 0x4E01: (100, 0, 900, 700)}))
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 350), (100, 700), (500, 700), (900, 700), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    font["glyf"]["uni4E00"] = pen.glyph()
    font.save(tmp_path / "more.ttf")
    report = evaluate_fonts(tmp_path / "more.ttf", truth, workers=1)
    assert report.font.glyphs[0x4E00].points_ratio == 1.5
    assert report.font.means()["points_ratio"] == 1.25
    assert any(line.split()[-1] == "1.25" for line in report.table_lines() if line.startswith("points per"))


@pytest.mark.parametrize("width", [30, 61.5, 120])
def test_stroke_width_of_slanted_bars(width: float) -> None:
    """Bars that run off two opposite edges (never a corner), so that only their long sides have an edge."""
    size = 1024
    rows, cols = np.mgrid[:size, :size] + 0.5 - size / 2
    for angle in np.deg2rad([0, 10, 30, 38, 70]):
        across = np.abs(np.cos(angle) * rows - np.sin(angle) * cols)
        ink = np.clip(width / 2 - across + 0.5, 0, 1).astype(np.float32)
        assert stroke_width_px(ink) == pytest.approx(width, rel=0.01)


def test_a_bolder_font_has_a_positive_weight_error(tmp_path: Path) -> None:
    truth = bars(tmp_path / "truth.ttf", {0x4E00: (100, 300, 900, 380)})
    bold = bars(tmp_path / "bold.ttf", {0x4E00: (100, 280, 900, 400)})
    weight = evaluate_fonts(bold, truth, workers=1).font.glyphs[0x4E00].weight_units
    # twice area over perimeter: 80 * 800 / 880 and 120 * 800 / 920
    assert weight == pytest.approx(120 * 800 / 920 - 80 * 800 / 880, abs=1.5)


def test_missing_and_blank_glyphs_are_named_and_lower_the_mean(tmp_path: Path) -> None:
    box = (100, 100, 900, 700)
    truth = bars(tmp_path / "truth.ttf", {0x4E00: box, 0x4E01: box, 0x4E02: box, 0x4E03: None})
    font = bars(tmp_path / "font.ttf", {0x4E00: box, 0x4E01: None, 0x4E03: box})
    report = evaluate_fonts(font, truth, workers=1)
    assert report.font.missing == [0x4E02]
    assert report.font.blank == [0x4E01]
    assert report.not_in_truth == [0x4E03]
    assert report.exit_status == 1
    means = report.font.means()
    assert means["iou"] == pytest.approx(1 / 3)
    assert means["ink_l1"] == pytest.approx(2 / 3)
    assert means["position_units"] == 0
    lines = "\n".join(report.table_lines())
    assert "1 missing: U+4E02 丂" in lines
    assert "1 blank: U+4E01 丁" in lines


def test_baseline_is_measured_beside_the_font_and_through_its_placement() -> None:
    plain = evaluate_fonts(TRUTH, TRUTH, FEW, baseline=SOURCE)
    placed = evaluate_fonts(TRUTH, TRUTH, FEW, baseline=SOURCE, placement=Placement(scale=0.5))
    assert plain.baseline is not None
    assert placed.baseline is not None
    assert 0.6 < (plain.baseline.mean("iou") or 0) < 0.9
    assert (placed.baseline.mean("iou") or 0) < 0.4
    difference = plain.difference()
    assert difference["iou"] == pytest.approx(1 - (plain.baseline.mean("iou") or 0))
    assert difference["l1_percent"] == pytest.approx(-100)
    assert any("-100.0 %" in line for line in plain.table_lines())


def test_report_is_json_and_independent_of_the_workers() -> None:
    codepoints = sorted(open_face(FontRef.of(TRUTH)).cmap)[:70]
    alone = evaluate_fonts(SOURCE, TRUTH, codepoints, workers=1, canvas=Canvas(size_px=48))
    shared = evaluate_fonts(SOURCE, TRUTH, codepoints, workers=2, canvas=Canvas(size_px=48))
    assert json.dumps(alone.to_json(), allow_nan=False) == json.dumps(shared.to_json(), allow_nan=False)
    assert alone.to_json()["protocol"]["canvas"]["size_px"] == 48


def test_the_published_canvas_is_pinned() -> None:
    assert Canvas(size_px=256, margin_em=0.0625, descender_em=-0.12) == EVALUATION_CANVAS


def test_bad_input() -> None:
    with pytest.raises(FontError, match="no such font file"):
        evaluate_fonts(FIXTURES / "absent.ttf", TRUTH)
    with pytest.raises(CharsetError, match="no glyph of the characters asked for"):
        evaluate_fonts(SOURCE, TRUTH, [0x10FFFD], workers=1)
    blank = np.zeros((256, 256), np.uint8)
    ink = render_ink(open_face(FontRef.of(TARGET)), ord("A"), EVALUATION_CANVAS)
    with pytest.raises(GlyphError, match="true glyph is blank"):
        compare_ink(ink, blank, EVALUATION_CANVAS)
