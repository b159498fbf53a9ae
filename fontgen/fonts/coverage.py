"""What a font covers of the named character sets, and what it lacks, by Unicode block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fontTools.unicodedata import block

from fontgen.charset import Codepoints, named_set, set_names
from fontgen.errors import codepoint_name
from fontgen.fonts.face import Face, is_whitespace


@dataclass(frozen=True)
class Coverage:
    """How much of one set a font has."""

    name: str
    total: int
    missing: Codepoints
    """In the order of the set; blank glyphs and placeholders count as missing."""

    @property
    def have(self) -> int:
        return self.total - len(self.missing)

    def missing_by_block(self) -> dict[str, list[int]]:
        """Unicode block -> missing codepoints, the block that lacks most first."""
        blocks: dict[str, list[int]] = {}
        for codepoint in self.missing:
            blocks.setdefault(block(chr(codepoint)), []).append(codepoint)
        return dict(sorted(blocks.items(), key=lambda item: (-len(item[1]), item[0])))

    def to_json(self) -> dict[str, Any]:
        by_block = self.missing_by_block().items()
        return {
            "set": self.name,
            "characters": self.total,
            "have": self.have,
            "missing": {name: [codepoint_name(c) for c in codepoints] for name, codepoints in by_block},
        }


def coverage(face: Face, sets: Mapping[str, Codepoints] | None = None) -> list[Coverage]:
    """The font's coverage of each set; default: of all named sets, by name."""
    chosen = sets if sets is not None else {name: named_set(name) for name in set_names()}
    states = face.states({c for codepoints in chosen.values() for c in codepoints})

    def has(codepoint: int) -> bool:
        return states[codepoint] == "ok" or (is_whitespace(codepoint) and codepoint in face.cmap)

    return [
        Coverage(name, len(codepoints), tuple(c for c in codepoints if not has(c)))
        for name, codepoints in chosen.items()
    ]


def coverage_lines(rows: Sequence[Coverage], *, blocks: int = 3) -> Iterator[str]:
    """A table for people: each set with its share, and the blocks in which most is missing."""
    yield f"{'set':<20} {'characters':>10} {'have':>7} {'missing':>8}  missing most in"
    for row in rows:
        lacking = list(row.missing_by_block().items())
        named = ", ".join(f"{name} {len(codepoints):,}" for name, codepoints in lacking[:blocks])
        more = f" and {len(lacking) - blocks} more" if len(lacking) > blocks else ""
        yield f"{row.name:<20} {row.total:>10,} {row.have:>7,} {len(row.missing):>8,}  {named}{more}".rstrip()
