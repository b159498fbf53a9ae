"""Write the pictures of docs/outlines.md: the grey edge, and what is fitted to it.

python -m scripts.outline_pictures
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fontgen.canvas import Canvas
from fontgen.files import atomic_path
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.outlines.edge import edge_loops
from fontgen.outlines.noise import STEP_PX
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.trace import trace_ink
from fontgen.proof.sheet import TEXT, label_font

FONT = Path("fixtures/zen-maru-gothic-bold.ttf")
CODEPOINT = ord("あ")
CANVAS = Canvas(size_px=128)
FOLDER = Path("docs/images")

_SMOOTHING = 3  # drawn this much larger, then averaged down
_EDGE, _NODE, _HANDLE = (214, 40, 40), (20, 70, 200), (70, 130, 230)
_CAPTION_PX = 26

Points = list[tuple[float, float]]
"""(column, row) in pixels of the canvas, at pixel edges."""


class Panel:
    """Part of an image, enlarged, with curves drawn over it."""

    def __init__(self, ink: NDArray[np.uint8], box: tuple[int, int, int, int], zoom: int, *, faint: bool) -> None:
        left, top, right, bottom = box
        self.corner, self.scale = (left, top), zoom * _SMOOTHING
        grey = 255 - ink[top:bottom, left:right].astype(np.int64) * (35 if faint else 75) // 100
        enlarged = np.kron(grey.astype(np.uint8), np.ones((self.scale, self.scale), np.uint8))
        self.image = Image.fromarray(enlarged).convert("RGB")
        self.draw = ImageDraw.Draw(self.image)

    def _at(self, points: Iterable[tuple[float, float]]) -> Points:
        return [((x - self.corner[0]) * self.scale, (y - self.corner[1]) * self.scale) for x, y in points]

    def line(self, points: Iterable[tuple[float, float]], colour: tuple[int, int, int], width: float) -> None:
        self.draw.line(self._at(points), fill=colour, width=round(width * _SMOOTHING), joint="curve")

    def dots(self, points: Iterable[tuple[float, float]], colour: tuple[int, int, int], radius: float) -> None:
        for x, y in self._at(points):
            r = radius * _SMOOTHING
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def squares(self, points: Iterable[tuple[float, float]], colour: tuple[int, int, int], radius: float) -> None:
        for x, y in self._at(points):
            r = radius * _SMOOTHING
            self.draw.rectangle((x - r, y - r, x + r, y + r), fill=colour)

    def outline(self, outline: Outline) -> None:
        """The curves, their on-curve points as squares and their handles."""
        for contour in outline.contours:
            start = contour[-1][-1]
            for segment in contour:
                if len(segment) == 3:
                    self.line(_px((start, segment[0])), _HANDLE, 1)
                    self.line(_px((segment[1], segment[2])), _HANDLE, 1)
                    self.dots(_px(segment[:2]), _HANDLE, 2.5)
                self.line(_px(_flat(start, segment)), _EDGE, 1.5)
                start = segment[-1]
            self.squares(_px(segment[-1] for segment in contour), _NODE, 3)


def _px(points: Iterable[tuple[float, float]]) -> Points:
    em = np.array([(x, y, 1.0) for x, y in points])
    return [(x, y) for x, y in (em @ CANVAS.em_to_px.T).tolist()]


def _flat(start: tuple[float, float], segment: Sequence[tuple[float, float]]) -> Points:
    if len(segment) == 1:
        return [start, segment[0]]
    t = np.linspace(0, 1, 33)[:, None]
    a, b, c, d = (np.array(point) for point in (start, *segment))
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return [(x, y) for x, y in curve.tolist()]


def save(panels: Sequence[tuple[str, Panel]], path: Path) -> None:
    """The panels side by side, each under its caption."""
    width, height = (size // _SMOOTHING for size in panels[0][1].image.size)
    gap = 12
    sheet = Image.new("RGB", (len(panels) * (width + gap) - gap, height + _CAPTION_PX), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for number, (caption, panel) in enumerate(panels):
        left = number * (width + gap)
        draw.text((left, 4), caption, font=label_font(14), fill=TEXT)
        sheet.paste(panel.image.resize((width, height), Image.Resampling.BOX), (left, _CAPTION_PX))
    with atomic_path(path) as temporary:
        sheet.quantize(64, dither=Image.Dither.NONE).save(temporary, format="PNG", optimize=True)


def main() -> None:
    ink = render_ink(open_face(FontRef.of(FONT)), CODEPOINT, CANVAS)
    loops = edge_loops(ink, step_px=STEP_PX, smallest_px2=2.0)
    found = [(z.real, -z.imag) for z in loops.points.tolist()]
    edge = Panel(ink, (48, 12, 96, 38), 16, faint=False)
    for first, end in zip(loops.starts[:-1].tolist(), loops.starts[1:].tolist(), strict=True):
        edge.line([*found[first:end], found[first]], _EDGE, 1.5)
    edge.dots(found, _EDGE, 2.5)
    save([("128 px, enlarged 16 times: the edge at half coverage", edge)], FOLDER / "outline-edge.png")
    panels = []
    for caption, settings in (
        ("fitted", TraceSettings(genre="round")),
        ("potrace", TraceSettings(method="potrace")),
    ):
        outline = trace_ink(ink, CANVAS, settings)
        panel = Panel(ink, (4, 4, 124, 124), 4, faint=True)
        panel.outline(outline)
        panels.append((f"{caption}: {outline.point_count()} points", panel))
        print(caption, outline.point_count(), "points")
    save(panels, FOLDER / "outline-fit.png")


if __name__ == "__main__":
    main()
