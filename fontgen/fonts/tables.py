"""The tables that list glyphs or characters: cmap, GDEF, per-size metrics; and those that cannot stay."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping

from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

from fontgen.errors import codepoint_name

STALE_TABLES = ("DSIG", "TSI0", "TSI1", "TSI2", "TSI3", "TSI5", "TSIV", "TSIB", "TSIC", "TSID", "TSIJ", "TSIP", "TSIS")
"""A signature of other bytes, and hinting sources numbered by the base's glyphs (they are in no rasteriser's way)."""

BITMAP_TABLES = ("EBDT", "EBLC", "EBSC", "CBDT", "CBLC", "sbix", "SVG ", "COLR", "CPAL")
"""Other pictures of glyphs, which a renderer would show in place of a new outline."""

_LAST_BMP_CHARACTER = 0xFFFD


def codepoints_by_glyph(font: TTFont) -> dict[str, set[int]]:
    """Glyph name -> every codepoint that shows it, by cmap or by a variation sequence (format 14)."""
    users: dict[str, set[int]] = {}
    for codepoint, name in font.getBestCmap().items():
        users.setdefault(name, set()).add(codepoint)
    for subtable in font["cmap"].tables:
        if subtable.format == 14:
            for sequences in subtable.uvsDict.values():
                for codepoint, name in sequences:
                    if name is not None:
                        users.setdefault(name, set()).add(codepoint)
    return users


def write_cmap(font: TTFont, mapping: Mapping[int, str]) -> list[str]:
    """Unicode subtables 4 (BMP) and 12 (everything), each for both platforms; others stay, 14 among them.

    Returns notices: where format 4's 16-bit length cannot hold the whole BMP it holds what fits.
    """
    cmap = font["cmap"]
    for table in cmap.tables:  # unpack what stays while the glyph order that it was read by is known
        _ = table.uvsDict if table.format == 14 else table.cmap
    kept = [table for table in cmap.tables if table.format == 14 or not _is_unicode(table)]
    everything = dict(sorted(mapping.items()))
    bmp = {codepoint: name for codepoint, name in everything.items() if codepoint <= _LAST_BMP_CHARACTER}
    short, notices = _fitting_format4(font, bmp)
    new = [_subtable(4, 0, 3, short), _subtable(12, 0, 4, everything)]
    new += [_subtable(4, 3, 1, short), _subtable(12, 3, 10, everything)]
    cmap.tables = sorted([*kept, *new], key=lambda table: (table.platformID, table.platEncID, table.language or 0))
    return notices


def _is_unicode(table: CmapSubtable) -> bool:
    return table.platformID == 0 or (table.platformID == 3 and table.platEncID in (1, 10))


def _subtable(number: int, platform: int, encoding: int, mapping: dict[int, str]) -> CmapSubtable:
    table = CmapSubtable.newSubtable(number)
    table.platformID, table.platEncID, table.language, table.cmap = platform, encoding, 0, mapping
    return table


def _fitting_format4(font: TTFont, bmp: dict[int, str]) -> tuple[dict[int, str], list[str]]:
    codepoints = list(bmp)
    if _format4_fits(font, bmp):
        return bmp, []
    low, high = 0, len(codepoints)
    while high - low > 1:
        middle = (low + high) // 2
        if _format4_fits(font, {c: bmp[c] for c in codepoints[:middle]}):
            low = middle
        else:
            high = middle
    last = codepoint_name(codepoints[low - 1])
    return (
        {c: bmp[c] for c in codepoints[:low]},
        [f"cmap format 4 ends at {last}, as it holds no more; format 12 holds every character"],
    )


def _format4_fits(font: TTFont, mapping: dict[int, str]) -> bool:
    try:
        _subtable(4, 3, 1, mapping).compile(font)
    except (struct.error, OverflowError):
        return False
    return True


def classify_glyphs(font: TTFont, names: Iterable[str]) -> None:
    """Give new glyphs the class "base" in GDEF, where the font sorts its glyphs into classes at all."""
    if "GDEF" not in font:
        return
    classes = getattr(font["GDEF"].table, "GlyphClassDef", None)
    if classes is None:
        return
    for name in names:
        classes.classDefs[name] = 1


def extend_device_metrics(font: TTFont, names: Collection[str]) -> None:
    """hdmx and LTSH list every glyph: new ones scale linearly at all sizes."""
    upem, metrics = font["head"].unitsPerEm, font["hmtx"].metrics
    if "hdmx" in font:
        for ppem, widths in font["hdmx"].hdmx.items():
            for name in names:
                widths[name] = min(255, (metrics[name][0] * ppem * 2 + upem) // (2 * upem))
    if "LTSH" in font:
        for name in names:
            font["LTSH"].yPels[name] = 1


def drop_stale(font: TTFont, *, replaced: bool) -> list[str]:
    """Remove tables that would be wrong for the new font; returns a notice for each that shows."""
    notices = []
    for tag in STALE_TABLES:
        if tag in font:
            del font[tag]
            if tag == "DSIG":
                notices.append("the base font's digital signature (DSIG) was dropped: it signs other bytes")
    pictures = [tag for tag in BITMAP_TABLES if tag in font] if replaced else []
    for tag in pictures:
        del font[tag]
    if pictures:
        notices.append(f"{', '.join(tag.strip() for tag in pictures)} dropped: they would hide the replaced outlines")
    return notices
