"""fontinfo.plist of a UFO 3, from a font's tables; the names of keys and their units are the UFO specification's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fontTools.misc.timeTools import epoch_diff
from fontTools.ttLib import TTFont

from fontgen.fonts.names import LANGUAGE_IDS

_NAMES = {
    "copyright": 0,
    "styleMapFamilyName": 1,
    "openTypeNameUniqueID": 3,
    "postscriptFullName": 4,
    "openTypeNameVersion": 5,
    "postscriptFontName": 6,
    "openTypeNameManufacturer": 8,
    "openTypeNameDesigner": 9,
    "openTypeNameDescription": 10,
    "openTypeNameManufacturerURL": 11,
    "openTypeNameDesignerURL": 12,
    "openTypeNameLicense": 13,
    "openTypeNameLicenseURL": 14,
    "openTypeNamePreferredFamilyName": 16,
    "openTypeNamePreferredSubfamilyName": 17,
    "openTypeNameSampleText": 19,
}
"""fontinfo key -> name ID."""

_OS2 = {
    "openTypeOS2WeightClass": "usWeightClass",
    "openTypeOS2WidthClass": "usWidthClass",
    "openTypeOS2TypoAscender": "sTypoAscender",
    "openTypeOS2TypoDescender": "sTypoDescender",
    "openTypeOS2TypoLineGap": "sTypoLineGap",
    "openTypeOS2WinAscent": "usWinAscent",
    "openTypeOS2WinDescent": "usWinDescent",
    "openTypeOS2SubscriptXSize": "ySubscriptXSize",
    "openTypeOS2SubscriptYSize": "ySubscriptYSize",
    "openTypeOS2SubscriptXOffset": "ySubscriptXOffset",
    "openTypeOS2SubscriptYOffset": "ySubscriptYOffset",
    "openTypeOS2SuperscriptXSize": "ySuperscriptXSize",
    "openTypeOS2SuperscriptYSize": "ySuperscriptYSize",
    "openTypeOS2SuperscriptXOffset": "ySuperscriptXOffset",
    "openTypeOS2SuperscriptYOffset": "ySuperscriptYOffset",
    "openTypeOS2StrikeoutSize": "yStrikeoutSize",
    "openTypeOS2StrikeoutPosition": "yStrikeoutPosition",
}

_PANOSE = (
    "bFamilyType",
    "bSerifStyle",
    "bWeight",
    "bProportion",
    "bContrast",
    "bStrokeVariation",
    "bArmStyle",
    "bLetterForm",
    "bMidline",
    "bXHeight",
)

_STYLE_BITS = {0, 5, 6}
"""fsSelection bits that follow from styleMapStyleName and may not be in openTypeOS2Selection."""


def font_info(font: TTFont) -> dict[str, Any]:
    """Names, licence, vertical metrics and dates; keys whose value the font lacks are left out."""
    head, hhea, os2, post = font["head"], font["hhea"], font["OS/2"], font["post"]
    english = {
        record.nameID: record.toUnicode()
        for record in font["name"].names
        if record.platformID == 3 and record.langID == LANGUAGE_IDS["en"]
    }
    major, minor = f"{head.fontRevision:.3f}".split(".")
    info: dict[str, Any] = {
        "familyName": english.get(16, english.get(1)),
        "styleName": english.get(17, english.get(2)),
        "styleMapStyleName": str(english.get(2, "regular")).lower(),
        "versionMajor": int(major),
        "versionMinor": int(minor),
        "unitsPerEm": head.unitsPerEm,
        "ascender": os2.sTypoAscender,
        "descender": os2.sTypoDescender,
        "italicAngle": post.italicAngle,
        "postscriptUnderlinePosition": post.underlinePosition,
        "postscriptUnderlineThickness": post.underlineThickness,
        "postscriptIsFixedPitch": bool(post.isFixedPitch),
        "openTypeHeadCreated": datetime.fromtimestamp(head.created + epoch_diff, UTC).strftime("%Y/%m/%d %H:%M:%S"),
        "openTypeHheaAscender": hhea.ascent,
        "openTypeHheaDescender": hhea.descent,
        "openTypeHheaLineGap": hhea.lineGap,
        "openTypeOS2VendorID": os2.achVendID,
        "openTypeOS2Panose": [getattr(os2.panose, field) for field in _PANOSE],
        "openTypeOS2Selection": [bit for bit in _bits(os2.fsSelection) if bit not in _STYLE_BITS],
        "openTypeOS2Type": _bits(os2.fsType),
        "openTypeOS2UnicodeRanges": sorted(os2.getUnicodeRanges()),
        "openTypeNameRecords": _other_names(font),
    }
    info |= {key: english.get(name_id) for key, name_id in _NAMES.items()}
    info |= {key: getattr(os2, field) for key, field in _OS2.items()}
    if os2.version >= 1:
        info["openTypeOS2CodePageRanges"] = sorted(os2.getCodePageRanges())
    if os2.version >= 2:
        info |= {"xHeight": os2.sxHeight, "capHeight": os2.sCapHeight}
    if "vhea" in font:
        vhea = font["vhea"]
        info |= {
            "openTypeVheaVertTypoAscender": vhea.ascent,
            "openTypeVheaVertTypoDescender": vhea.descent,
            "openTypeVheaVertTypoLineGap": vhea.lineGap,
        }
    return {key: value for key, value in info.items() if value not in (None, "")}


def _bits(value: int) -> list[int]:
    return [bit for bit in range(16) if value >> bit & 1]


def _other_names(font: TTFont) -> list[dict[str, Any]]:
    """Name records in other languages than English."""
    return [
        {
            "nameID": record.nameID,
            "platformID": record.platformID,
            "encodingID": record.platEncID,
            "languageID": record.langID,
            "string": record.toUnicode(),
        }
        for record in font["name"].names
        if record.platformID == 3 and record.langID != LANGUAGE_IDS["en"]
    ]
