"""A font for web pages: WOFF2 slices of which a browser loads only those that a page needs, and their CSS."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from glob import escape
from io import BytesIO
from pathlib import Path

import uharfbuzz as hb
from fontTools.ttLib import TTFont

from fontgen.charset import named_set
from fontgen.errors import FontError
from fontgen.files import write_bytes, write_text
from fontgen.fonts.base import font_bytes
from fontgen.fonts.metrics import is_ideographic
from fontgen.parallel import parallel_map

SLICE = 180
"""Most characters in a slice. The slices of a script have all about as many, so 90 to 180 where there are enough."""

EVERYDAY = ("joyo", "jisx0208-1", "gb2312-1", "big5-1")
"""The sets that tell which ideographs are written every day, and where."""

FEATURES = ("palt", "fwid", "hwid", "pwid", "ruby")
"""Layout features that stay, besides those that HarfBuzz keeps anyway (kern, liga, locl, vert, vkrn, halt ...)."""

NAMES = (*range(7), 13, 14, 16, 17)
"""Name IDs that stay: what a font is called and under which licence."""


@dataclass(frozen=True)
class WebFont:
    """What was written: the CSS and the slices, and the characters of each."""

    css: Path
    slices: dict[Path, tuple[int, ...]]

    @property
    def files(self) -> list[Path]:
        return [self.css, *self.slices]


def slices_of(codepoints: Collection[int]) -> list[list[int]]:
    """Every codepoint once, in groups that a page tends to need together.

    Letters, kana with CJK punctuation, Hangul and ideographs stay apart. Ideographs (and Hangul) are ordered by how
    many of the `EVERYDAY` sets hold them, then by which, then by codepoint: a page in one language loads the
    slices that all languages share and its own, rare characters cost nothing until one is used.
    """
    kinds: dict[int, list[int]] = {}
    for codepoint in sorted(codepoints, key=_rank):
        kinds.setdefault(_rank(codepoint)[0], []).append(codepoint)
    found = []
    for _, members in sorted(kinds.items()):
        count = -(-len(members) // SLICE)
        bounds = [len(members) * number // count for number in range(count + 1)]
        found += [sorted(members[first:last]) for first, last in itertools.pairwise(bounds)]
    return found


def _rank(codepoint: int) -> tuple[int, int, int, int]:
    """(kind, sets that lack it, which hold it, codepoint); kinds in the order of their slices."""
    if 0xAC00 <= codepoint <= 0xD7A3 or 0x1100 <= codepoint <= 0x11FF or 0x3130 <= codepoint <= 0x318F:
        return 2, 0 if codepoint in _members("ksx1001-hangul") else 1, 0, codepoint
    if 0x2FF0 <= codepoint <= 0x33FF or 0xFE30 <= codepoint <= 0xFE4F or 0xFF00 <= codepoint <= 0xFFEF:
        return 1, 0, 0, codepoint
    if not is_ideographic(codepoint):
        return 0, 0, 0, codepoint
    held = [codepoint in _members(name) for name in EVERYDAY]
    if not any(held):
        return 4, 0, 0, codepoint
    return 3, held.count(False), sum(1 << number for number, is_in in enumerate(held) if is_in), codepoint


@lru_cache
def _members(name: str) -> frozenset[int]:
    return frozenset(named_set(name))


def unicode_range(codepoints: Iterable[int]) -> str:
    """The value of CSS `unicode-range` (CSS Fonts 4, section 4.5): single characters and closed ranges."""
    runs: list[list[int]] = []
    for codepoint in sorted(codepoints):
        if runs and codepoint == runs[-1][1] + 1:
            runs[-1][1] = codepoint
        else:
            runs.append([codepoint, codepoint])
    return ", ".join(f"U+{first:X}" if first == last else f"U+{first:X}-{last:X}" for first, last in runs)


def write_web(font: TTFont, folder: Path, name: str) -> WebFont:
    """Write `NAME-000.woff2` ... and `NAME.css` into `folder`; slices of an earlier run go. `font` does not change.

    Together the slices map every character of the font exactly once. Raises FontError when a slice cannot be cut.
    """
    groups = slices_of(font.getBestCmap())
    digits = max(3, len(str(len(groups) - 1)))
    paths = [folder / f"{name}-{number:0{digits}}.woff2" for number in range(len(groups))]
    for path, data in zip(paths, parallel_map(_Cutter(font_bytes(font)), groups, chunk=1, few=4), strict=True):
        write_bytes(path, data)
    css = folder / f"{name}.css"
    write_text(css, _css(font, [(path.name, group) for path, group in zip(paths, groups, strict=True)]))
    for path in folder.glob(f"{escape(name)}-*.woff2"):
        if path not in paths and path.stem.removeprefix(f"{name}-").isdigit():
            path.unlink()
    return WebFont(css, {path: tuple(group) for path, group in zip(paths, groups, strict=True)})


class _Cutter:
    """Picklable: a font's bytes in, its slice of some codepoints out, as WOFF2."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._face: hb.Face | None = None

    def __getstate__(self) -> bytes:
        return self.data

    def __setstate__(self, data: bytes) -> None:
        self.__init__(data)  # type: ignore[misc]

    def __call__(self, codepoints: Sequence[int]) -> bytes:
        self._face = self._face or hb.Face(self.data)
        wanted = hb.SubsetInput()
        wanted.unicode_set.update(codepoints)
        wanted.layout_feature_tag_set.update(struct.unpack(">L", tag.encode())[0] for tag in FEATURES)
        wanted.name_id_set.update(NAMES)
        wanted.name_lang_id_set.clear()
        wanted.name_lang_id_set.invert()  # every language
        wanted.flags = hb.SubsetFlags.NOTDEF_OUTLINE
        try:
            data = wanted.subset(self._face).blob.data
        except RuntimeError as error:
            raise FontError(
                f"the web slice from U+{codepoints[0]:04X} cannot be cut ({error}); set web = false"
            ) from error
        return font_bytes(TTFont(BytesIO(data), recalcBBoxes=False, recalcTimestamp=False), "woff2")


def _css(font: TTFont, slices: Sequence[tuple[str, Sequence[int]]]) -> str:
    names, os2 = font["name"], font["OS/2"]
    family = (names.getDebugName(16) or names.getDebugName(1) or "").replace("\\", "\\\\").replace('"', '\\"')
    slant = "italic" if os2.fsSelection & 1 else "normal"
    rules = [
        "@font-face {\n"
        f'  font-family: "{family}";\n'
        f"  font-style: {slant};\n"
        f"  font-weight: {os2.usWeightClass};\n"
        "  font-display: swap;\n"
        f'  src: url("{file}") format("woff2");\n'
        f"  unicode-range: {unicode_range(codepoints)};\n"
        "}\n"
        for file, codepoints in slices
    ]
    return "".join(rules)
