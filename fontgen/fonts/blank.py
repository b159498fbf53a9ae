"""A complete font with nothing but .notdef and spaces, to assemble on where there is no base font."""

from __future__ import annotations

from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from fontgen.canvas import DEFAULT_UNITS_PER_EM
from fontgen.fonts.base import Base, font_bytes

TYPO_ASCENDER_EM = 0.88
TYPO_DESCENDER_EM = -0.12
"""The ideographic em box (OpenType: BASE and OS/2, sTypoAscender: for CJK fonts 0.88 and -0.12 em)."""

LINE_ASCENDER_EM = 0.95
LINE_DESCENDER_EM = -0.25
"""hhea and usWin where no glyph reaches further: lines of 1.2 em, within the 1.1 to 1.5 that checkers expect."""

EARLIEST = 3029529600
"""head dates count from 1904; this is 2000-01-01, for a font without any other date."""

SPACES = {0x20: "space", 0xA0: "space", 0x3000: "uni3000"}
"""Codepoint -> glyph name of what the font has from the start."""

_SPACE_EM = 0.25
_BASELINES = """
table BASE {{
    HorizAxis.BaseTagList ideo romn;
    HorizAxis.BaseScriptList DFLT ideo {0} 0, hang ideo {0} 0, hani ideo {0} 0, kana ideo {0} 0, latn romn {0} 0;
}} BASE;
"""


def blank_base(units_per_em: int | None) -> Base:
    """A TrueType font of .notdef (a drawn box), space, no-break space and ideographic space."""
    upem = units_per_em or DEFAULT_UNITS_PER_EM
    builder = FontBuilder(upem, isTTF=True)
    notdef = _notdef(upem)
    glyphs = {".notdef": notdef, "space": Glyph(), "uni3000": Glyph()}
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(SPACES)
    builder.setupGlyf(glyphs)
    space = round(_SPACE_EM * upem)
    builder.setupHorizontalMetrics({".notdef": (upem, notdef.xMin), "space": (space, 0), "uni3000": (upem, 0)})
    builder.setupHorizontalHeader(ascent=round(LINE_ASCENDER_EM * upem), descent=round(LINE_DESCENDER_EM * upem))
    builder.setupNameTable({})
    ascender = round(TYPO_ASCENDER_EM * upem)
    builder.setupOS2(
        version=4,
        fsType=0,
        fsSelection=0x40,
        sTypoAscender=ascender,
        sTypoDescender=ascender - upem,
        sTypoLineGap=0,
        usWinAscent=round(LINE_ASCENDER_EM * upem),
        usWinDescent=-round(LINE_DESCENDER_EM * upem),
        sxHeight=round(0.5 * upem),
        sCapHeight=round(0.73 * upem),
        ulCodePageRange1=1,
        usDefaultChar=0,
        usBreakChar=0x20,
    )
    builder.setupPost(keepGlyphNames=True, underlinePosition=-round(0.1 * upem), underlineThickness=round(0.05 * upem))
    builder.updateHead(created=EARLIEST, modified=EARLIEST, lowestRecPPEM=8)
    font = builder.font
    addOpenTypeFeaturesFromString(font, _BASELINES.format(ascender - upem), tables={"BASE"})
    font.recalcTimestamp = False
    return Base(font_bytes(font), is_cff=False)


def _notdef(upem: int) -> Glyph:
    """A box with a hollow inside, upright in the em box: visible, and no character."""
    pen, line = TTGlyphPen(None), round(0.05 * upem)
    left, right = round(0.1 * upem), round(0.9 * upem)
    bottom, top = round((TYPO_DESCENDER_EM + 0.1) * upem), round((TYPO_ASCENDER_EM - 0.1) * upem)
    for corners in (
        [(left, bottom), (left, top), (right, top), (right, bottom)],
        [
            (left + line, bottom + line),
            (right - line, bottom + line),
            (right - line, top - line),
            (left + line, top - line),
        ],
    ):
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def widen_lines(font: TTFont) -> None:
    """hhea and usWin equal, and wide enough that no glyph is clipped."""
    head, hhea, os2 = font["head"], font["hhea"], font["OS/2"]
    hhea.ascent = os2.usWinAscent = max(os2.usWinAscent, head.yMax)
    os2.usWinDescent = max(os2.usWinDescent, -head.yMin)
    hhea.descent = -os2.usWinDescent
