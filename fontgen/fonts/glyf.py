"""TrueType outlines: new glyphs as glyf bytes, the base's own read without unpacking, CFF turned into glyf."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen, replayRecording
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._g_l_y_f import Glyph
from fontTools.ttLib.tables.ttProgram import Program
from numpy.typing import NDArray

from fontgen.errors import GlyphError
from fontgen.fonts.metrics import Bounds, CompiledGlyph
from fontgen.parallel import parallel_map

SMALLEST_ERROR_EM = 0.0001
"""Below this, quadratic approximations only add points that rounding to integers moves further."""

UNHINTED_PREP = bytes.fromhex("b801ff85b0048d")
"""PUSHW 511, SCANCTRL, PUSHB 4, SCANTYPE: drop-out control on at every size (OpenType: SCANCTRL, SCANTYPE)."""

UNHINTED_GASP = {0xFFFF: 0x000F}
"""One range: grid-fit and smooth in both directions at every size (OpenType: gasp, version 1)."""

Recording: TypeAlias = list[tuple[str, tuple[Any, ...]]]
"""An outline as the pen calls that draw it (fontTools' RecordingPen)."""

_INT16 = range(-32768, 32768)
_COMPOSITE_FIELDS = ("maxCompositePoints", "maxCompositeContours", "maxComponentElements", "maxComponentDepth")


class Drawable(Protocol):
    """The outline of one glyph, drawn in integer font units."""

    def draw(self, pen: Any, *, units_per_em: int) -> None:
        """Lines and cubics, outer contours counter-clockwise."""

    def truetype(self, *, units_per_em: int) -> Points:
        """Lines and quadratic splines, outer contours clockwise."""


class Points(Protocol):
    """The points of a simple glyph: integer font units, bool, and the number of each contour's last point."""

    @property
    def x(self) -> NDArray[np.int64]: ...
    @property
    def y(self) -> NDArray[np.int64]: ...
    @property
    def on_curve(self) -> NDArray[np.bool_]: ...
    @property
    def ends(self) -> NDArray[np.int64]: ...


def compile_truetype(outline: Drawable, units_per_em: int) -> CompiledGlyph:
    """The outline as an unhinted simple glyph. Raises GlyphError when coordinates leave 16 bits."""
    points = outline.truetype(units_per_em=units_per_em)
    if not points.x.size:
        return CompiledGlyph(b"", None, 0, 0)
    bounds = (int(points.x.min()), int(points.y.min()), int(points.x.max()), int(points.y.max()))
    require_int16(bounds)
    return CompiledGlyph(_packed(points, bounds), bounds, points.x.size, points.ends.size)


# Flags of a simple glyph's points (OpenType: glyf, Simple Glyph Description).
_ON_CURVE, _X_SHORT, _Y_SHORT, _REPEAT, _X_SAME, _Y_SAME = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def _packed(points: Points, bounds: Bounds) -> bytes:
    """The smallest entry that these points have, without instructions."""
    flags = points.on_curve.astype(np.uint8) * _ON_CURVE
    coordinates = []
    for values, short, same in ((points.x, _X_SHORT, _X_SAME), (points.y, _Y_SHORT, _Y_SAME)):
        steps = np.diff(values, prepend=0)
        size = np.abs(steps)
        is_short = (size < 256) & (steps != 0)
        # Of a short step the same bit says that it is positive; of others, that there is none.
        flags += is_short * np.uint8(short) + ((steps == 0) | (is_short & (steps > 0))) * np.uint8(same)
        # One byte, two, or none each: the low byte of a short step is its size.
        high_low = np.stack([steps >> 8, np.where(is_short, size, steps) & 0xFF], axis=1).astype(np.uint8)
        wanted = np.stack([~is_short & (steps != 0), steps != 0], axis=1)
        coordinates.append(high_low[wanted].tobytes())
    header = struct.pack(">h4h", points.ends.size, *bounds)
    ends = points.ends.astype(">u2").tobytes()
    return b"".join([header, ends, b"\0\0", _run_lengths(flags), *coordinates])


def _run_lengths(flags: NDArray[np.uint8]) -> bytes:
    """Flags with equal neighbours counted: three and more take two bytes."""
    begin = np.flatnonzero(np.diff(flags, prepend=flags[:1] ^ 0xFF))
    counts = np.diff(begin, append=flags.size)
    if counts.max() < 3:
        return flags.tobytes()
    packed = bytearray()
    for flag, count in zip(flags[begin].tolist(), counts.tolist(), strict=True):
        while count > 2:
            repeats = min(count, 256)
            packed += bytes((flag | _REPEAT, repeats - 1))
            count -= repeats
        packed += bytes((flag,)) * count
    return bytes(packed)


def _compiled(glyph: Glyph) -> CompiledGlyph:
    if not glyph.numberOfContours:
        return CompiledGlyph(b"", None, 0, 0)
    glyph.recalcBounds(None)
    bounds = (glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax)
    require_int16(bounds)
    data = glyph.compile(None, recalcBBoxes=False, optimizeSize=True)
    return CompiledGlyph(data, bounds, len(glyph.coordinates), glyph.numberOfContours)


def require_int16(bounds: Bounds) -> None:
    if any(value not in _INT16 for value in bounds):
        raise GlyphError(f"coordinates from {min(bounds)} to {max(bounds)} do not fit a font's 16 bits; scale it down")


def put_truetype(font: TTFont, glyphs: Mapping[str, CompiledGlyph]) -> None:
    """Set glyphs by name; every name must already be in the glyph order."""
    glyf = font["glyf"]
    glyf.glyphOrder = font.getGlyphOrder()
    for name, glyph in glyphs.items():
        glyf.glyphs[name] = Glyph(glyph.data)
    glyf._reverseGlyphOrder = {}


def copy_truetype(font: TTFont, name: str, copy: str) -> None:
    """Let the glyph `copy` (already in the glyph order) be what `name` is now."""
    glyf = font["glyf"]
    glyf.glyphs[copy] = Glyph(glyf.glyphs[name].compile(glyf, recalcBBoxes=False))


def used_as_component(font: TTFont, names: Iterable[str]) -> dict[str, list[str]]:
    """Which of `names` are parts of composite glyphs outside `names`: glyph name -> its composites."""
    glyf, wanted = font["glyf"], set(names)
    users: dict[str, list[str]] = {}
    for composite in font.getGlyphOrder():
        glyph = glyf.glyphs[composite]
        if composite in wanted or contour_count(glyph) >= 0:
            continue
        for part in set(glyph.getComponentNames(glyf)) & wanted:
            users.setdefault(part, []).append(composite)
    return users


def redirect_components(font: TTFont, copies: Mapping[str, str], composites: Iterable[str]) -> None:
    """Let composites refer to `copies[name]` where they referred to `name`."""
    glyf = font["glyf"]
    for composite in composites:
        for component in glyf[composite].components:
            component.glyphName = copies.get(component.glyphName, component.glyphName)


def contour_count(glyph: Glyph) -> int:
    """Contours of a glyph, -1 for a composite; read from the header where it is still packed."""
    if hasattr(glyph, "data"):
        return int(struct.unpack_from(">h", glyph.data)[0]) if glyph.data else 0
    return int(glyph.numberOfContours)


def truetype_bounds(font: TTFont) -> dict[str, Bounds | None]:
    """The bounding box of every glyph as its header states it; None for an empty one."""
    bounds: dict[str, Bounds | None] = {}
    for name in font.getGlyphOrder():
        glyph = font["glyf"].glyphs[name]
        if hasattr(glyph, "data"):
            bounds[name] = struct.unpack_from(">4h", glyph.data, 2) if glyph.data else None
        else:
            empty = not glyph.numberOfContours
            bounds[name] = None if empty else (glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax)
    return bounds


def update_maxp(font: TTFont, glyphs: Iterable[CompiledGlyph]) -> None:
    """Raise the limits to what the new glyphs need; those of the base's composites stand."""
    maxp = font["maxp"]
    for glyph in glyphs:
        maxp.maxPoints = max(maxp.maxPoints, glyph.points)
        maxp.maxContours = max(maxp.maxContours, glyph.contours)


def smooth_unhinted(font: TTFont) -> None:
    """Give a font without any hinting the gasp and prep of an unhinted font; leave a hinted one alone."""
    if "fpgm" in font or "prep" in font:
        return
    program = Program()
    program.fromBytecode(UNHINTED_PREP)
    font["prep"] = newTable("prep")
    font["prep"].program = program
    font["maxp"].maxStackElements = max(font["maxp"].maxStackElements, 2)
    if "gasp" not in font:
        font["gasp"] = newTable("gasp")
        font["gasp"].version = 1
        font["gasp"].gaspRange = dict(UNHINTED_GASP)


def started_on_curve(recording: Recording) -> Recording:
    """Give contours of off-curve points alone the start that TrueType implies: the middle of the last and first."""
    started: Recording = []
    for operator, points in recording:
        if operator == "qCurveTo" and points[-1] is None:
            (x0, y0), (x1, y1) = points[-2], points[0]
            start = ((x0 + x1) / 2, (y0 + y1) / 2)
            started += [("moveTo", (start,)), (operator, (*points[:-1], start))]
        else:
            started.append((operator, points))
    return started


def recordings(font: TTFont) -> Iterator[Recording]:
    """The outline of every glyph in glyph order, composites taken apart."""
    glyph_set = font.getGlyphSet()
    for name in font.getGlyphOrder():
        pen = DecomposingRecordingPen(glyph_set)
        glyph_set[name].draw(pen)
        yield pen.value


def _convert(max_error: float, recording: Recording) -> CompiledGlyph:
    pen = TTGlyphPen(None)
    replayRecording(recording, Cu2QuPen(pen, max_error, reverse_direction=True))
    return _compiled(pen.glyph())


def to_truetype(font: TTFont, *, error_em: float) -> None:
    """Turn the font's CFF outlines into glyf, each curve within `error_em` of its cubic."""
    order = list(font.getGlyphOrder())
    max_error = max(error_em, SMALLEST_ERROR_EM) * font["head"].unitsPerEm
    converted = parallel_map(partial(_convert, max_error), recordings(font))
    compiled = dict(zip(order, converted, strict=True))
    is_cid = hasattr(font["CFF "].cff[0], "ROS")
    for tag in ("CFF ", "VORG"):
        if tag in font:
            del font[tag]
    font.sfntVersion = "\x00\x01\x00\x00"
    font.setGlyphOrder(order)
    font["loca"] = newTable("loca")
    glyf = font["glyf"] = newTable("glyf")
    glyf.glyphs = {}
    put_truetype(font, compiled)
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    for field in ("maxPoints", "maxContours", *_COMPOSITE_FIELDS, "maxTwilightPoints", "maxStorage"):
        setattr(maxp, field, 0)
    for field in ("maxFunctionDefs", "maxInstructionDefs", "maxStackElements", "maxSizeOfInstructions"):
        setattr(maxp, field, 0)
    maxp.maxZones = 2
    update_maxp(font, compiled.values())
    post = font["post"]
    post.formatType = 3.0 if is_cid else 2.0
    post.extraNames, post.mapping = [], {}
    font["head"].glyphDataFormat = 0
    metrics = font["hmtx"].metrics
    for name, glyph in compiled.items():
        if glyph.bounds:
            metrics[name] = (metrics[name][0], glyph.bounds[0])
