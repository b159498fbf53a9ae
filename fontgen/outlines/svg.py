"""Outlines as SVG files that a drawing program can edit, and back.

Coordinates in the path are font units with y up, as type designers know them; the y axis flips in the
group's `transform="scale(1 -1)"`. The viewBox is the em square (descender -0.12 em), and that is what gives
an SVG its scale when it is read: one em is the height of the viewBox, the baseline lies 0.12 em above its
lower edge. A drawing from elsewhere, with or without transforms, is therefore read right as long as its
artboard is the em square.
"""

from __future__ import annotations

import re
from itertools import pairwise
from math import cos, radians, sin, tan
from pathlib import Path
from xml.etree import ElementTree

from fontTools.misc.transform import Identity, Transform
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.svgLib.path import PathBuilder, parse_path

from fontgen.canvas import DEFAULT_DESCENDER_EM
from fontgen.errors import ImageError
from fontgen.files import write_text
from fontgen.outlines.cubic import Point
from fontgen.outlines.outline import Contour, Outline, Segment, reversed_contour, signed_area
from fontgen.outlines.winding import wind_by_nesting

_DECIMALS = 4  # of a unit: a thousandth of a thousandth of an em and better
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TRANSFORM = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")


def write_svg(path: Path, outline: Outline, units_per_em: int = 1000) -> None:
    """Write one glyph; `read_svg` gives the same outline back to 1e-6 em."""
    write_text(path, svg_text(outline, units_per_em))


def svg_text(outline: Outline, units_per_em: int = 1000) -> str:
    top = _number(-(1.0 + DEFAULT_DESCENDER_EM) * units_per_em)
    data = "\n".join(_path_data(contour, units_per_em) for contour in outline.contours)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {top} {units_per_em} {units_per_em}" '
        f'overflow="visible">\n<g transform="scale(1 -1)">\n<path d="{data}"/>\n</g>\n</svg>\n'
    )


def _path_data(contour: Contour, units_per_em: int) -> str:
    def pair(point: Point) -> str:
        return f"{_number(point[0] * units_per_em)} {_number(point[1] * units_per_em)}"

    parts = [f"M{pair(contour[-1][-1])}"]
    parts += [("L" if len(segment) == 1 else "C") + " ".join(map(pair, segment)) for segment in contour]
    return "".join(parts) + "Z"


def _number(value: float) -> str:
    text = f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def read_svg(path: Path) -> Outline:
    """Read one glyph: our own files or hand-made ones with paths and basic shapes, curves of any kind.

    Open paths are closed. With `fill-rule="evenodd"` anywhere the winding is set from nesting; otherwise the
    drawn directions count (overlapping strokes stay ink), turned round as a whole where the largest contour
    runs clockwise.

    Raises ImageError when the file is missing, is not SVG, has no viewBox or a path that cannot be read.
    """
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such SVG file") from error
    except (OSError, ElementTree.ParseError) as error:
        raise ImageError(f"{path}: not readable as SVG ({error}); export it again or remove it") from error
    pen = RecordingPen()
    try:
        _draw(root, TransformPen(pen, _to_em(root, path)), Identity)
        contours = recorded_contours(pen)
    except (ValueError, IndexError, TypeError, AssertionError, NotImplementedError) as error:
        raise ImageError(f"{path}: a path in it cannot be read ({error}); simplify it in a drawing program") from error
    if re.search(rb"""(fill-rule\s*[:=]\s*["']?\s*evenodd)""", path.read_bytes()):
        return Outline(tuple(wind_by_nesting(contours)))
    if contours and signed_area(max(contours, key=lambda contour: abs(signed_area(contour)))) < 0:
        contours = [reversed_contour(contour) for contour in contours]
    return Outline(tuple(contours))


def _to_em(root: ElementTree.Element, path: Path) -> Transform:
    box = [float(number) for number in _NUMBER.findall(root.get("viewBox", ""))]
    if len(box) != 4:
        size = [_NUMBER.match(root.get(name, "")) for name in ("width", "height")]
        if size[0] is None or size[1] is None:
            raise ImageError(f'{path}: has no viewBox; give it one that is the em square, like "0 -880 1000 1000"')
        box = [0.0, 0.0, float(size[0][0]), float(size[1][0])]
    left, top, _, height = box
    if height <= 0:
        raise ImageError(f"{path}: its viewBox has no height; make it the em square")
    scale = 1.0 / height
    return Transform(scale, 0, 0, -scale, -left * scale, (top + height) * scale + DEFAULT_DESCENDER_EM)


def _draw(element: ElementTree.Element, pen: TransformPen, transform: Transform) -> None:
    tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    if tag in {"defs", "clipPath", "mask", "symbol", "metadata"} or element.get("display") == "none":
        return
    transform = transform.transform(_transform(element.get("transform", "")))
    builder = PathBuilder()
    shape = ElementTree.Element(tag, {key: value for key, value in element.attrib.items() if key != "transform"})
    builder.add_path_from_element(shape)
    for data in builder.paths:
        if data.strip():
            parse_path(data, TransformPen(pen, transform))
    for child in element:
        _draw(child, pen, transform)


def _transform(text: str) -> Transform:
    result = Identity
    for name, arguments in _TRANSFORM.findall(text):
        numbers = [float(number) for number in _NUMBER.findall(arguments)]
        result = result.transform(_single_transform(name, numbers))
    return result


def _single_transform(name: str, numbers: list[float]) -> Transform:
    if name == "matrix":
        return Transform(*numbers)
    if name == "translate":
        return Transform(dx=numbers[0], dy=numbers[1] if len(numbers) > 1 else 0.0)
    if name == "scale":
        return Transform(xx=numbers[0], yy=numbers[-1])
    if name == "rotate":
        angle = radians(numbers[0])
        x, y = numbers[1:] if len(numbers) > 1 else (0.0, 0.0)
        turn = Transform(cos(angle), sin(angle), -sin(angle), cos(angle))
        return Transform(dx=x, dy=y).transform(turn).transform(Transform(dx=-x, dy=-y))
    slope = tan(radians(numbers[0]))
    return Transform(yx=slope) if name == "skewX" else Transform(xy=slope)


def recorded_contours(pen: RecordingPen) -> list[Contour]:
    """The contours that were drawn into a recording pen, quadratics as cubics, open ones closed."""
    flat = DecomposingRecordingPen({})
    pen.replay(flat)
    contours: list[Contour] = []
    segments: list[Segment] = []
    start: Point = (0.0, 0.0)
    for operator, points in flat.value:
        if operator == "moveTo":
            start, segments = points[0], []
            here = start
        elif operator == "lineTo":
            segments.append((points[0],))
            here = points[0]
        elif operator == "curveTo":
            segments.append(points)
            here = points[-1]
        elif operator == "qCurveTo":
            for control, end in _quadratics(points):
                segments.append((_between(here, control), _between(end, control), end))
                here = end
        else:
            if segments and here != start:
                segments.append((start,))
            contour = tuple(s for s in segments)
            if contour and signed_area(contour) != 0:
                contours.append(contour)
            segments = []
    return contours


def _quadratics(points: tuple[Point, ...]) -> list[tuple[Point, Point]]:
    """(control, end) pairs of a quadratic spline with implied on-curve points."""
    controls, end = points[:-1], points[-1]
    joints = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(controls)]
    return list(zip(controls, [*joints, end], strict=True))


def _between(end: Point, control: Point) -> Point:
    """The cubic control point of a quadratic: two thirds of the way to its control point."""
    return end[0] + (control[0] - end[0]) * 2 / 3, end[1] + (control[1] - end[1]) * 2 / 3
