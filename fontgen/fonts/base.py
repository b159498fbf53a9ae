"""The font that an assembled font grows from: any kind of file, opened as one static font."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError

from fontgen.errors import FontError
from fontgen.fonts.face import sfnt_bytes

NEEDED_TABLES = ("head", "hhea", "hmtx", "maxp", "cmap", "name", "OS/2", "post")
"""Tables that every OpenType font must have (OpenType specification, "Required Tables")."""

READ_TABLES = (*NEEDED_TABLES, "glyf", "loca", "CFF ", "GDEF", "GSUB", "GPOS", "BASE", "vhea", "vmtx", "VORG")
"""Tables that the assembly changes or that text does not come out right without; any other stays as bytes."""

UNREADABLE = (
    TTLibError,
    struct.error,
    OSError,
    AssertionError,
    LookupError,
    ValueError,
    EOFError,
    ArithmeticError,
    AttributeError,
)
"""What fontTools raises on broken tables."""


@dataclass
class Base:
    """A static font with glyf or CFF outlines, and what had to be done to make it one."""

    data: bytes
    """The font file (or collection)."""
    is_cff: bool
    face_index: int = 0
    path: Path | None = None
    notices: list[str] = field(default_factory=list)

    def open(self) -> TTFont:
        """A font of its own to change; nothing is unpacked yet, so what nobody touches keeps its bytes."""
        return TTFont(BytesIO(self.data), fontNumber=self.face_index, recalcBBoxes=False, recalcTimestamp=False)


def open_base(path: Path, *, face_index: int = 0, location: Mapping[str, float] | None = None) -> Base:
    """Open TTF, OTF, TTC, WOFF or WOFF2; a variable font becomes its instance at `location` (user coordinates).

    Raises FontError when the file is no font, lacks a needed table or a Unicode cmap, has a table that cannot be read
    (nothing would then be made of hours of training), or has no such face or axis.
    """
    data = sfnt_bytes(path)
    _require_face(path, data, face_index)
    base = Base(data, is_cff=False, face_index=face_index, path=path)
    try:
        font = base.open()
        if "fvar" in font:
            base.notices.append(_instantiate(path, font, location))
        elif location:
            raise FontError(f"{path}: not a variable font, so it has no location {dict(location)}; leave it out")
        if "CFF2" in font:
            from fontTools.cffLib.CFF2ToCFF import convertCFF2ToCFF

            convertCFF2ToCFF(font)
            base.notices.append("CFF2 outlines were turned into CFF")
        if base.notices:
            font.recalcBBoxes = True
            base.data, base.face_index = font_bytes(font), 0
            font = base.open()
        _require_tables(path, font)
        font.getGlyphOrder()
        _require_whole_tables(path, font)
        base.is_cff = "CFF " in font
    except FontError:
        raise
    except UNREADABLE as e:
        raise FontError(f"{path}: not a readable font ({e or type(e).__name__}); replace it with a whole copy") from e
    return base


def open_tables(path: Path) -> TTFont:
    """The first face's tables as they stand, to look up names; FontError when these or the file cannot be read."""
    try:
        font = TTFont(BytesIO(sfnt_bytes(path)), fontNumber=0, lazy=True)
        if "name" in font:
            font["name"]
        return font
    except UNREADABLE as e:
        raise FontError(f"{path}: not a readable font ({e or type(e).__name__}); replace it with a whole copy") from e


def font_bytes(font: TTFont, flavor: str | None = None) -> bytes:
    """The font as a plain OpenType file, or packed: `woff`, `woff2`."""
    buffer = BytesIO()
    font.flavor = flavor
    font.save(buffer)
    return buffer.getvalue()


def _require_face(path: Path, data: bytes, face_index: int) -> None:
    faces = struct.unpack(">L", data[8:12])[0] if data[:4] == b"ttcf" and len(data) >= 12 else 1
    if not 0 <= face_index < faces:
        last = f"choose 0 to {faces - 1}" if faces > 1 else "it holds one face, so leave the face index at 0"
        raise FontError(f"{path}: no face {face_index}; {last}")


def _require_tables(path: Path, font: TTFont) -> None:
    missing = [tag for tag in NEEDED_TABLES if tag not in font]
    if missing:
        raise FontError(f"{path}: lacks the tables {', '.join(missing)}; use a complete OpenType font")
    if "glyf" not in font and "CFF " not in font:
        raise FontError(f"{path}: has neither glyf nor CFF outlines; bitmap and SVG fonts cannot be a base")
    if not font.getBestCmap():
        raise FontError(f"{path}: has no Unicode cmap; use a font whose characters have Unicode codepoints")


def _require_whole_tables(path: Path, font: TTFont) -> None:
    for tag in READ_TABLES:
        try:
            table = font.get(tag)
        except UNREADABLE as e:
            why = e or type(e).__name__
            raise FontError(f"{path}: its {tag.strip()} table is broken ({why}); replace it with a whole copy") from e
        if tag == "loca" and table is not None and len(table) <= font["maxp"].numGlyphs:
            raise FontError(f"{path}: its loca table lacks glyphs; replace the font with a whole copy")


def _instantiate(path: Path, font: TTFont, location: Mapping[str, float] | None) -> str:
    """Make the font static at `location`, other axes at their defaults; returns the notice."""
    from fontTools.varLib import instancer  # takes longer to import than all else here, for a rare kind of base

    axes = {axis.axisTag: axis for axis in font["fvar"].axes}
    wanted = dict(location or {})
    for tag, value in wanted.items():
        if tag not in axes:
            raise FontError(f"{path}: no axis {tag!r}; it has {', '.join(axes)}")
        axis = axes[tag]
        if not axis.minValue <= value <= axis.maxValue:
            raise FontError(f"{path}: axis {tag} cannot be {value:g}; choose {axis.minValue:g} to {axis.maxValue:g}")
    full = {tag: wanted.get(tag, axis.defaultValue) for tag, axis in axes.items()}
    instancer.instantiateVariableFont(font, full, inplace=True, downgradeCFF2="CFF2" in font)
    if "STAT" in font:  # it describes axes that are gone
        del font["STAT"]
    place = ", ".join(f"{tag}={value:g}" for tag, value in full.items())
    return f"variable font: the instance at {place} is the base"
