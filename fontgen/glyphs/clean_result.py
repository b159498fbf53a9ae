"""What cleaning one glyph found and did."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from fontgen.glyphs.clean_morphology import Ink8
from fontgen.glyphs.clean_settings import DefectKind

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Defect:
    """One repair: what it was, the box (row0, col0, row1, col1) it changed, how many pixels, how sure."""

    kind: DefectKind
    box: Box
    pixels: int
    confidence: float

    def moved(self, rows: int, cols: int) -> Defect:
        """The same repair on a canvas of which this one's is the part from (rows, cols) on."""
        top, left, bottom, right = self.box
        return replace(self, box=(top + rows, left + cols, bottom + rows, right + cols))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "box": list(self.box), "px": self.pixels, "confidence": round(self.confidence, 3)}


@dataclass(frozen=True)
class CleanResult:
    """The repaired (n, n) uint8 ink and what was repaired; without defects the very input."""

    ink8: Ink8
    defects: list[Defect] = field(default_factory=list)
