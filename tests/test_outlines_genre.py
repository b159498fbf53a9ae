from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from fontgen.outlines.genre import for_font, glyph_outline, measure_genre, sharp_share, straight_share
from fontgen.outlines.outline import Outline, signed_area
from fontgen.outlines.settings import TraceSettings


def outlines(path: Path) -> list[Outline]:
    font = TTFont(path)
    glyphs, cmap = font.getGlyphSet(), font.getBestCmap()
    han = [code for code in sorted(cmap) if code >= 0x4E00][::40]
    return [glyph_outline(glyphs, cmap[code], units_per_em=font["head"].unitsPerEm) for code in han]


def test_real_fonts_are_told_apart(source_font: Path, target_font: Path) -> None:
    assert measure_genre(outlines(source_font)) == "sans"
    assert measure_genre(outlines(target_font)) == "round"


def test_glyph_outline_is_in_em_and_wound_for_ink(source_font: Path) -> None:
    for outline in outlines(source_font)[:5]:
        bounds = outline.bounds_em()
        assert bounds is not None
        assert -0.2 < bounds[1] < bounds[3] < 1.0
        assert sum(map(signed_area, outline.contours)) > 0.02


def test_square_turns_at_corners_and_nothing_turns_nowhere() -> None:
    square = (((1.0, 0.0),), ((1.0, 1.0),), ((0.0, 1.0),), ((0.0, 0.0),))
    assert sharp_share([Outline((square,))]) == pytest.approx(1.0)
    assert sharp_share([Outline()]) is None
    assert measure_genre([]) == "auto"


def test_straight_stems_with_modelled_ends_are_a_serif() -> None:
    stem = (((0.6, 0.0),), ((0.6, 0.8),), ((0.55, 0.9), (0.45, 0.9), (0.4, 0.8)), ((0.4, 0.0),))
    slanted = tuple(tuple((x + 0.2 * y, y + 0.1 * x) for x, y in segment) for segment in stem)
    assert sharp_share([Outline((stem,))]) == pytest.approx(0.5, abs=0.15)
    assert straight_share([Outline((stem,))]) == pytest.approx(1.8 / 2.0)
    assert measure_genre([Outline((stem,))]) == "serif"
    assert straight_share([Outline((slanted,))]) == 0.0
    assert measure_genre([Outline((slanted,))]) == "auto"


def test_contours_without_an_on_curve_point_are_read() -> None:
    """TrueType's four off-curve points of a circle; UnGraphic has such dots."""
    pen = TTGlyphPen(None)
    pen.qCurveTo((0, 0), (500, 0), (500, 500), (0, 500), None)
    pen.closePath()
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "dot"])
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "dot": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (500, 0), "dot": (500, 0)})
    font.setupCharacterMap({0x4E36: "dot"})
    outline = glyph_outline(font.font.getGlyphSet(), "dot", units_per_em=1000)
    assert outline.bounds_em() == pytest.approx((0.0, 0.0, 0.5, 0.5))
    assert for_font(TraceSettings(), font.font).genre == "round"
    assert for_font(TraceSettings(genre="brush"), font.font).genre == "brush"
