"""An outline as a picture that shows its points, for the eye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fontgen.canvas import Canvas
from fontgen.outlines.outline import Contour, Outline

_STEPS = 12
"""Straight pieces that a cubic is drawn with."""


def draw_outline(outline: Outline, canvas: Canvas) -> NDArray[np.uint8]:
    """The outline filled in grey, its contours as lines and its points as squares (on the curve) and dots (off it).

    Returns (size, size) uint8, ink = 255.
    """
    scale = 2  # drawn twice as large, so that thin lines come out smooth
    large = canvas.resized(canvas.size_px * scale)
    winding = np.zeros((large.size_px, large.size_px), np.int32)
    lines: list[list[tuple[float, float]]] = []
    for contour in outline.contours:
        points = [_to_px(large, point) for point in _flattened(contour)]
        lines.append(points)
        mask = Image.new("1", (large.size_px, large.size_px))
        ImageDraw.Draw(mask).polygon(points, fill=1)
        winding += np.asarray(mask).astype(np.int32) * (1 if _area(points) < 0 else -1)
    picture = Image.fromarray(np.where(winding != 0, 205, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for points in lines:
        draw.line([*points, points[0]], fill=60, width=scale)
    for contour in outline.contours:
        start = contour[-1][-1]
        for segment in contour:
            if len(segment) == 3:
                for end, handle in ((start, segment[0]), (segment[2], segment[1])):
                    draw.line([_to_px(large, end), _to_px(large, handle)], fill=150, width=scale)
                    x, y = _to_px(large, handle)
                    draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=110)
            start = segment[-1]
            x, y = _to_px(large, start)
            draw.rectangle((x - 5, y - 5, x + 5, y + 5), fill=0)
    small = picture.resize((canvas.size_px, canvas.size_px), Image.Resampling.BOX)
    return 255 - np.asarray(small)


def _to_px(canvas: Canvas, point: tuple[float, float]) -> tuple[float, float]:
    x, y = canvas.em_to_px @ (point[0], point[1], 1.0)
    return float(x), float(y)


def _flattened(contour: Contour) -> Iterable[tuple[float, float]]:
    start = contour[-1][-1]
    for segment in contour:
        if len(segment) == 3:
            corners = np.array([start, *segment], np.float64)
            for t in np.arange(1, _STEPS) / _STEPS:
                weights = np.array([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
                x, y = weights @ corners
                yield float(x), float(y)
        start = segment[-1]
        yield float(start[0]), float(start[1])


def _area(points: Sequence[tuple[float, float]]) -> float:
    x, y = np.array(points).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)
