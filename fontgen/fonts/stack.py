"""Several fonts as one: each codepoint comes from the first font that really has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fontgen.fonts.face import Face, FontRef, GlyphState, open_face


@dataclass
class Resolution:
    """Which font of a stack draws which codepoint, and what is lacking."""

    refs: dict[int, FontRef] = field(default_factory=dict)
    lacking: dict[int, GlyphState] = field(default_factory=dict)
    """Codepoint -> the best state found in any font: missing, blank or tofu."""


_RANK: dict[GlyphState, int] = {"ok": 3, "tofu": 2, "blank": 1, "missing": 0}


class FontStack:
    """Source fonts in the order in which they are tried."""

    def __init__(self, refs: Sequence[FontRef]) -> None:
        if not refs:
            raise ValueError("a font stack needs at least one font")
        self.refs = tuple(refs)

    @property
    def faces(self) -> list[Face]:
        return [open_face(ref) for ref in self.refs]

    @property
    def codepoints(self) -> set[int]:
        return set().union(*(face.cmap.keys() for face in self.faces))

    def resolve(self, codepoints: Iterable[int]) -> Resolution:
        """Find the font of every codepoint; placeholders and blanks do not count as having it."""
        result = Resolution()
        waiting = list(codepoints)
        best: dict[int, GlyphState] = dict.fromkeys(waiting, "missing")
        for ref in self.refs:
            states = open_face(ref).states(waiting)
            for codepoint, state in states.items():
                if state == "ok":
                    result.refs[codepoint] = ref
                elif _RANK[state] > _RANK[best[codepoint]]:
                    best[codepoint] = state
            waiting = [codepoint for codepoint in waiting if codepoint not in result.refs]
        result.lacking = {codepoint: best[codepoint] for codepoint in waiting}
        return result
