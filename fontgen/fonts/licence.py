"""What the fonts used demand of a font made from them: copyright, licence and Reserved Font Names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fontTools.ttLib import TTFont

_DECLARED = re.compile(r"\bwith\s+(?:the\s+)?Reserved\s+Font\s+Names?\s*:?\s*(?P<names>[^\n;]+)", re.IGNORECASE)
"""The form of the OFL's first line ("... with Reserved Font Name Foo"); its definitions section does not match."""

_QUOTED = re.compile(r"[\"“”'‘’«»「」]([^\"“”'‘’«»「」]+)[\"“”'‘’«»「」]")
_UNQUOTED_END = re.compile(r"[.(]\s|[.(,]?$|\s(?:All [Rr]ights|This |[Ll]icensed)|https?:")


_OFL = "This Font Software is licensed under the SIL Open Font License"
_OFL_ADDRESSES = {"scripts.sil.org/ofl", "openfontlicense.org", "scripts.sil.org/ofl_web"}


def _address(url: str) -> str:
    return re.sub(r"^https?://(?:www\.)?", "", url.strip().casefold()).rstrip("/")


def _is_ofl(url: str) -> bool:
    return _address(url) in _OFL_ADDRESSES


@dataclass(frozen=True)
class Licence:
    """The legal records of one font (name IDs 0, 13 and 14), empty where it states none."""

    copyright: str
    licence: str
    url: str
    reserved: tuple[str, ...] = ()
    """Reserved Font Names that the copyright or the licence declares, in any language."""

    @property
    def terms(self) -> str:
        """What tells licences apart: the address without scheme and slash, else the text; "" where none is stated."""
        return _OFL if _is_ofl(self.url) else _address(self.url) or self.licence


def is_ofl(licence: Licence) -> bool:
    """Whether it is the SIL Open Font License, by its address or in words."""
    return licence.terms == _OFL or "SIL Open Font License" in licence.licence


def licence_of(font: TTFont) -> Licence:
    """What the font's name table states: nothing where it has none."""
    if "name" not in font:
        return Licence("", "", "")

    def text(name_id: int) -> str:
        return (font["name"].getDebugName(name_id) or "").strip()

    url, licence = text(14), text(13)
    if not licence and _is_ofl(url):
        # web slices keep the address and drop the text
        licence = f"{_OFL}, Version 1.1. This license is available with a FAQ at: {url}"
    declared = "\n".join(str(record) for record in font["name"].names if record.nameID in (0, 13))
    return Licence(text(0), licence, url, reserved_names(declared))


def reserved_names(text: str) -> tuple[str, ...]:
    """The Reserved Font Names declared in a copyright or licence text, in order, without repeats."""
    found: dict[str, None] = {}
    for match in _DECLARED.finditer(text):
        declared = match["names"]
        quoted = _QUOTED.findall(declared)
        if not quoted:
            end = _UNQUOTED_END.search(declared)
            quoted = re.split(r",\s*|\s+and\s+|\s+&\s+", declared[: end.start()] if end else declared)
        for name in quoted:
            if name.strip(" .,"):
                found[name.strip(" .,")] = None
    return tuple(found)


def reserved_in(family: str, reserved: Iterable[str]) -> str | None:
    """The first reserved name that the family name uses as whole words ("SourceHan" uses "Source"), or None."""
    spaced = _words(family)
    for name in reserved:
        wanted = _words(name)
        if f" {wanted} " in f" {spaced} " or (not wanted.isascii() and wanted in spaced):
            return name
    return None


def _words(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"\w+", apart.casefold()))


def joined_copyright(own: str | None, licences: Iterable[Licence]) -> str:
    """One's own notice first, then every font's, each once."""
    notices = dict.fromkeys(notice for notice in [own or "", *(item.copyright for item in licences)] if notice)
    return "; ".join(notices)
