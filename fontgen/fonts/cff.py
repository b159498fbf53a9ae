"""CFF outlines: new charstrings beside the base's own bytes, CID-keyed or not, and glyf turned into CFF."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fontTools.cffLib import PrivateDict, TopDict
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.psCharStrings import T2CharString, encodeIntT2
from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.qu2cuPen import Qu2CuPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.teePen import TeePen
from fontTools.ttLib import TTFont

from fontgen.errors import FontError
from fontgen.fonts.glyf import Drawable, Recording, recordings, require_int16, started_on_curve, truetype_bounds
from fontgen.fonts.metrics import (
    Bounds,
    CompiledGlyph,
    add_vertical_origins,
    is_ideographic,
    usual,
    vertical_origin,
)
from fontgen.parallel import parallel_map

MAX_CID = 65535
"""CIDs are 16 bits (Adobe Technical Note 5176, Charsets)."""

TRUETYPE_TABLES = ("glyf", "loca", "cvt ", "cvar", "fpgm", "prep", "gasp", "hdmx", "LTSH", "VDMX")
"""What only a TrueType rasteriser reads."""


def compile_charstring(outline: Drawable, units_per_em: int) -> CompiledGlyph:
    """The outline as an unhinted Type 2 charstring without width. Raises GlyphError beyond 16 bits."""
    return _compile(lambda pen: outline.draw(pen, units_per_em=units_per_em), rounding=0.5)


def _compile(draw: Callable[[Any], None], *, rounding: float) -> CompiledGlyph:
    pen, box = T2CharStringPen(None, None, roundTolerance=rounding), BoundsPen(None)
    draw(TeePen(pen, box))
    bounds: Bounds | None = None
    if box.bounds is not None:
        x_min, y_min, x_max, y_max = box.bounds
        bounds = (math.floor(x_min), math.floor(y_min), math.ceil(x_max), math.ceil(y_max))
        require_int16(bounds)
    charstring = pen.getCharString()
    charstring.compile()
    operators = [token for token in charstring.program or () if isinstance(token, str)]
    return CompiledGlyph(charstring.bytecode, bounds, 0, sum(token.endswith("moveto") for token in operators))


class CharStringWriter:
    """Adds and replaces charstrings of one CFF font; what it does not touch keeps its bytes."""

    def __init__(self, font: TTFont) -> None:
        self.font = font
        self.top: TopDict = font["CFF "].cff[0]
        self.strings = self.top.CharStrings
        self.is_cid = hasattr(self.top, "ROS")
        if not self.strings.charStringsAreIndexed:
            raise FontError("internal: the CFF table must come from a font file")
        self._usual_select = self._commonest_select() if self.is_cid else None

    def _commonest_select(self) -> int:
        """The font dict that most ideographs use: a new glyph takes its private dict (blues, widths)."""
        select, numbers = self.top.FDSelect.gidArray, self.strings.charStrings
        letters = [select[numbers[n]] for c, n in self.font.getBestCmap().items() if is_ideographic(c)]
        return usual(letters or select, 0)

    def new_names(self, count: int) -> list[str]:
        """Glyph names for a CID-keyed font: `count` CIDs that are free, from the highest used one upwards."""
        used = {int(name[3:]) for name in self.top.charset[1:]}
        above = range(max(used, default=0) + 1, MAX_CID + 1)
        free = [*above, *(cid for cid in range(1, above.start) if cid not in used)] if count > len(above) else above
        if count > len(free):
            raise FontError(
                f"{count} glyphs to add, but only {len(free)} CIDs are free; start from a smaller base font"
            )
        return [f"cid{cid:05d}" for cid in free[:count]]

    def put(self, name: str, glyph: CompiledGlyph, advance: int) -> None:
        """Set the charstring of a glyph already in the font, or append it (call in glyph order)."""
        number = self.strings.charStrings.get(name)
        select = None
        if self.is_cid:
            select = self._usual_select if number is None else self.top.FDSelect.gidArray[number]
        private = self.top.FDArray[select].Private if select is not None else self.top.Private
        bytecode = _width(private, advance) + glyph.data
        charstring = T2CharString(bytecode=bytecode, private=private, globalSubrs=self.strings.globalSubrs)
        if number is not None:
            self.strings.charStringsIndex[number] = charstring
            return
        self.strings.charStrings[name] = len(self.strings.charStringsIndex)
        self.strings.charStringsIndex.append(charstring)
        if self.is_cid:
            self.top.FDSelect.append(select)

    def finish(self, order: list[str], bounds: Iterable[Bounds | None]) -> None:
        """Set the glyph order and widen the font's box by the new glyphs."""
        self.top.charset = list(order)
        self.top.numGlyphs = len(order)
        boxes = [box for box in (tuple(self.top.FontBBox), *bounds) if box and any(box)]
        if boxes:
            lefts, bottoms, rights, tops = zip(*boxes, strict=True)
            self.top.FontBBox = [min(lefts), min(bottoms), max(rights), max(tops)]
        if self.is_cid:
            self.top.FDSelect.format = None  # the smaller of the formats, chosen again
            self.top.CIDCount = max(int(name[3:]) for name in order[1:]) + 1 if len(order) > 1 else 1


def _width(private: PrivateDict, advance: int) -> bytes:
    """The width operand that opens a charstring (Adobe Technical Note 5177, section 3.1)."""
    if advance == private.defaultWidthX:
        return b""
    return bytes(encodeIntT2(advance - private.nominalWidthX))


def to_cff(font: TTFont, *, error_em: float) -> None:
    """Turn the font's glyf outlines into CFF: within `error_em`, or exactly (fractional points) when it is 0.

    Half of `error_em` goes to joining runs of quadratics into one cubic, half to rounding.
    """
    order = list(font.getGlyphOrder())
    max_error = error_em * font["head"].unitsPerEm / 2
    bounds = truetype_bounds(font)
    charstrings, metrics = {}, font["hmtx"].metrics
    converted = parallel_map(partial(_convert, max_error), recordings(font))
    for name, glyph in zip(order, converted, strict=True):
        charstrings[name] = T2CharString(bytecode=encodeIntT2(metrics[name][0]) + glyph.data)
        if glyph.bounds:
            metrics[name] = (metrics[name][0], glyph.bounds[0])
        bounds[name] = glyph.bounds
    for tag in TRUETYPE_TABLES:
        if tag in font:
            del font[tag]
    font.sfntVersion = "OTTO"
    font.setGlyphOrder(order)
    maxp = font["maxp"]
    maxp.tableVersion = 0x00005000
    font["post"].formatType = 3.0
    head = font["head"]
    head.flags &= ~0b11100  # bits 2 to 4 are promises about TrueType instructions
    head.indexToLocFormat = head.glyphDataFormat = 0
    FontBuilder(font=font).setupCFF("Converted", {}, charstrings, {"defaultWidthX": 0, "nominalWidthX": 0})
    top = font["CFF "].cff[0]
    boxes = [box for box in bounds.values() if box]
    if boxes:
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        top.FontBBox = [min(lefts), min(bottoms), max(rights), max(tops)]
    top.UnderlinePosition, top.UnderlineThickness = font["post"].underlinePosition, font["post"].underlineThickness
    top.ItalicAngle = font["post"].italicAngle
    if "vmtx" in font:
        add_vertical_origins(font, bounds, vertical_origin(font, bounds))


def _convert(max_error: float, recording: Recording) -> CompiledGlyph:
    simple = RecordingPen()
    simple.value = started_on_curve(recording)
    if max_error == 0:
        return _compile(lambda pen: simple.replay(ReverseContourPen(pen)), rounding=0)
    return _compile(
        lambda pen: simple.replay(Qu2CuPen(pen, max_error, all_cubic=True, reverse_direction=True)), rounding=0.5
    )


def rename_cff(font: TTFont, *, postscript: str, family: str, full: str, style: str, version: str, notice: str) -> None:
    """The names that a CFF table states for itself; the base font's must not stay in it.

    CFF strings are single bytes: a name in other letters is given by the parts of the PostScript name.
    """
    short, _, manner = postscript.partition("-")
    family, full = (said if _is_latin1(said) else plain for said, plain in ((family, short), (full, postscript)))
    style = style if _is_latin1(style) else manner or "Regular"
    cff = font["CFF "].cff
    cff.fontNames[0] = postscript
    top = cff[0]
    top.FamilyName, top.FullName, top.Weight, top.version = family, full, style, version
    top.Notice = notice.encode("latin-1", "replace").decode("latin-1")  # what does not fit becomes a question mark
    for field in ("Copyright", "BaseFontName", "BaseFontBlend", "UniqueID", "XUID", "PostScript"):
        if field in top.rawDict:
            del top.rawDict[field]
        top.__dict__.pop(field, None)
    for number, font_dict in enumerate(getattr(top, "FDArray", ())):
        font_dict.FontName = f"{postscript}-{number}"


def _is_latin1(text: str) -> bool:
    return all(ord(letter) < 256 for letter in text)
