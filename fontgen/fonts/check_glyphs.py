"""Every glyph through FreeType: it loads, it can be drawn, it is where and as large as it should be."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from unicodedata import category

import freetype
import freetype.raw as ft
import numpy as np
from numpy.typing import NDArray

from fontgen.fonts.check_subject import Finding, Subject, judged, passed
from fontgen.fonts.check_winding import Fault, winding_fault
from fontgen.fonts.face import is_whitespace
from fontgen.fonts.metrics import is_ideographic

RASTER_PPEM = 24
"""A reading size: small enough for 20,000 glyphs in seconds, large enough that hinting programs run."""

ROOM_EM = 0.25
"""How far an ideograph may leave its em box: brush strokes do by a tenth, a misplaced or unscaled glyph by far more."""

OTHER_ROOM_EM = 1.0
"""How far any other glyph may leave its advance and the line (marks, swashes, arrows)."""

REVERSED_SHARE = 0.05
"""Good fonts ship a few reversed contours, which the non-zero rule fills all the same (Noto Serif CJK's U+3053).
More than this share of glyphs is an error of the tool that made the font."""

_OVERLAP = 0x40
"""FT_OUTLINE_OVERLAP: the font says that contours overlap on purpose (glyf, OVERLAP_SIMPLE)."""

_OUTLINE_FLAGS = freetype.FT_LOAD_NO_SCALE | freetype.FT_LOAD_NO_HINTING | freetype.FT_LOAD_NO_BITMAP
_RASTER_FLAGS = freetype.FT_LOAD_RENDER | freetype.FT_LOAD_NO_BITMAP

_BLANK_RANGES = (
    (0x034F, 0x034F),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0xFE00, 0xFE0F),
    (0xFFFC, 0xFFFC),
    (0x1D159, 0x1D159),
    (0xE0000, 0xE0FFF),
)
"""Characters beside spaces that rightly show nothing: joiners, variation selectors, empty braille, fillers."""

Box = tuple[float, float, float, float]


@dataclass
class Sweep:
    """What one pass over all glyphs found, by glyph name."""

    unloadable: list[str] = field(default_factory=list)
    undrawable: list[str] = field(default_factory=list)
    boxes: dict[str, Box | None] = field(default_factory=dict)
    """Bounding box of the points in font units; None for a glyph without contours."""
    winding: dict[str, Fault] = field(default_factory=dict)


def may_be_blank(codepoint: int) -> bool:
    return is_whitespace(codepoint) or any(first <= codepoint <= last for first, last in _BLANK_RANGES)


def check_glyphs(subject: Subject) -> Iterator[Finding]:
    try:
        face = freetype.Face(BytesIO(subject.plain), index=subject.face_index)
    except freetype.FT_Exception as error:
        yield Finding("freetype", "fail", f"FreeType cannot open the font: {error}")
        return
    found = sweep(subject, face)
    order = subject.font.getGlyphOrder()
    yield judged(
        "freetype",
        "fail",
        map(subject.label, [*found.unloadable, *found.undrawable]),
        f"FreeType loads and draws all {len(order)} glyphs",
        "FreeType cannot load or draw {count} glyphs",
    )
    yield from _check_blank(subject, found, order[0])
    yield from _check_placement(subject, found)
    wrong = [name for name, fault in found.winding.items() if fault == "reversed"]
    filled = [name for name, fault in found.winding.items() if fault == "filled"]
    yield subject.faulty_glyphs(
        "winding",
        wrong,
        "outer contours and counters turn opposite ways, as this kind of outline asks",
        "{count} glyphs have contours that turn the wrong way",
        level="fail" if len(wrong) > REVERSED_SHARE * len(order) else "warn",
    )
    yield subject.faulty_glyphs(
        "counters",
        filled,
        "no counter is filled by its winding",
        "{count} glyphs have counters that turn like their surroundings and are filled",
    )


def sweep(subject: Subject, face: Any) -> Sweep:
    """Load every glyph twice: its outline in font units, and drawn at `RASTER_PPEM` with its hints."""
    found, handle, slot = Sweep(), face._FT_Face, face._FT_Face.contents.glyph
    face.set_pixel_sizes(0, RASTER_PPEM)
    for index, name in enumerate(subject.font.getGlyphOrder()):
        if ft.FT_Load_Glyph(handle, index, _OUTLINE_FLAGS):
            found.unloadable.append(name)
            continue
        outline = slot.contents.outline
        if outline.n_points:
            points, tags, ends = _arrays(outline)
            found.boxes[name] = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
            fault = winding_fault(points, tags, ends, clockwise=subject.is_truetype, units_per_em=subject.units_per_em)
            if fault == "reversed" or (fault == "filled" and not outline.flags & _OVERLAP):
                found.winding[name] = fault
        else:
            found.boxes[name] = None
        if ft.FT_Load_Glyph(handle, index, _RASTER_FLAGS):
            found.undrawable.append(name)
    return found


def _arrays(outline: Any) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.int64]]:
    """Copies of an FT_Outline's points (n, 2), tags (n,) and contour ends (m,)."""
    count, long = outline.n_points, np.dtype(ctypes.c_long)
    raw = ctypes.string_at(outline.points, count * 2 * long.itemsize)
    points = np.frombuffer(raw, dtype=long).reshape(-1, 2).astype(np.float64)
    tags = np.frombuffer(ctypes.string_at(outline.tags, count), dtype=np.uint8)
    ends = np.frombuffer(ctypes.string_at(outline.contours, outline.n_contours * 2), dtype=np.uint16)
    return points, tags, ends.astype(np.int64)


def _check_blank(subject: Subject, found: Sweep, notdef: str) -> Iterator[Finding]:
    blank = [
        name
        for name, codepoints in subject.codepoints.items()
        if name in found.boxes and found.boxes[name] is None and not all(map(may_be_blank, codepoints))
    ]
    yield subject.faulty_glyphs("blank", blank, "no character but spaces is blank", "{count} characters show nothing")
    if found.boxes.get(notdef) is None:
        yield Finding("notdef", "warn", "the .notdef glyph is empty, so missing characters vanish without a sign")
    else:
        yield passed("notdef", "the .notdef glyph is drawn")


def _check_placement(subject: Subject, found: Sweep) -> Iterator[Finding]:
    """Boxes against the em box (ideographs) and the line (others), bearings against boxes."""
    font, upem, metrics = subject.font, subject.units_per_em, subject.font["hmtx"].metrics
    os2 = font["OS/2"]
    top, bottom = os2.sTypoAscender, os2.sTypoAscender - upem
    large, clipped, narrow, shifted = [], [], [], []
    for name, box in found.boxes.items():
        codepoints = subject.codepoints.get(name)
        if box is None or codepoints is None:
            continue
        advance, bearing = metrics[name]
        is_mark = category(chr(codepoints[0])).startswith("M")
        ideographic = not is_mark and any(map(is_ideographic, codepoints))
        room = (ROOM_EM if ideographic else OTHER_ROOM_EM) * upem
        low, high = (bottom, top) if ideographic else (-os2.usWinDescent, os2.usWinAscent)
        left, right = (-upem, max(advance, upem)) if is_mark else (0, advance)
        if not (left - room <= box[0] and box[2] <= right + room and low - room <= box[1] and box[3] <= high + room):
            large.append(name)
        if box[3] > os2.usWinAscent or box[1] < -os2.usWinDescent:
            clipped.append(subject.label(name))
        if ideographic and advance <= 0:
            narrow.append(name)
        header = subject.bounds[name] if subject.is_truetype else None
        if header and bearing != header[0]:
            shifted.append(name)
    yield subject.faulty_glyphs(
        "size", large, "every glyph lies in its em box or line", "{count} glyphs reach far out of their box"
    )
    yield judged(
        "clipping",
        "warn",
        clipped,
        "usWinAscent and usWinDescent hold every glyph",
        "{count} glyphs reach beyond usWinAscent or usWinDescent, where Windows may clip them",
    )
    yield subject.faulty_glyphs(
        "advance", narrow, "every ideograph has an advance", "{count} ideographs have no advance"
    )
    if subject.is_truetype:
        letters = any(is_ideographic(c) for name in shifted for c in subject.codepoints[name])
        yield subject.faulty_glyphs(
            "bearings",
            shifted,
            "every left side bearing is its glyph's xMin",
            "{count} glyphs have a left side bearing other than xMin, so rasterisers shift them",
            level="fail" if letters else "warn",
        )
