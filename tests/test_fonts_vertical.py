"""Forms for vertical lines: made where the base has none, in the right place, with metrics and the feature."""

from __future__ import annotations

from pathlib import Path

import pytest
import uharfbuzz as hb
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.pens.areaPen import AreaPen
from fontTools.ttLib import TTFont
from sample_fonts import NAMED, ZEN, box, small_cff, small_ttf

from fontgen.fonts.assemble import AssembledGlyph, assemble
from fontgen.fonts.check import check_font
from fontgen.fonts.glyf import truetype_bounds
from fontgen.fonts.metrics import charstring_bounds
from fontgen.outlines.outline import Outline

COMMA = Outline((box(0.1, -0.08, 0.3, 0.12),))
DASH = Outline((box(0.1, 0.33, 0.9, 0.43),))
BRACKET = Outline((box(0.7, 0.0, 0.8, 0.76), box(0.8, 0.66, 0.95, 0.76)))
SMALL = Outline((box(0.2, -0.1, 0.8, 0.5),))
CENTRED = Outline((box(0.4, 0.28, 0.6, 0.48),))
PUNCTUATION = [
    AssembledGlyph(0x3001, COMMA),
    AssembledGlyph(0x30FC, DASH),
    AssembledGlyph(0x300C, BRACKET),
    AssembledGlyph(0x3083, SMALL),
    AssembledGlyph(0x3002, CENTRED),
    AssembledGlyph(0x4E10, DASH),
]


def shaped(path: Path, text: str, direction: str) -> list[tuple[str, int, int]]:
    """(glyph, y advance, y offset)"""
    font = hb.Font(hb.Face(path.read_bytes()))
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.direction, buffer.script, buffer.language = direction, "Kana", "ja"
    hb.shape(font, buffer)
    names = TTFont(path).getGlyphOrder()
    pairs = zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
    return [(names[info.codepoint], at.y_advance, at.y_offset) for info, at in pairs]


def boxes_of(path: Path) -> dict[str, tuple[int, int, int, int] | None]:
    font = TTFont(path)
    return truetype_bounds(font) if "glyf" in font else charstring_bounds(font, order=font.getGlyphOrder())


@pytest.mark.parametrize("kind", ["none.ttf", "none.otf", "small.ttf", "name.otf", "cid.otf"])
def test_forms_are_made_and_put_in_place(tmp_path: Path, kind: str) -> None:
    name, suffix = kind.split(".")
    base = None
    if name == "small":
        base = small_ttf(tmp_path / "base.ttf")
    elif name != "none":
        base = small_cff(tmp_path / "base.otf", cid=name == "cid")
    out = tmp_path / f"out.{suffix}"
    report = assemble(base, PUNCTUATION, out, NAMED)
    assert report.added == sorted(glyph.codepoint for glyph in PUNCTUATION)
    font, boxes = TTFont(out), boxes_of(out)
    cmap = font.getBestCmap()
    forms = {c: glyphs[0][0] for c in cmap if (glyphs := shaped(out, chr(c), "ttb")) and glyphs[0][0] != cmap[c]}
    assert set(forms) == {0x3001, 0x30FC, 0x300C, 0x3083}
    assert boxes[forms[0x3001]] == (700, 640, 900, 840)  # the corner opposite of (100, -80, 300, 120)
    assert boxes[forms[0x30FC]] == (450, -20, 550, 780)
    assert boxes[forms[0x300C]] == (120, -70, 880, 180)
    assert boxes[forms[0x3083]] == (380, 80, 980, 680)
    for codepoint, form in forms.items():
        assert font["hmtx"][form][0] == font["hmtx"][cmap[codepoint]][0]
        assert font["hmtx"][form][1] == boxes[form][0]
        assert font["vmtx"][form][1] + boxes[form][3] == font["vmtx"][cmap[codepoint]][1] + boxes[cmap[codepoint]][3]
        assert shaped(out, chr(codepoint), "ltr")[0][0] == cmap[codepoint]
    assert check_font(out).level != "fail"


HOOK = Outline(
    (
        (
            ((0.1, 0.33),),
            ((0.9, 0.33),),
            ((0.9, 0.43),),
            ((0.4, 0.43),),
            ((0.4, 0.55), (0.3, 0.6), (0.2, 0.6)),
            ((0.1, 0.6),),
        ),
        box(0.2, 0.4, 0.3, 0.5, hole=True),
    )
)
"""A dash with its head at the upper left, with a hole in it."""


@pytest.mark.parametrize("suffix", ["ttf", "otf"])
@pytest.mark.parametrize("character", "ー〜～")
def test_wave_dash_and_long_vowel_mark_begin_at_the_top_with_their_upper_side_to_the_left(
    tmp_path: Path, suffix: str, character: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    assemble(
        None,
        [AssembledGlyph(ord(character), HOOK), AssembledGlyph(0x2014, HOOK), AssembledGlyph(0x4E00, DASH)],
        out,
        NAMED,
    )
    font, boxes = TTFont(out), boxes_of(out)
    upright, form = font.getBestCmap()[ord(character)], shaped(out, character, "ttb")[0][0]
    # About (500, 380): left becomes top, and up becomes left; a dash that is only turned has up to the right.
    assert boxes[upright] == (100, 330, 900, 600)
    assert boxes[form] == (280, -20, 550, 780)
    assert boxes[shaped(out, "—", "ttb")[0][0]] == (450, -20, 720, 780)
    glyphs = font.getGlyphSet()
    areas = {}
    for name in (upright, form):
        pen = AreaPen(glyphs)
        glyphs[name].draw(pen)
        areas[name] = pen.value
    assert areas[form] == pytest.approx(areas[upright], rel=1e-3), "the same winding"
    assert not [f for f in check_font(out).findings if f.check in ("winding", "counters") and f.level != "pass"]


def test_every_other_feature_still_works(tmp_path: Path) -> None:
    out = tmp_path / "out.ttf"
    assemble(small_ttf(tmp_path / "base.ttf"), PUNCTUATION, out, NAMED)
    gsub = TTFont(out)["GSUB"].table
    assert [record.FeatureTag for record in gsub.FeatureList.FeatureRecord] == ["liga", "vert"]
    assert [name for name, *_ in shaped(out, "一二", "ltr")] == ["pair"]


def test_forms_of_the_base_are_kept(tmp_path: Path) -> None:
    """Zen Maru has vertical forms of its own punctuation: a redrawn comma leaves them, and GSUB, alone."""
    assemble(ZEN, PUNCTUATION[:1], tmp_path / "out.ttf", NAMED)
    before, after = TTFont(ZEN), TTFont(tmp_path / "out.ttf")
    assert after.reader["GSUB"] == before.reader["GSUB"]
    assert after.getGlyphOrder() == before.getGlyphOrder()


def test_a_vert_feature_of_the_base_grows(tmp_path: Path) -> None:
    font = TTFont(small_ttf(tmp_path / "base.ttf"))
    del font["GSUB"]
    addOpenTypeFeaturesFromString(
        font,
        "languagesystem DFLT dflt; languagesystem kana dflt; languagesystem kana JAN;"
        "feature ccmp { sub accent by accent; } ccmp; feature vert { sub one by two; } vert;"
        "feature zero { sub two by one; } zero;",
    )
    font.save(tmp_path / "base.ttf")
    assemble(tmp_path / "base.ttf", PUNCTUATION, tmp_path / "out.ttf", NAMED)
    assert shaped(tmp_path / "out.ttf", "一ー", "ttb")[0][0] == "two"
    assert shaped(tmp_path / "out.ttf", "一ー", "ttb")[1][0] == "uni30FC.vert"
    tags = [r.FeatureTag for r in TTFont(tmp_path / "out.ttf")["GSUB"].table.FeatureList.FeatureRecord]
    assert tags == sorted(tags)
