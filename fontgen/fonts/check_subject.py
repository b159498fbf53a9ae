"""What a check looks at, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from fontTools.ttLib import TTFont

from fontgen.errors import codepoint_name
from fontgen.fonts.glyf import truetype_bounds
from fontgen.fonts.metrics import Bounds

Level = Literal["pass", "warn", "fail"]

EXAMPLES = 10
"""How many culprits a finding lists by name; it always says how many there are."""


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was looked at, how it stands, why."""

    check: str
    level: Level
    message: str
    culprits: tuple[str, ...] = ()
    """Characters or glyphs at fault, at most `EXAMPLES`."""

    def to_json(self) -> dict[str, Any]:
        return {"check": self.check, "level": self.level, "message": self.message, "culprits": list(self.culprits)}


@dataclass
class Subject:
    """A font under check."""

    path: Path
    font: TTFont
    """Its tables as the file holds them."""
    plain: bytes
    """The same font as an unpacked OpenType file, for programs that read nothing else."""
    face_index: int = 0
    generated: frozenset[int] | None = None
    """Characters whose glyphs are one's own work; None: all of them."""

    @cached_property
    def cmap(self) -> dict[int, str]:
        return dict(self.font.getBestCmap() or {})

    @cached_property
    def codepoints(self) -> dict[str, list[int]]:
        """Glyph name -> the codepoints that show it, in order."""
        users: dict[str, list[int]] = {}
        for codepoint, name in sorted(self.cmap.items()):
            users.setdefault(name, []).append(codepoint)
        return users

    @cached_property
    def bounds(self) -> dict[str, Bounds | None]:
        """The box that each TrueType glyph's header states."""
        return truetype_bounds(TTFont(BytesIO(self.plain), fontNumber=self.face_index, recalcBBoxes=False))

    @property
    def is_truetype(self) -> bool:
        return "glyf" in self.font

    @property
    def units_per_em(self) -> int:
        return int(self.font["head"].unitsPerEm)

    def faulty_glyphs(self, check: str, names: Iterable[str], good: str, bad: str, *, level: Level = "fail") -> Finding:
        """`level` when one's own glyphs are at fault; a warning when only glyphs of the base font are."""
        culprits = list(names)
        if self.generated is not None:
            own = [name for name in culprits if not self.generated.isdisjoint(self.codepoints.get(name, ()))]
            level, culprits = ("fail", own) if own else ("warn", culprits)
        return judged(check, level, map(self.label, culprits), good, bad)

    def label(self, name: str) -> str:
        """`U+4E00` where the glyph has a codepoint, else its name."""
        codepoints = self.codepoints.get(name)
        return codepoint_name(codepoints[0]) if codepoints else name


def passed(check: str, message: str) -> Finding:
    return Finding(check, "pass", message)


def judged(check: str, level: Level, culprits: Iterable[str], good: str, bad: str) -> Finding:
    """`good` when there is no culprit; otherwise `level`, with {count} in `bad` filled in."""
    found = list(culprits)
    if not found:
        return passed(check, good)
    return Finding(check, level, bad.format(count=len(found)), tuple(found[:EXAMPLES]))
