"""Lists of marked glyphs, as the proof page exports them: accept, redo, fix by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from fontgen.charset import parse_charset_text, read_charset_file
from fontgen.errors import CharsetError

Mark = Literal["accept", "redo", "fix"]
MARKS: tuple[Mark, ...] = ("accept", "redo", "fix")

_LINE = re.compile(r"^U\+([0-9A-F]{4,6})\s+(\w+)\b", re.IGNORECASE)


def read_marks(path: Path, wanted: Mark) -> list[int]:
    """The codepoints of a list that carry the mark `wanted`, in the order of the list.

    A line is `U+9F98 redo`, and whatever follows is a note. A file without any such line is a charset file, all of
    whose characters are meant. Raises CharsetError for a mark that does not exist and for a list without `wanted`.
    """
    whole = read_charset_file(path)  # says what is wrong with a file that cannot be read
    found: dict[int, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if match := _LINE.match(line.strip()):
            if match[2].lower() not in MARKS:
                raise CharsetError(f"{path}, line {number}: no mark {match[2]!r}; the marks are {', '.join(MARKS)}")
            found[int(match[1], 16)] = match[2].lower()
    if not found:
        return list(whole)
    chosen = [codepoint for codepoint, mark in found.items() if mark == wanted]
    if not chosen:
        raise CharsetError(f"{path}: none of its {len(found)} glyphs is marked {wanted!r}")
    return chosen


def codepoints_given(characters: str | None, path: Path | None, wanted: Mark) -> list[int]:
    """Characters of the command line (`龘靐` or `U+9F98 U+9750`) and of a list. Raises CharsetError for none."""
    given = list(parse_charset_text(characters)) if characters else []
    listed = read_marks(path, wanted) if path else []
    if not given and not listed:
        raise CharsetError("no glyphs named; give --chars 龘靐, or --list with a list of the proof page")
    return list(dict.fromkeys([*given, *listed]))
