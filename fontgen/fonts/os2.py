"""OS/2: which Unicode blocks and which national character sets a font covers."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from fontTools.ttLib import TTFont
from fontTools.ttLib.tables.O_S_2f_2 import intersectUnicodeRanges

COVERAGE_NEEDED = 0.99
"""Share of a national set's everyday characters that earns its code-page bit.

A system picks fonts for a language by these bits; one missing character in a hundred already shows on every page.
"""

CODE_PAGE_NAMES = {17: "JIS (Japan)", 18: "GB (China)", 19: "Wansung (Korea)", 20: "Big5 (Taiwan)"}
"""Bits of ulCodePageRange1 (OpenType: OS/2, ulCodePageRange)."""


@lru_cache(maxsize=1)
def code_page_sets() -> dict[int, frozenset[int]]:
    """ulCodePageRange bit -> the everyday characters of its set, from Python's codecs.

    17 JIS X 0208: kana (rows 4 and 5) and level 1 kanji (rows 16 to 47); 18 GB 2312 level 1 (rows 16 to 55);
    19 KS X 1001 Hangul (rows 16 to 40); 20 Big5 level 1 (A440 to C67E).
    """
    return {
        17: _rows("euc_jp", (4, 5, *range(16, 48))),
        18: _rows("gb2312", range(16, 56)),
        19: _rows("euc_kr", range(16, 41)),
        20: _decoded("big5", [(lead, trail) for lead in range(0xA4, 0xC7) for trail in _big5_trails(lead)]),
    }


def _rows(codec: str, rows: Collection[int]) -> frozenset[int]:
    return _decoded(codec, [(row + 0xA0, cell + 0xA0) for row in rows for cell in range(1, 95)])


def _big5_trails(lead: int) -> list[int]:
    return [*range(0x40, 0x7F), *(range(0xA1, 0xFF) if lead < 0xC6 else ())]


def _decoded(codec: str, pairs: list[tuple[int, int]]) -> frozenset[int]:
    texts = (bytes(pair).decode(codec, "ignore") for pair in pairs)
    return frozenset(ord(text) for text in texts if len(text) == 1)


def covered_code_pages(codepoints: Collection[int]) -> set[int]:
    """The bits of the East Asian sets of which the font has at least `COVERAGE_NEEDED`."""
    have = set(codepoints)
    return {bit for bit, wanted in code_page_sets().items() if len(wanted & have) >= COVERAGE_NEEDED * len(wanted)}


def update_os2(font: TTFont, added: Collection[int]) -> None:
    """Bits for what was added (the base's own stay), average advance, first and last character."""
    os2, mapped = font["OS/2"], font.getBestCmap()
    ranges = os2.getUnicodeRanges() | intersectUnicodeRanges(added)
    os2.setUnicodeRanges(ranges)
    if os2.version < 1:
        os2.version = 1
        os2.ulCodePageRange1 = os2.ulCodePageRange2 = 0
        if all(codepoint in mapped for codepoint in range(0x20, 0x7F)):
            os2.ulCodePageRange1 = 1  # Latin 1, without which Windows takes the font for a symbol font
    for bit in covered_code_pages(mapped):
        os2.ulCodePageRange1 |= 1 << bit
    os2.recalcAvgCharWidth(font)
    os2.updateFirstAndLastCharIndex(font)
