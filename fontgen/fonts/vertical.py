"""Forms for vertical lines: what punctuation of one's own gets where the base font has no `vert` for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from fontTools.misc.transform import Identity, Transform
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables import otTables

from fontgen.fonts.glyf import Drawable, Points
from fontgen.fonts.metrics import Bounds

TURNED = frozenset("―—–…‥（）「」『』〔〕【】〖〗〘〙〚〛〈〉《》〝〞〟［］｛｝｟｠゠＝＿｜￣")
"""Set a quarter turn clockwise (UAX #50: R and Tr; vertical fonts turn the dashes and leaders as well)."""

MIRRORED = frozenset("ー〜～")
"""Turned and then mirrored from left to right, so that the stroke begins at the top as it did on the left, with its
upper side to the left (UAX #50: Tr). Of 18 fonts that have forms of 〜 and ～, 17 do just this; of ー, whose ends
differ only in some designs, most do."""

OPPOSITE = frozenset("、。，．")
"""Set in the corner opposite to their own (UAX #50: Tu): lower left becomes upper right, the centre stays."""

RAISED = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ")
"""Small kana, low in a horizontal line, stand to the right in a vertical one (UAX #50: Tu)."""

LEAST_MOVE_EM = 0.02
"""Less than this is not worth a glyph of its own: Traditional Chinese centres its comma and full stop."""

SCRIPTS = ("DFLT", "bopo", "hang", "hani", "kana", "latn")


@dataclass(frozen=True)
class Turned:
    """An outline through a map of whole units: a quarter turn, perhaps a mirror, and a shift. Winding stays."""

    outline: Drawable
    map: Transform

    def draw(self, pen: Any, *, units_per_em: int) -> None:
        turned = ReverseContourPen(pen) if self._mirrors else pen
        self.outline.draw(TransformPen(turned, self.map), units_per_em=units_per_em)

    def truetype(self, *, units_per_em: int) -> Points:
        points = self.outline.truetype(units_per_em=units_per_em)
        xx, xy, yx, yy, dx, dy = self.map
        x = np.rint(xx * points.x + yx * points.y + dx).astype(points.x.dtype)
        y = np.rint(xy * points.x + yy * points.y + dy).astype(points.y.dtype)
        turned = replace(points, x=x, y=y)  # type: ignore[type-var]
        return _reversed(turned) if self._mirrors else turned

    @property
    def _mirrors(self) -> bool:
        xx, xy, yx, yy, *_ = self.map
        return bool(xx * yy < xy * yx)


def _reversed(points: Any) -> Any:
    """The same contours from the same points, travelled the other way."""
    starts = np.concatenate([[0], points.ends[:-1] + 1])
    counts = points.ends + 1 - starts
    own = np.repeat(starts, counts)
    turned = own + (own - np.arange(points.x.size)) % np.repeat(counts, counts)
    return replace(points, x=points.x[turned], y=points.y[turned], on_curve=points.on_curve[turned])


def needs_form(codepoint: int) -> bool:
    return chr(codepoint) in TURNED | MIRRORED | OPPOSITE | RAISED


def vertical_map(codepoint: int, box: Bounds, advance: int, top: int, units_per_em: int) -> Transform | None:
    """From the upright glyph to its vertical form in font units; None where they are the same.

    `box` is the glyph's, `advance` its width, `top` the y from which vertical lines hang it. The em box's centre is
    half an advance from the left and half an em below `top`.
    """
    across, up = advance // 2, top - units_per_em // 2
    if chr(codepoint) in TURNED:
        # (x, y) -> (y, -x) about the centre
        return Transform(0, -1, 1, 0, across - up, up + across)
    if chr(codepoint) in MIRRORED:
        # (x, y) -> (-y, -x) about the centre
        return Transform(0, -1, -1, 0, across + up, up + across)
    right, above = (box[0] + box[2]) // 2 - across, (box[1] + box[3]) // 2 - up
    dx, dy = (-2 * right, -2 * above) if chr(codepoint) in OPPOSITE else (-above - right, right - above)
    if chr(codepoint) in RAISED and above >= 0:
        return None
    return Identity.translate(dx, dy) if max(abs(dx), abs(dy)) >= LEAST_MOVE_EM * units_per_em else None


def served(font: TTFont) -> set[str]:
    """Names of the glyphs for which the font file's `vert` or `vrt2` has another one."""
    if font.reader is None or "GSUB" not in font.reader:
        return set()
    gsub = newTable("GSUB")  # beside the font's own, which keeps its bytes where nothing is added
    gsub.decompile(font.reader["GSUB"], font)
    table = gsub.table
    if not table.FeatureList or not table.LookupList:
        return set()
    numbers = {
        number
        for record in table.FeatureList.FeatureRecord
        if record.FeatureTag in ("vert", "vrt2")
        for number in record.Feature.LookupListIndex
    }
    found: set[str] = set()
    for number in numbers:
        for subtable in table.LookupList.Lookup[number].SubTable:
            single = getattr(subtable, "ExtSubTable", subtable)
            found |= set(getattr(single, "mapping", {}))
    return found


def add_vert(font: TTFont, forms: Mapping[str, str]) -> None:
    """Let `vert` (and `vrt2`, where the font has it) put the forms in place, in every script and language."""
    if not forms:
        return
    if "GSUB" not in font or not font["GSUB"].table.ScriptList or not font["GSUB"].table.FeatureList:
        from fontTools.feaLib.builder import addOpenTypeFeaturesFromString  # slow to import, and seldom needed

        rules = "".join(f"sub \\{glyph} by \\{form};\n" for glyph, form in sorted(forms.items()))
        languages = "".join(f"languagesystem {script} dflt;\n" for script in SCRIPTS)
        addOpenTypeFeaturesFromString(font, f"{languages}feature vert {{\n{rules}}} vert;", tables={"GSUB"})
        return
    table = font["GSUB"].table
    number = _append_lookup(table, forms)
    present = {record.FeatureTag for record in table.FeatureList.FeatureRecord}
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag in ("vert", "vrt2"):
            record.Feature.LookupListIndex.append(number)
            record.Feature.LookupCount = len(record.Feature.LookupListIndex)
    if not present & {"vert", "vrt2"}:
        _append_feature(table, number)


def _append_lookup(table: Any, forms: Mapping[str, str]) -> int:
    subtable = otTables.SingleSubst()
    subtable.mapping = dict(forms)
    lookup = otTables.Lookup()
    lookup.LookupType, lookup.LookupFlag, lookup.SubTable, lookup.SubTableCount = 1, 0, [subtable], 1
    if table.LookupList is None:
        table.LookupList = otTables.LookupList()
        table.LookupList.Lookup = []
    table.LookupList.Lookup.append(lookup)
    table.LookupList.LookupCount = len(table.LookupList.Lookup)
    return len(table.LookupList.Lookup) - 1


def _append_feature(table: Any, lookup: int) -> None:
    """One `vert` for every language of every script; features stay in alphabetical order, as GSUB wants them."""
    record = otTables.FeatureRecord()
    record.FeatureTag, record.Feature = "vert", otTables.Feature()
    record.Feature.FeatureParams = None
    record.Feature.LookupListIndex, record.Feature.LookupCount = [lookup], 1
    records = table.FeatureList.FeatureRecord
    place = next((n for n, other in enumerate(records) if other.FeatureTag > "vert"), len(records))
    records.insert(place, record)
    table.FeatureList.FeatureCount = len(records)
    for script in table.ScriptList.ScriptRecord:
        systems = [script.Script.DefaultLangSys, *(item.LangSys for item in script.Script.LangSysRecord)]
        for system in filter(None, systems):
            moved = [number + (number >= place) for number in system.FeatureIndex]
            system.FeatureIndex = sorted([*moved, place])
            system.FeatureCount = len(system.FeatureIndex)
            if system.ReqFeatureIndex not in (0xFFFF, None) and system.ReqFeatureIndex >= place:
                system.ReqFeatureIndex += 1


def form_names(glyphs: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """`NAME.vert` for each glyph, with a number behind it where the font has that name."""
    names = {}
    for glyph in glyphs:
        name, number = f"{glyph}.vert", 1
        while name in taken:
            name, number = f"{glyph}.vert{number}", number + 1
        names[glyph] = name
    return names
