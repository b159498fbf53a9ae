"""Fonts of rectangles with known corners, and fixtures in other containers, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fontTools import subset
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

FIXTURES = Path(__file__).parent.parent / "fixtures"
NOTO = FIXTURES / "noto-sans-jp-bold.ttf"
ZEN = FIXTURES / "zen-maru-gothic-bold.ttf"

Box = tuple[int, int, int, int]
"""x_min, y_min, x_max, y_max in font units."""

TOFU: Box = (50, 0, 950, 700)


def box_font(
    path: Path,
    glyphs: Mapping[int, Sequence[Box]],
    *,
    units_per_em: int = 1000,
    ascender: int = 880,
    advance: int = 1000,
    notdef: Sequence[Box] = (TOFU,),
    cff: bool = False,
    family: str = "Boxes",
) -> Path:
    """A font whose glyphs are rectangles; an empty sequence makes a blank glyph."""
    names = {codepoint: f"u{codepoint:04X}" for codepoint in glyphs}
    builder = FontBuilder(units_per_em, isTTF=not cff)
    order = [".notdef", *names.values()]
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(names)
    shapes = {".notdef": notdef, **{names[c]: boxes for c, boxes in glyphs.items()}}
    drawn = {}
    for name, boxes in shapes.items():
        pen = T2CharStringPen(advance, None) if cff else TTGlyphPen(None)
        for x_min, y_min, x_max, y_max in boxes:
            pen.moveTo((x_min, y_min))
            for corner in ((x_min, y_max), (x_max, y_max), (x_max, y_min)):
                pen.lineTo(corner)
            pen.closePath()
        drawn[name] = pen.getCharString() if cff else pen.glyph()
    if cff:
        builder.setupCFF("Boxes-Regular", {}, drawn, {})
    else:
        builder.setupGlyf(drawn)
    left = {name: min((box[0] for box in boxes), default=0) for name, boxes in shapes.items()}
    builder.setupHorizontalMetrics({name: (advance, left[name]) for name in order})
    builder.setupHorizontalHeader(ascent=ascender, descent=ascender - units_per_em)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=ascender, usWinAscent=ascender, usWinDescent=units_per_em - ascender)
    builder.setupPost()
    builder.font.recalcTimestamp = False
    builder.save(path)
    return path


def part_of(font: Path, codepoints: Iterable[int], path: Path) -> Path:
    """A subset of a font, as TrueType."""
    options = subset.Options(notdef_outline=True, layout_features=[])
    opened = TTFont(font, recalcTimestamp=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=list(codepoints))
    subsetter.subset(opened)
    opened.save(path)
    return path


def moved(font: Path, codepoints: Iterable[int], path: Path, *, scale: float, dx_em: float, dy_em: float) -> Path:
    """A font whose glyphs are another's, scaled about the origin and then shifted."""
    opened = TTFont(part_of(font, codepoints, path), recalcTimestamp=False)
    units = opened["head"].unitsPerEm
    glyph_set, glyf = opened.getGlyphSet(), opened["glyf"]
    drawn = {}
    for name in opened.getGlyphOrder():
        pen = TTGlyphPen(None)
        glyph_set[name].draw(TransformPen(pen, (scale, 0, 0, scale, dx_em * units, dy_em * units)))
        drawn[name] = pen.glyph()
    for name, glyph in drawn.items():
        glyf[name] = glyph
        glyph.recalcBounds(glyf)
        opened["hmtx"][name] = (opened["hmtx"][name][0], getattr(glyph, "xMin", 0))
    opened.save(path)
    return path


def kanji_of(font: Path) -> list[int]:
    return sorted(c for c in TTFont(font).getBestCmap() if 0x4E00 <= c <= 0x9FFF)
