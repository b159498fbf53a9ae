"""A printable template to write characters into by hand: pages of boxes with marks in the corners.

All positions are in millimetres from the upper left corner of an A4 page, x to the right and y down. A box is the em
box of one character. `cut.py` finds the marks in a scan and cuts the boxes out again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fontgen.errors import ImageError, codepoint_name
from fontgen.files import atomic_path, read_json, write_json

PAGE_MM = (210.0, 297.0)
MARK_MM = 8.0
"""Width of the square marks. The one at the upper left has a white middle, which tells the page's upper edge."""
EDGE_MM = 10.0
"""From the page's edge to a mark's centre."""
BIT_MM = 4.0
BITS = 10
"""Squares of the page number, in binary, along the upper edge: the lowest bit at the left."""
_BITS_LEFT_MM = 30.0
_BOXES_TOP_MM = 24.0
_LABEL_MM = 5.0
_GUIDE = 222
"""Grey of the boxes and of the pattern glyphs: light enough to vanish when the scan's levels are set."""
_FORMAT = "fontgen-template"

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""left, top, right, bottom in mm."""


@dataclass(frozen=True)
class Template:
    """Which character stands where."""

    codepoints: tuple[int, ...]
    box_mm: float = 20.0
    """Width of a box: the em."""

    @property
    def columns(self) -> int:
        return int((PAGE_MM[0] - 2 * EDGE_MM - MARK_MM) // (self.box_mm + 2))

    @property
    def rows(self) -> int:
        return int((PAGE_MM[1] - _BOXES_TOP_MM - EDGE_MM - MARK_MM) // (self.box_mm + _LABEL_MM))

    @property
    def pages(self) -> int:
        return -(-len(self.codepoints) // (self.columns * self.rows))

    def boxes(self, page: int) -> dict[int, Box]:
        """Codepoint -> its box on a page, which counts from 0."""
        count, found = self.columns * self.rows, {}
        pitch_x, pitch_y = self.box_mm + 2, self.box_mm + _LABEL_MM
        left = (PAGE_MM[0] - self.columns * pitch_x + 2) / 2
        for number, codepoint in enumerate(self.codepoints[page * count : (page + 1) * count]):
            row, column = divmod(number, self.columns)
            x, y = left + column * pitch_x, _BOXES_TOP_MM + row * pitch_y
            found[codepoint] = (x, y, x + self.box_mm, y + self.box_mm)
        return found

    def save(self, path: Path) -> None:
        names = [codepoint_name(codepoint) for codepoint in self.codepoints]
        write_json(path, {"format": _FORMAT, "version": 1, "box_mm": self.box_mm, "codepoints": names})

    @classmethod
    def open(cls, path: Path) -> Template:
        """Raises ImageError for what is not a template."""
        if not path.exists():
            raise ImageError(f"{path}: no such template; `fontgen template` writes one beside its pages")
        data: Any = read_json(path)
        try:
            if data["format"] != _FORMAT:
                raise ValueError("another format")
            return cls(tuple(int(name[2:], 16) for name in data["codepoints"]), float(data["box_mm"]))
        except (LookupError, TypeError, ValueError) as error:
            raise ImageError(f"{path}: not a template; give the .json that `fontgen template` wrote") from error


def mark_centres() -> tuple[Point, Point, Point, Point]:
    """Centres of the corner marks: upper left, upper right, lower right, lower left."""
    right, bottom = PAGE_MM[0] - EDGE_MM, PAGE_MM[1] - EDGE_MM
    return (EDGE_MM, EDGE_MM), (right, EDGE_MM), (right, bottom), (EDGE_MM, bottom)


def bit_centres() -> list[Point]:
    """Centres of the squares of the page number."""
    return [(_BITS_LEFT_MM + number * BIT_MM * 1.5, EDGE_MM) for number in range(BITS)]


def draw_page(
    template: Template, page: int, *, dpi: int = 300, pattern: Callable[[int, int], Image.Image] | None = None
) -> Image.Image:
    """One page as a grey image. `pattern(codepoint, size_px)` draws a character to write over, dark on light."""
    scale = dpi / 25.4
    sheet = Image.new("L", (round(PAGE_MM[0] * scale), round(PAGE_MM[1] * scale)), 255)
    draw = ImageDraw.Draw(sheet)

    def square(centre: Point, width_mm: float, fill: int) -> None:
        x, y, half = centre[0] * scale, centre[1] * scale, width_mm * scale / 2
        draw.rectangle((x - half, y - half, x + half - 1, y + half - 1), fill=fill)

    for number, centre in enumerate(mark_centres()):
        square(centre, MARK_MM, 0)
        if number == 0:
            square(centre, MARK_MM / 3, 255)
    for bit, centre in enumerate(bit_centres()):
        if (page + 1) >> bit & 1:
            square(centre, BIT_MM, 0)
    font = ImageFont.load_default(round(2.6 * scale))
    for codepoint, box in template.boxes(page).items():
        left, top, right, bottom = (round(value * scale) for value in box)
        if pattern is not None:
            glyph = pattern(codepoint, right - left)
            sheet.paste(glyph.point(lambda grey: _GUIDE + round(grey * (255 - _GUIDE) / 255)), (left, top))
        draw.rectangle((left, top, right, bottom), outline=_GUIDE, width=max(1, round(0.25 * scale)))
        draw.text((left, bottom + round(0.5 * scale)), codepoint_name(codepoint), font=font, fill=150)
    return sheet


def write_template(
    template: Template, path: Path, *, dpi: int = 300, pattern: Callable[[int, int], Image.Image] | None = None
) -> int:
    """Write the pages as a PDF, and `path` with the suffix .json beside it; return the number of pages.

    Raises ImageError for more pages than the page number can say.
    """
    if not 0 < template.pages < 1 << BITS:
        raise ImageError(
            f"{path}: {template.pages} pages; a template has 1 to {(1 << BITS) - 1}: choose fewer characters"
        )
    first, *rest = (draw_page(template, page, dpi=dpi, pattern=pattern) for page in range(template.pages))
    with atomic_path(path) as temporary:
        first.save(temporary, format="PDF", resolution=dpi, save_all=True, append_images=rest)
    template.save(path.with_suffix(".json"))
    return template.pages
