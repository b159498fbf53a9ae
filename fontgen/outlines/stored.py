"""An outline in a file, read when it is drawn: a charset of them weighs no more than its paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fontgen.canvas import Placement
from fontgen.outlines.outline import Outline, SegmentPen
from fontgen.outlines.svg import read_splines, read_svg
from fontgen.outlines.truetype import GlyfPoints, glyf_points


@dataclass(frozen=True, slots=True)
class StoredOutline:
    """Draws like an `Outline`. All that asks for its contents raises ImageError when the file cannot be read."""

    path: Path
    placements: tuple[Placement, ...] = ()
    """Where the outline goes once read, one after the other."""
    reader: Callable[[Path], Outline] = read_svg
    """A function of a module, since outlines travel between processes."""

    def load(self) -> Outline:
        outline = self.reader(self.path)
        for placement in self.placements:
            outline = outline.placed(placement)
        return outline

    def draw(self, pen: SegmentPen, *, units_per_em: int) -> None:
        """As `Outline.draw`."""
        self.load().draw(pen, units_per_em=units_per_em)

    def truetype(self, *, units_per_em: int) -> GlyfPoints:
        """As `Outline.truetype`; of a file that holds splines its cubics are not unpacked."""
        splines = read_splines(self.path)
        if splines is None:
            return self.load().truetype(units_per_em=units_per_em)
        for placement in self.placements:
            splines = splines.moved(placement.matrix)
        return glyf_points(splines, units_per_em)
