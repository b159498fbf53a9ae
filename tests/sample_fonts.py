"""Outlines and small fonts with known contents, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fontTools.cffLib import FDArrayIndex, FDSelect, FontDict
from fontTools.designspaceLib import AxisDescriptor
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.psCharStrings import T2CharString
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from fontTools.ttLib.tables.DefaultTable import DefaultTable
from fontTools.ttLib.tables.ttProgram import Program

from fontgen.fonts.assemble import AssembledGlyph
from fontgen.fonts.settings import FontSettings, NameSettings
from fontgen.outlines.outline import Contour, Outline

FIXTURES = Path(__file__).parent.parent / "fixtures"
ZEN = FIXTURES / "zen-maru-gothic-bold.ttf"
NAMED = FontSettings(names=NameSettings(family="Probe Hana", style="Bold"))
NEW = (0x4E02, 0x20000, 0x2A6D6)
"""Characters that Zen Maru's fixture lacks, two beyond the basic plane."""


def box(left: float, bottom: float, right: float, top: float, *, hole: bool = False) -> Contour:
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return tuple((corner,) for corner in (corners[::-1] if hole else corners))


def circle(x: float, y: float, radius: float) -> Contour:
    k = 0.5522847498 * radius
    return (
        ((x + radius, y + k), (x + k, y + radius), (x, y + radius)),
        ((x - k, y + radius), (x - radius, y + k), (x - radius, y)),
        ((x - radius, y - k), (x - k, y - radius), (x, y - radius)),
        ((x + k, y - radius), (x + radius, y - k), (x + radius, y)),
    )


RING = Outline((box(0.1, -0.02, 0.9, 0.8), box(0.3, 0.2, 0.7, 0.6, hole=True)))
DISC = Outline((circle(0.5, 0.38, 0.4),))


def rings(codepoints: Iterable[int] = NEW, **advance: float) -> list[AssembledGlyph]:
    return [AssembledGlyph(codepoint, RING, **advance) for codepoint in codepoints]


def drawing(font: TTFont, name: str) -> list[Any]:
    glyph_set = font.getGlyphSet()
    pen = DecomposingRecordingPen(glyph_set)
    glyph_set[name].draw(pen)
    return pen.value


def area(font: TTFont, name: str) -> float:
    pen = AreaPen(font.getGlyphSet())
    font.getGlyphSet()[name].draw(pen)
    return pen.value


def small_cff(path: Path, *, cid: bool) -> Path:
    """A font of three squares with CFF outlines, name-keyed or CID-keyed, with VORG and vertical metrics."""
    names = [".notdef", "cid00005", "cid00009"] if cid else [".notdef", "one", "two"]
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({0x4E00: names[1], 0x4E8C: names[2], 0x2F00: names[1]})
    strings = {}
    for number, name in enumerate(names):
        pen = T2CharStringPen(1000, None)
        for side, corner in (
            ("move", (100, 0)),
            ("line", (900, 0)),
            ("line", (900, 800 - number)),
            ("line", (100, 700)),
        ):
            getattr(pen, f"{side}To")(corner)
        pen.closePath()
        strings[name] = pen.getCharString()
    builder.setupCFF("Small-Regular", {}, strings, {"BlueValues": [-10, 0], "defaultWidthX": 1000})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupVerticalMetrics({name: (1000, 80 + number) for number, name in enumerate(names)})
    builder.setupVerticalHeader(ascent=500, descent=-500)
    builder.setupVerticalOrigins({names[2]: 882}, defaultVerticalOrigin=880)
    builder.setupNameTable({"familyName": "Small", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=880, usWinDescent=120)
    builder.setupPost(keepGlyphNames=False)
    if cid:
        top = builder.font["CFF "].cff[0]
        top.ROS = ("Adobe", "Identity", 0)
        top.CIDCount = 10
        font_dict = FontDict()
        font_dict.FontName, font_dict.Private = "Small-Regular", top.Private
        top.FDArray = FDArrayIndex()
        top.FDArray.append(font_dict)
        top.FDSelect = FDSelect(format=3)
        top.FDSelect.gidArray = [0] * len(names)
        top.CharStrings.fdSelect, top.CharStrings.fdArray = top.FDSelect, top.FDArray
        del top.Private
        top.rawDict.pop("Private", None)
    builder.save(path)
    return path


def small_cff2(path: Path, *, variable: bool) -> Path:
    """A font of squares, 500 by 600, with CFF2 outlines; when variable, they are 200 wider at weight 900."""
    names = [".notdef", "one", "two"]
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({0x4E00: names[1], 0x4E8C: names[2]})
    builder.setupNameTable({"familyName": "Small", "styleName": "Regular"})
    if variable:
        builder.setupFvar([AxisDescriptor(tag="wght", name="Weight", minimum=400, default=400, maximum=900)], [])
    wider, narrower = ([200, 1, "blend"], [-200, 1, "blend"]) if variable else ([], [])
    program = [100, 0, "rmoveto", 500, *wider, "hlineto", 600, "vlineto", -500, *narrower, "hlineto"]
    strings = {name: T2CharString(program=list(program)) for name in names}
    builder.setupCFF2(strings, [{}], [{"wght": (0, 1, 1)}] if variable else None)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=880, usWinDescent=120)
    builder.setupPost(keepGlyphNames=False)
    builder.save(path)
    return path


def small_ttf(path: Path, *, family: str = "Small", notice: str = "") -> Path:
    """A hinted TrueType font with a shared glyph, a composite, a ligature, classes and a variation sequence."""
    names = [".notdef", "one", "accent", "two", "pair"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({0x4E00: "one", 0x2F00: "one", 0x4E8C: "two", 0x2EA0: "accent", 0x4E03: "pair"})
    glyphs = {}
    for number, name in enumerate(names[:4]):
        pen = TTGlyphPen(None)
        pen.moveTo((100, 0))
        for corner in ((100, 700), (900, 800 - number), (900, 0)):
            pen.lineTo(corner)
        pen.closePath()
        glyphs[name] = pen.glyph()
    pen = TTGlyphPen(glyphs)
    pen.addComponent("accent", (1, 0, 0, 1, 10, 20))
    pen.addComponent("two", (1, 0, 0, 1, 0, 0))
    glyphs["pair"] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (1000, glyphs[name].xMin) for name in names})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "copyright": notice or "Copyright Someone"})
    builder.font["name"].setName("旧い名", 1, 3, 1, 0x411)
    builder.font["name"].setName("旧い名", 16, 3, 1, 0x411)
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=880, usWinDescent=120)
    builder.setupPost()
    addOpenTypeFeaturesFromString(
        builder.font,
        "feature liga { sub one two by pair; } liga; feature kern { pos one two -50; } kern;"
        "table GDEF { GlyphClassDef [one two pair], , [accent], ; } GDEF;",
    )
    variation = CmapSubtable.newSubtable(14)
    variation.platformID, variation.platEncID, variation.language, variation.cmap = 0, 5, 0xFF, {}
    variation.uvsDict = {0xFE00: [(0x4E8C, "pair")]}
    builder.font["cmap"].tables.append(variation)
    for tag in ("fpgm", "prep"):
        builder.font[tag] = newTable(tag)
        builder.font[tag].program = Program()
        builder.font[tag].program.fromBytecode(b"\xb0\x00\x21")
    builder.font["DSIG"] = DefaultTable("DSIG")
    builder.font["DSIG"].data = b"\x00\x00\x00\x01\x00\x00\x00\x00"
    builder.font["maxp"].maxStackElements = 8
    builder.save(path)
    return path
