"""The meta table: the scripts that a font is designed for and those that it covers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from fontTools.ttLib import TTFont, newTable

from fontgen.fonts.os2 import covered_code_pages

CODE_PAGE_SCRIPTS = {17: "Jpan", 18: "Hans", 19: "Kore", 20: "Hant"}
"""Bit of OS/2 ulCodePageRange1 -> the script in which its characters are written (ISO 15924)."""

ALPHABETS = {
    "Latn": (*range(0x41, 0x5B), *range(0x61, 0x7B)),
    "Grek": (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA)),
    "Cyrl": (0x401, *range(0x410, 0x450), 0x451),
    "Hira": tuple(range(0x3041, 0x3094)),
    "Kana": tuple(range(0x30A1, 0x30F7)),
    "Bopo": tuple(range(0x3105, 0x312A)),
}
"""ISO 15924 script -> letters without which nothing can be written in it."""


def covered_scripts(codepoints: Collection[int]) -> list[str]:
    """ISO 15924 tags in order: alphabets that are complete, East Asian scripts as OS/2 claims their character sets.

    Where Japanese is covered, its syllabaries are not named again.
    """
    have = set(codepoints)
    found = {CODE_PAGE_SCRIPTS[bit] for bit in covered_code_pages(have)}
    found |= {tag for tag, letters in ALPHABETS.items() if have.issuperset(letters)}
    return sorted(found - ({"Hira", "Kana"} if "Jpan" in found else set()))


def write_meta(font: TTFont, before: Collection[int], design: Sequence[str]) -> None:
    """Set dlng and slng (OpenType: meta). Other records of the base stay.

    `before`: what the base mapped. dlng is `design`, else the base's own, else the East Asian scripts that the base
    covered (without any, those of the whole font); slng is the base's own and all that is covered now. A record with
    nothing to say is left out.
    """
    known = dict(font["meta"].data) if "meta" in font else {}
    covered = covered_scripts(font.getBestCmap())
    designed = list(design) or _tags(known.get("dlng")) or _east_asian(covered_scripts(before)) or _east_asian(covered)
    supported = sorted({*_tags(known.get("slng")), *covered})
    records = known | {"dlng": ", ".join(designed), "slng": ", ".join(supported)}
    records = {tag: value for tag, value in records.items() if value}
    if records:
        font["meta"] = newTable("meta")
        font["meta"].data = records


def _tags(record: object) -> list[str]:
    return [tag for part in str(record or "").split(",") if (tag := part.strip())]


def _east_asian(tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if tag in CODE_PAGE_SCRIPTS.values()]
