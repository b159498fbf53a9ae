"""Charset expressions -> ordered codepoints.

    big5 + jisx0208 - target.ttf
    (joyo & source.otf) + U+3000-303F + @extra.txt + 龘靐

`+` adds, `-` takes away, `&` keeps what both have; operators stand between spaces, all have the same
rank and work from left to right, parentheses group. A term is the name of a set, a codepoint or range, `@file.txt`
(UTF-8), a font file (its cmap), or literal characters outside ASCII. Paths with spaces go in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from fontgen.errors import CharsetError

Codepoints = tuple[int, ...]

_TOKEN = re.compile(r'\s*(?:"([^"]*)"|([()])|([^\s()"]+))')
_RANGE = re.compile(r"^[Uu]\+([0-9A-Fa-f]{4,6})(?:-(?:[Uu]\+)?([0-9A-Fa-f]{4,6}))?$")
_FONT_TERM = re.compile(r"^(.*\.(?:ttf|otf|ttc|otc|woff2?))(?:#(\d+))?$", re.IGNORECASE)

BLOCKS: dict[str, tuple[tuple[int, int], ...]] = {
    "ascii": ((0x20, 0x7E),),
    "latin1": ((0x20, 0x7E), (0xA0, 0xFF)),
    "hiragana": ((0x3041, 0x3096), (0x3099, 0x309F)),
    "katakana": ((0x30A0, 0x30FF),),
    "cjk-punctuation": ((0x3000, 0x303F),),
    "fullwidth": ((0xFF01, 0xFF60), (0xFFE0, 0xFFE6)),
    "halfwidth-katakana": ((0xFF61, 0xFF9F),),
    "bopomofo": ((0x3105, 0x312F), (0x31A0, 0x31BF)),
    "hangul-modern": ((0xAC00, 0xD7A3),),
    "cjk-unified": ((0x4E00, 0x9FFF),),
    "cjk-ext-a": ((0x3400, 0x4DBF),),
    "cjk-ext-b": ((0x20000, 0x2A6DF),),
    "cjk-ext-c": ((0x2A700, 0x2B739),),
    "cjk-ext-d": ((0x2B740, 0x2B81D),),
    "cjk-ext-e": ((0x2B820, 0x2CEA1),),
    "cjk-ext-f": ((0x2CEB0, 0x2EBE0),),
    "cjk-ext-g": ((0x30000, 0x3134A),),
    "cjk-ext-h": ((0x31350, 0x323AF),),
    "cjk-ext-i": ((0x2EBF0, 0x2EE5D),),
    "cjk-compat": ((0xF900, 0xFA6D), (0xFA70, 0xFAD9)),
    # GB 18030-2022, implementation level 1: 20,992 + 6,592 ideographs
    "gb18030-2022": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
}
"""Sets that are ranges of Unicode 16 blocks, assigned characters only."""


def _decode_grid(codec: str, leads: Iterable[int], trails: Iterable[int], prefix: bytes = b"") -> list[int]:
    """Codepoints of a double-byte code area in its own order; cells that decode to one character only."""
    found: list[int] = []
    trail_bytes = list(trails)
    for lead in leads:
        for trail in trail_bytes:
            try:
                text = (prefix + bytes((lead, trail))).decode(codec)
            except UnicodeDecodeError:
                continue
            if len(text) == 1 and not 0xE000 <= ord(text) <= 0xF8FF:
                found.append(ord(text))
    return found


def _ku_ten(codec: str, first_row: int, last_row: int) -> list[int]:
    """Rows of a 94x94 set in its EUC form: row r is lead byte 0xA0 + r."""
    return _decode_grid(codec, range(0xA0 + first_row, 0xA1 + last_row), range(0xA1, 0xFF))


_BIG5_TRAILS = (*range(0x40, 0x7F), *range(0xA1, 0xFF))


def _big5_level_1() -> list[int]:
    """The 5,401 frequent characters, 0xA440 to 0xC67E."""
    return _decode_grid("big5", range(0xA4, 0xC6), _BIG5_TRAILS) + _decode_grid("big5", [0xC6], range(0x40, 0x7F))


def _han(codepoints: Iterable[int]) -> list[int]:
    return [c for c in codepoints if 0x3400 <= c <= 0x9FFF or 0xF900 <= c <= 0xFAFF or c >= 0x20000]


_DERIVED: dict[str, Callable[[], list[int]]] = {
    "gb2312": lambda: _ku_ten("gb2312", 1, 94),
    "gb2312-1": lambda: _ku_ten("gb2312", 16, 55),
    "gb2312-2": lambda: _ku_ten("gb2312", 56, 87),
    "gbk": lambda: _decode_grid("gbk", range(0x81, 0xFF), (*range(0x40, 0x7F), *range(0x80, 0xFF))),
    "big5": lambda: _decode_grid("big5", range(0xA1, 0xFA), _BIG5_TRAILS),
    "big5-1": _big5_level_1,
    "big5-hkscs": lambda: _decode_grid("big5hkscs", range(0x87, 0xFF), _BIG5_TRAILS),
    "jisx0208": lambda: _ku_ten("euc_jp", 1, 94),
    "jisx0208-1": lambda: _ku_ten("euc_jp", 16, 47),
    "jisx0208-2": lambda: _ku_ten("euc_jp", 48, 84),
    "jisx0213": lambda: (
        _ku_ten("euc_jis_2004", 1, 94) + _decode_grid("euc_jis_2004", range(0xA1, 0xFF), range(0xA1, 0xFF), b"\x8f")
    ),
    "ksx1001-hangul": lambda: [c for c in _ku_ten("euc_kr", 16, 40) if 0xAC00 <= c <= 0xD7A3],
    "ksx1001-hanja": lambda: _han(_ku_ten("euc_kr", 42, 93)),
    "joyo": lambda: list(parse_charset_text(_data_text("joyo.txt"))),
}


def _data_text(name: str) -> str:
    return resources.files("fontgen").joinpath("data", name).read_text(encoding="utf-8")


def set_names() -> list[str]:
    """All named sets."""
    return sorted([*BLOCKS, *_DERIVED])


@cache
def named_set(name: str) -> Codepoints:
    """The codepoints of a named set, without duplicates, in the order of its standard."""
    if name in BLOCKS:
        return tuple(c for first, last in BLOCKS[name] for c in range(first, last + 1))
    return tuple(dict.fromkeys(_DERIVED[name]()))


def parse_charset_text(text: str) -> Codepoints:
    """Characters of a charset file: every non-blank character, or `U+4E00` and `U+4E00-9FFF` tokens.

    A line that starts with `#` and a space is a comment.
    """
    found: dict[int, None] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("# ") or line == "#":
            continue
        for token in line.split():
            if match := _RANGE.match(token):
                found.update(dict.fromkeys(_from_range(match)))
            else:
                found.update(dict.fromkeys(map(ord, token)))
    return tuple(found)


def read_charset_file(path: Path) -> Codepoints:
    """Read `@file.txt`. Raises CharsetError when it is missing, not UTF-8, or empty."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise CharsetError(f"{path}: no such charset file") from error
    except UnicodeDecodeError as error:
        raise CharsetError(
            f"{path}: not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02X}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise CharsetError(f"{path}: cannot be read ({error.strerror or error})") from error
    codepoints = parse_charset_text(text)
    if not codepoints:
        raise CharsetError(f"{path}: an empty charset file; put the characters into it")
    return codepoints


def _from_range(match: re.Match[str]) -> range:
    first = int(match[1], 16)
    last = int(match[2], 16) if match[2] else first
    if first > last or last > 0x10FFFF:
        raise CharsetError(f"{match[0]}: not a range of codepoints; write the lower one first, up to U+10FFFF")
    return range(first, last + 1)


def _font_cmap(path: Path, face_index: int) -> Codepoints:
    from fontgen.fonts.face import FontRef, open_face  # fonts stand above the ground floor

    return tuple(sorted(open_face(FontRef.of(path, face_index)).cmap))


def _term(token: str, folder: Path) -> Codepoints:
    if token in BLOCKS or token in _DERIVED:
        return named_set(token)
    if match := _RANGE.match(token):
        return tuple(_from_range(match))
    if token.startswith("@"):
        return read_charset_file(folder / token[1:])
    if match := _FONT_TERM.match(token):
        return _font_cmap(folder / match[1], int(match[2] or 0))
    if all(ord(character) > 0x7F for character in token):
        return tuple(dict.fromkeys(map(ord, token)))
    from difflib import get_close_matches

    close = get_close_matches(token, set_names(), n=1)
    hint = f"did you mean {close[0]}?" if close else f"the named sets are: {', '.join(set_names())}"
    raise CharsetError(f"charset: unknown set {token!r}; {hint}")


_OPERATORS = {"+", "-", "−", "&"}


class _Parser:
    def __init__(self, expression: str, folder: Path) -> None:
        self.expression, self.folder = expression, folder
        self.tokens: list[tuple[str, bool]] = []
        position = 0
        text = expression.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise CharsetError(f"charset {expression!r}: a quote is not closed")
            quoted = match[1] is not None
            self.tokens.append((match[1] if quoted else match[2] or match[3], quoted))
            position = match.end()
        self.next = 0

    def peek(self) -> str | None:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else None

    def expression_value(self) -> dict[int, None]:
        value = self.operand()
        while (operator := self.peek()) is not None and operator != ")":
            if operator not in _OPERATORS:
                raise CharsetError(
                    f"charset {self.expression!r}: {operator!r} needs an operator before it: + or - or & with spaces"
                )
            self.next += 1
            other = self.operand()
            if operator == "+":
                value = value | other
            elif operator == "&":
                value = {c: None for c in value if c in other}
            else:
                value = {c: None for c in value if c not in other}
        return value

    def operand(self) -> dict[int, None]:
        token = self.peek()
        if token is None or (token in _OPERATORS | {")"} and not self.tokens[self.next][1]):
            raise CharsetError(
                f"charset {self.expression!r}: a set is missing {f'before {token!r}' if token else 'at the end'}"
            )
        self.next += 1
        if token == "(" and not self.tokens[self.next - 1][1]:
            value = self.expression_value()
            if self.peek() != ")":
                raise CharsetError(f"charset {self.expression!r}: a parenthesis is not closed")
            self.next += 1
            return value
        return dict.fromkeys(_term(token, self.folder))


def parse_charset(expression: str, *, folder: Path = Path()) -> Codepoints:
    """The codepoints an expression stands for, without duplicates, in order of appearance.

    Relative paths start at `folder`. Surrogates and noncharacters are left out.
    Raises CharsetError for what cannot be read, and for an empty result.
    """
    if not expression.strip():
        raise CharsetError("charset: empty; name a set, for example big5, or @file.txt")
    parser = _Parser(expression, folder)
    value = parser.expression_value()
    if parser.peek() is not None:
        raise CharsetError(f"charset {expression!r}: a parenthesis too many")
    codepoints = tuple(c for c in value if not 0xD800 <= c <= 0xDFFF and c & 0xFFFE != 0xFFFE)
    if not codepoints:
        raise CharsetError(f"charset {expression!r}: no characters are left; check the sets it combines")
    return codepoints


def block_counts(codepoints: Iterable[int]) -> dict[str, int]:
    """How many codepoints fall into each named block, the largest first; the rest under "other"."""
    rows = [
        (first, last, name) for name, ranges in BLOCKS.items() for first, last in ranges if name not in _OVERLAPPING
    ]
    counts: dict[str, int] = {}
    for codepoint in codepoints:
        name = next((name for first, last, name in rows if first <= codepoint <= last), "other")
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


_OVERLAPPING = {"latin1", "gb18030-2022"}
"""Blocks that contain others."""
