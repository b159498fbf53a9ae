from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from fontgen.outlines.genre import glyph_outline, measure_genre, sharp_share
from fontgen.outlines.outline import Outline, signed_area


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
