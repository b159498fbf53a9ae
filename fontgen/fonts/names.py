"""The name table and all that repeats it: style bits, weight class, CFF names, version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._n_a_m_e import NameRecord

from fontgen.errors import FontError
from fontgen.fonts.cff import rename_cff
from fontgen.fonts.licence import Licence, joined_copyright, licence_of, reserved_in
from fontgen.fonts.settings import NameSettings

RIBBI = ("Regular", "Italic", "Bold", "Bold Italic")
"""The four styles that name IDs 1 and 2 can link; any other needs IDs 16 and 17 (OpenType: name, "Name IDs")."""

WEIGHTS = {
    "thin": 100,
    "hairline": 100,
    "extralight": 200,
    "ultralight": 200,
    "light": 300,
    "demilight": 350,
    "regular": 400,
    "normal": 400,
    "medium": 500,
    "semibold": 600,
    "demibold": 600,
    "bold": 700,
    "extrabold": 800,
    "ultrabold": 800,
    "black": 900,
    "heavy": 900,
}
"""usWeightClass by name (OpenType: OS/2, usWeightClass; 350 as Noto Sans CJK uses it)."""

LANGUAGE_IDS = {"en": 0x409, "ja": 0x411, "zh-Hans": 0x804, "zh-Hant": 0x404, "ko": 0x412}
"""Windows language identifiers (OpenType: name, "Windows language IDs")."""

MAX_POSTSCRIPT_LENGTH = 63
"""OpenType: name, name ID 6."""

MAX_FULL_LENGTH = 63
"""Windows keeps 64 characters of a full name, the closing zero among them (ENUMLOGFONTEX, elfFullName)."""

MAX_NAME_BYTES = 65535
"""Texts of the name table are found by offsets of 16 bits (OpenType: name, "Name records")."""

FALLBACK_FAMILY = "Fontgen Untitled"
"""A name that claims nothing, where a Reserved Font Name forbids the base font's own."""

_CARRIED = {9, 12, 19}
"""Designer, designer's address and sample text; feature names and axis names (256 and above) stay as well."""

POSTSCRIPT_CHARACTERS = re.compile(r"[!-$&'*-.0-;=?-Z\\^-z|~]+")
"""Printable ASCII without [](){}<>/% and space (OpenType: name, name ID 6)."""


@dataclass(frozen=True)
class Names:
    """What the new font is called."""

    family: str
    style: str
    postscript: str
    linked_family: str
    linked_style: str

    @property
    def full(self) -> str:
        return _full_name(self.family, self.style)


def _full_name(family: str, style: str) -> str:
    return family if style == "Regular" else f"{family} {style}"


def choose_names(settings: NameSettings, base: TTFont | None, licences: Sequence[Licence]) -> tuple[Names, list[str]]:
    """The names and notices about how they were chosen.

    Raises FontError when the family uses a Reserved Font Name, is missing or too long, or gives no valid
    PostScript name.
    """
    reserved = [name for licence in licences for name in licence.reserved]
    family, notices = settings.family, []
    if family is None:
        if base is None:
            raise FontError(
                "family name missing: no base font to derive it from; give --family, or family in [font.names]"
            )
        stem = base_family(base)
        family = f"{stem} Fontgen" if stem else FALLBACK_FAMILY
        if reserved_in(family, reserved):
            notices.append(
                f"{reserved_in(family, reserved)!r} is a Reserved Font Name, so the font is {FALLBACK_FAMILY!r}"
            )
            family = FALLBACK_FAMILY
    for name in (family, *settings.localised.values(), settings.postscript_name or ""):
        if taken := reserved_in(name, reserved):
            raise FontError(
                f"family name {name!r} contains {taken!r}, which a font used here declares a Reserved Font Name; "
                "its licence forbids that name to changed versions: choose another"
            )
    style = canonical_style(settings.style or (base and base_style(base)) or "Regular")
    for key, name in (("family", family), *((f"localised.{key}", name) for key, name in settings.localised.items())):
        full = _full_name(name, style)
        if len(full) > MAX_FULL_LENGTH:
            raise FontError(
                f"full name {full!r} has {len(full)} characters; Windows keeps {MAX_FULL_LENGTH}: shorten names.{key}"
            )
    postscript = settings.postscript_name or f"{family}-{style}".replace(" ", "")
    if not POSTSCRIPT_CHARACTERS.fullmatch(postscript):
        raise FontError(
            f"PostScript name {postscript!r} has characters beyond plain ASCII letters, digits and -; "
            "set postscript_name in [font.names]"
        )
    if len(postscript) > MAX_POSTSCRIPT_LENGTH:
        raise FontError(
            f"PostScript name {postscript!r} has {len(postscript)} characters; at most {MAX_POSTSCRIPT_LENGTH} are "
            "allowed: shorten the family or set postscript_name in [font.names]"
        )
    if style in RIBBI:
        return Names(family, style, postscript, family, style), notices
    upright = re.sub(r"\s*(Italic|Oblique)$", "", style)
    linked = "Regular" if upright == style else "Italic"
    return Names(family, style, postscript, f"{family} {upright}".strip(), linked), notices


def canonical_style(style: str) -> str:
    """Usual spelling of the four linked styles ("bold italic" -> "Bold Italic"); others stay as they are."""
    return next((known for known in RIBBI if known.casefold() == " ".join(style.split()).casefold()), style)


def base_family(font: TTFont) -> str | None:
    """The base font's family name in plain ASCII, typographic before linked; None where it has none."""
    records = [record for name_id in (16, 1) for record in font["name"].names if record.nameID == name_id]
    names = (record.toUnicode(errors="replace").strip() for record in records)
    return next((name for name in names if name and name.isascii()), None)


def base_style(font: TTFont) -> str:
    """The base font's style name; where its weight class contradicts it (an instance), the weight's name."""
    style = font["name"].getBestSubFamilyName() or "Regular"
    weight = font["OS/2"].usWeightClass
    stated = style_weight(style)
    by_weight = {100: "Thin", 200: "ExtraLight", 300: "Light", 500: "Medium", 600: "SemiBold", 700: "Bold"}
    by_weight |= {400: "Regular", 800: "ExtraBold", 900: "Black"}
    if stated is None or stated == weight or weight not in by_weight:
        return style
    italic = "Italic" if re.search(r"Italic|Oblique", style) else ""
    name = by_weight[weight]
    return italic if italic and name == "Regular" else f"{name} {italic}".strip()


def style_weight(style: str) -> int | None:
    """usWeightClass of a style name, 400 for a bare "Italic", None when it names no weight."""
    word = re.sub(r"italic|oblique|[\s-]", "", style.casefold())
    return 400 if not word else WEIGHTS.get(word)


def write_names(
    font: TTFont, names: Names, settings: NameSettings, licences: Sequence[Licence], generated: int
) -> None:
    """Replace the name table's records; no record but the legal ones keeps the base font's name.

    Raises FontError when the texts together are longer than the table can hold.
    """
    table = font["name"]
    carried = [r for r in table.names if r.platformID == 3 and (r.nameID in _CARRIED or r.nameID >= 256)]
    legal: dict[int, list[NameRecord]] = {r.nameID: [] for r in table.names if r.nameID in (0, 13, 14)}
    for record in table.names:
        if record.platformID == 3 and record.nameID in legal and record.langID != LANGUAGE_IDS["en"]:
            legal[record.nameID].append(record)
    table.names = carried
    version = f"Version {settings.version}"
    english = {
        0: joined_copyright(settings.copyright, licences),
        1: names.linked_family,
        2: names.linked_style,
        3: f"{settings.version};{settings.vendor};{names.postscript}",
        4: names.full,
        5: version,
        6: names.postscript,
        8: settings.manufacturer,
        9: settings.designer,
        10: settings.description or f"{generated} glyphs generated with fontgen",
        11: settings.vendor_url,
        12: settings.designer_url,
        13: settings.licence or next((item.licence for item in licences if item.licence), None),
        14: settings.licence_url or next((item.url for item in licences if item.url), None),
    }
    if names.style not in RIBBI:
        english |= {16: names.family, 17: names.style}
    for name_id, overridden in ((13, settings.licence), (14, settings.licence_url)):
        table.names += [] if overridden else legal.get(name_id, [])
    table.names += legal.get(0, [])
    for name_id, text in english.items():
        if text:
            table.names = [r for r in table.names if r.nameID != name_id or name_id in (0, 13, 14)]
            table.setName(text, name_id, 3, 1, LANGUAGE_IDS["en"])
    for language, family in settings.localised.items():
        _write_localised(font, names, family, LANGUAGE_IDS[language])
    table.names.sort(key=lambda r: (r.platformID, r.platEncID, r.langID, r.nameID))
    _require_storage(table.names)
    _write_style(font, names, settings)
    if "CFF " in font:
        rename_cff(
            font,
            postscript=names.postscript,
            family=names.family,
            full=names.full,
            style=names.style,
            version=settings.version,
            notice=english[0] or "",
        )


def _write_localised(font: TTFont, names: Names, family: str, language: int) -> None:
    table = font["name"]
    linked = names.linked_family.replace(names.family, family, 1)
    full = names.full.replace(names.family, family, 1)
    records = {1: linked, 2: names.linked_style, 4: full}
    if names.style not in RIBBI:
        records |= {16: family, 17: names.style}
    for name_id, text in records.items():
        table.setName(text, name_id, 3, 1, language)


def _require_storage(records: Sequence[NameRecord]) -> None:
    lengths = {bytes(record.toBytes()): record for record in records}  # equal texts are stored once
    if (total := sum(map(len, lengths))) > MAX_NAME_BYTES:
        longest = lengths[max(lengths, key=len)]
        raise FontError(
            f"the texts of the name table need {total} bytes, but it holds {MAX_NAME_BYTES}; shorten the longest, "
            f"name ID {longest.nameID} ({len(longest.toUnicode())} characters)"
        )


def _write_style(font: TTFont, names: Names, settings: NameSettings) -> None:
    """fsSelection, macStyle, weight class, vendor and revision, as the names say."""
    os2, head = font["OS/2"], font["head"]
    bold, italic = "Bold" in names.linked_style, "Italic" in names.linked_style
    os2.fsSelection &= ~0b1100001  # ITALIC, BOLD, REGULAR
    os2.fsSelection |= (0x1 if italic else 0) | (0x20 if bold else 0) | (0 if bold or italic else 0x40)
    head.macStyle = (head.macStyle & ~0b11) | (1 if bold else 0) | (2 if italic else 0)
    weight = style_weight(names.style)
    if settings.style is not None and weight is not None:
        os2.usWeightClass = weight
    os2.achVendID = settings.vendor.ljust(4)
    head.fontRevision = float(settings.version)


def collect_licences(fonts: Sequence[TTFont]) -> list[Licence]:
    """The legal records of every font used, the base first, equal ones once."""
    return list(dict.fromkeys(licence_of(font) for font in fonts))
