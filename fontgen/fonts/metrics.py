"""Advances, side bearings and the extremes that head, hhea and vhea state, kept true while glyphs join."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fontTools.pens.boundsPen import ControlBoundsPen
from fontTools.ttLib import TTFont, newTable

Bounds: TypeAlias = tuple[int, int, int, int]
"""(xMin, yMin, xMax, yMax) in font units."""

IDEOGRAPHIC_TOP_EM = 0.88
"""Top of the ideographic em box above the baseline where a font does not say (OpenType: BASE, "ideo" at -120)."""

IDEOGRAPHIC = (
    (0x3041, 0x30FF),  # kana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Blocks of full-width letters that are set in vertical lines too."""


_SAMPLE = 200
"""Ideographs whose tops tell where a CFF font without VORG hangs them: charstrings are slow to run."""


@dataclass(frozen=True, slots=True)
class CompiledGlyph:
    """One outline in the file's own bytes, and what other tables must know of it."""

    data: bytes
    """A glyf entry, or a Type 2 charstring without its width."""
    bounds: Bounds | None
    points: int
    contours: int


def is_ideographic(codepoint: int) -> bool:
    return any(first <= codepoint <= last for first, last in IDEOGRAPHIC)


def usual(values: Iterable[int], default: int) -> int:
    """The commonest value (of equals the smallest), or `default` when there is none."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value)) if counts else default


def full_width(font: TTFont) -> int:
    """The advance of the font's ideographic glyphs, one em where it has none (font units)."""
    metrics = font["hmtx"].metrics
    letters = (metrics[name][0] for codepoint, name in font.getBestCmap().items() if is_ideographic(codepoint))
    return usual(letters, font["head"].unitsPerEm)


class AdvanceRule:
    """How wide a glyph becomes whose maker did not say."""

    def __init__(self, font: TTFont, source: TTFont | None) -> None:
        self._upem: int = font["head"].unitsPerEm
        self._metrics: dict[str, tuple[int, int]] = dict(font["hmtx"].metrics)
        self._full = full_width(font)
        self._source: dict[int, int] = {}
        if source is not None:
            source_full, source_upem = full_width(source), source["head"].unitsPerEm
            for codepoint, name in source.getBestCmap().items():
                advance = source["hmtx"].metrics[name][0]
                scaled = (advance * self._upem * 2 + source_upem) // (2 * source_upem)
                self._source[codepoint] = self._full if advance == source_full else scaled

    def __call__(self, codepoint: int, stated_em: float | None, replaced: str | None) -> int:
        """Advance in font units: stated, else the replaced glyph's, else the source font's, else full width."""
        if stated_em is not None:
            return int(stated_em * self._upem + 0.5)
        if replaced is not None:
            return int(self._metrics[replaced][0])
        return self._source.get(codepoint, self._full)


def vertical_origin(font: TTFont, bounds: Mapping[str, Bounds | None]) -> int:
    """y at which vertical lines hang an ideograph: VORG, else top bearing plus top, else the em box (font units)."""
    if "VORG" in font:
        return int(font["VORG"].defaultVertOriginY)
    if "vmtx" in font:
        metrics = font["vmtx"].metrics
        names = [name for codepoint, name in font.getBestCmap().items() if is_ideographic(codepoint)]
        boxes = ((name, bounds.get(name)) for name in names or font.getGlyphOrder())
        tops: list[int] = [metrics[name][1] + box[3] for name, box in boxes if box]
        if tops:
            return int(usual(tops, 0))
    upem, os2 = font["head"].unitsPerEm, font["OS/2"]
    if os2.sTypoAscender - os2.sTypoDescender == upem:
        return int(os2.sTypoAscender)
    top: int = round(IDEOGRAPHIC_TOP_EM * upem)
    return top


def charstring_bounds(font: TTFont, *, order: Iterable[str]) -> dict[str, Bounds | None]:
    """Control boxes of the named CFF glyphs (slow: charstrings are run)."""
    glyph_set = font.getGlyphSet()
    bounds: dict[str, Bounds | None] = {}
    for name in order:
        pen = ControlBoundsPen(None)
        glyph_set[name].draw(pen)
        box = pen.bounds
        bounds[name] = (int(box[0] // 1), int(box[1] // 1), int(-(-box[2] // 1)), int(-(-box[3] // 1))) if box else None
    return bounds


class Hanging:
    """Heights and origins in vertical lines: a replaced glyph's own, else what the base's ideographs have."""

    def __init__(self, font: TTFont, bounds: dict[str, Bounds | None]) -> None:
        self.vorg = font.get("VORG")
        if self.vorg is None and not bounds:
            letters = [name for codepoint, name in font.getBestCmap().items() if is_ideographic(codepoint)]
            bounds = charstring_bounds(font, order=letters[:_SAMPLE])
        self.metrics = dict(font["vmtx"].metrics) if "vmtx" in font else {}
        self.origin = vertical_origin(font, bounds)
        self.tops = {
            name: self.metrics[name][1] + box[3] for name, box in bounds.items() if box and name in self.metrics
        }
        letters = [name for codepoint, name in font.getBestCmap().items() if is_ideographic(codepoint)]
        self.height = usual((self.metrics[name][0] for name in letters if self.metrics), font["head"].unitsPerEm)

    def of(self, replaced: str | None) -> tuple[int, int]:
        """(advance height, y of the origin) in font units."""
        if replaced is None:
            return self.height, self.origin
        if self.vorg is not None:
            origin = self.vorg.VOriginRecords.get(replaced, self.vorg.defaultVertOriginY)
        else:
            origin = self.tops.get(replaced, self.origin)
        return self.metrics[replaced][0], origin


def add_vertical_metrics(font: TTFont, bounds: Mapping[str, Bounds | None]) -> None:
    """vhea and vmtx for every glyph of a font without them: one em high, hung from the em box's top."""
    upem, origin = font["head"].unitsPerEm, vertical_origin(font, bounds)
    vmtx = font["vmtx"] = newTable("vmtx")
    boxes = {name: bounds.get(name) for name in font.getGlyphOrder()}
    vmtx.metrics = {name: (upem, origin - box[3] if box else 0) for name, box in boxes.items()}
    vhea = font["vhea"] = newTable("vhea")
    vhea.tableVersion = 0x00011000
    vhea.ascent, vhea.descent, vhea.lineGap = upem // 2, -(upem // 2), 0
    vhea.caretSlopeRise, vhea.caretSlopeRun, vhea.caretOffset = 0, 1, 0
    vhea.reserved1 = vhea.reserved2 = vhea.reserved3 = vhea.reserved4 = 0
    vhea.metricDataFormat = 0
    vhea.advanceHeightMax = vhea.yMaxExtent = upem
    vhea.minTopSideBearing = vhea.minBottomSideBearing = 0
    vhea.numberOfVMetrics = len(vmtx.metrics)
    _update_vertical_extremes(font, {name: box for name, box in boxes.items() if box}, complete=True)
    add_vertical_origins(font, bounds, origin)


def add_vertical_origins(font: TTFont, bounds: Mapping[str, Bounds | None], origin: int) -> None:
    """VORG for CFF outlines, where a renderer should not have to run charstrings to hang a glyph."""
    if "CFF " not in font or "VORG" in font:
        return
    vorg = font["VORG"] = newTable("VORG")
    vorg.majorVersion, vorg.minorVersion, vorg.defaultVertOriginY = 1, 0, origin
    metrics = font["vmtx"].metrics
    tops = {name: metrics[name][1] + box[3] for name, box in bounds.items() if box and name in metrics}
    vorg.VOriginRecords = {name: top for name, top in tops.items() if top != origin}
    vorg.numVertOriginYMetrics = len(vorg.VOriginRecords)


def hang_from_origin(font: TTFont, name: str, origin: int) -> None:
    """State in VORG that this glyph hangs from `origin`, where VORG exists and says otherwise."""
    if "VORG" not in font:
        return
    vorg = font["VORG"]
    vorg.VOriginRecords.pop(name, None)
    if origin != vorg.defaultVertOriginY:
        vorg.VOriginRecords[name] = origin
    vorg.numVertOriginYMetrics = len(vorg.VOriginRecords)


def update_extremes(font: TTFont, bounds: Mapping[str, Bounds | None], *, complete: bool) -> None:
    """head's box and the extremes of hhea and vhea.

    `complete`: `bounds` holds every glyph, so the extremes are exact. Otherwise (charstrings that were
    not run) what stands is widened by the glyphs in `bounds`.
    """
    head, hhea, horizontal = font["head"], font["hhea"], font["hmtx"].metrics
    boxes = {name: box for name, box in bounds.items() if box}
    if boxes:
        before = [] if complete else [(head.xMin, head.yMin, head.xMax, head.yMax)]
        lefts, bottoms, rights, tops = zip(*before, *boxes.values(), strict=True)
        head.xMin, head.yMin, head.xMax, head.yMax = min(lefts), min(bottoms), max(rights), max(tops)
        measured = [
            (left, horizontal[name][0] - left - (box[2] - box[0]), left + box[2] - box[0])
            for name, box in boxes.items()
            for left in (horizontal[name][1],)
        ]
        if not complete:
            measured.append((hhea.minLeftSideBearing, hhea.minRightSideBearing, hhea.xMaxExtent))
        left_bearings, right_bearings, extents = zip(*measured, strict=True)
        hhea.minLeftSideBearing, hhea.minRightSideBearing = min(left_bearings), min(right_bearings)
        hhea.xMaxExtent = max(extents)
    hhea.advanceWidthMax = max(advance for advance, _ in horizontal.values())
    if complete:
        flush = all(horizontal[name][1] == box[0] for name, box in boxes.items())
        head.flags = head.flags | 0x2 if flush else head.flags & ~0x2
    if "vmtx" in font:
        _update_vertical_extremes(font, boxes, complete=complete)


def _update_vertical_extremes(font: TTFont, boxes: Mapping[str, Bounds], *, complete: bool) -> None:
    vhea, vertical = font["vhea"], font["vmtx"].metrics
    measured = [
        (top, vertical[name][0] - top - (box[3] - box[1]), top + box[3] - box[1])
        for name, box in boxes.items()
        for top in (vertical[name][1],)
    ]
    if not complete:
        measured.append((vhea.minTopSideBearing, vhea.minBottomSideBearing, vhea.yMaxExtent))
    if measured:
        top_bearings, bottom_bearings, extents = zip(*measured, strict=True)
        vhea.minTopSideBearing, vhea.minBottomSideBearing = min(top_bearings), min(bottom_bearings)
        vhea.yMaxExtent = max(extents)
    vhea.advanceHeightMax = max(advance for advance, _ in vertical.values())
